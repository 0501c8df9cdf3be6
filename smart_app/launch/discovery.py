"""What an EHR says about signing in: `.well-known/smart-configuration` (SMART App Launch 2.2,
"Conformance").

It is read from registered EHRs only, and nothing in it is followed to a host that was not
registered: a server that is broken into, or a document that is, must not send codes and client
assertions somewhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Any
from urllib.parse import urljoin, urlsplit

from billing_rules.model.states import Unknown
from ehr_access import smart_configuration
from ehr_access.base import AddressRefused, FhirBase
from ehr_access.limits import Deadline
from ehr_access.smart_configuration import SmartConfiguration
from ehr_access.transport import Answer, Transport
from smart_app.launch.error_pages import EHR_SILENT, EHR_UNSUITABLE, Stopped
from smart_app.settings import PUBLIC, RegisteredEhr

_ADDRESSES = ("authorization_endpoint", "token_endpoint", "revocation_endpoint", "jwks_uri")
_SECONDS = 6.0
_KEPT = 600.0  # seconds; Transport shows no headers, and EHRs change this about yearly
_FAILURE_KEPT = 5.0  # a server that is down is not asked for every click


class Discovery:
    """The configurations of all EHRs asked so far. Safe to share between threads."""

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock
        self._guard = Lock()
        self._known: dict[str, tuple[float, SmartConfiguration | Stopped]] = {}

    def of(self, ehr: RegisteredEhr) -> SmartConfiguration:
        """The configuration of a registered EHR. Raises Stopped when it cannot be used."""
        with self._guard:
            until, known = self._known.get(ehr.id, (0.0, Stopped(EHR_SILENT)))
        if self._clock() >= until:
            known = self._asked(ehr)
            kept = _FAILURE_KEPT if isinstance(known, Stopped) else _KEPT
            with self._guard:
                self._known[ehr.id] = (self._clock() + kept, known)
        if isinstance(known, Stopped):
            raise Stopped(known.stop, known.detail)
        return known

    def _asked(self, ehr: RegisteredEhr) -> SmartConfiguration | Stopped:
        address = ehr.base.url + smart_configuration.PATH
        until, most = Deadline.after(_SECONDS), smart_configuration.LARGEST
        answer = self._transport.get(address, token=None, deadline=until, most_bytes=most)
        try:
            return read(answer, address, ehr)
        except Stopped as stopped:
            return stopped


def read(answer: Answer | Unknown, address: str, ehr: RegisteredEhr) -> SmartConfiguration:
    """The configuration in `answer`, which came from `address`, with absolute addresses. Raises
    Stopped."""
    if isinstance(answer, Unknown) or answer.status >= 500 or answer.status == 429:
        raise Stopped(EHR_SILENT)
    if answer.status != 200:
        raise _unsuitable("It has no SMART configuration at its FHIR address.")
    stated = smart_configuration.parsed(answer.body)
    if stated is None:
        raise _unsuitable("Its SMART configuration is not readable.")
    addresses: dict[str, Any] = {
        name: _endpoint(name, getattr(stated, name), address, ehr) for name in _ADDRESSES
    }
    usable = replace(stated, **addresses)
    fault = fault_of(usable, ehr)
    if fault:
        raise _unsuitable(fault)
    return usable


def fault_of(configuration: SmartConfiguration, ehr: RegisteredEhr) -> str:
    """Why the app cannot sign in with it; "" when it can. What a server leaves out is not held
    against it, except S256, which has to be said (SMART App Launch 2.2, "PKCE")."""
    if not configuration.authorization_endpoint or not configuration.token_endpoint:
        return "It names no address for signing in."
    if "S256" not in configuration.challenge_methods:
        return "It does not say that it supports PKCE with S256, without which no code is safe."
    offered = configuration.auth_methods
    if ehr.client != PUBLIC and offered and ehr.client not in offered:
        return f"It does not accept {ehr.client}, as which the app is registered with it."
    accepted, algorithm = configuration.signing_algorithms, ehr.signs_with
    if algorithm and accepted and algorithm not in accepted:
        return f"It does not accept {algorithm}, with which the app is set to sign."
    return ""


def require(configuration: SmartConfiguration, capability: str) -> None:
    """Raises Stopped when the EHR lists capabilities, and not this one."""
    if configuration.capabilities and capability not in configuration.capabilities:
        raise _unsuitable(f"It does not offer {capability}.")


def _unsuitable(fault: str) -> Stopped:
    return Stopped(EHR_UNSUITABLE, fault)


def _endpoint(name: str, endpoint: str, address: str, ehr: RegisteredEhr) -> str:
    """An address in the document: relative ones are meant from the document's own (conformance
    B1.3). Raises Stopped for one that must not be used."""
    if not endpoint:
        return ""
    whole = urljoin(address, endpoint)
    try:
        base = FhirBase.parse(whole.partition("?")[0])
    except AddressRefused:
        raise _unsuitable(f"Its {name} is not an address.") from None
    if not base.carries_tokens or (base.scheme == "http" and not ehr.base.is_loopback):
        raise _unsuitable(f"Its {name} is not https.")
    if base.host not in {ehr.base.host, *map(str.lower, ehr.authorization_hosts)}:
        raise _unsuitable(f"Its {name} is on a host that was not registered for it.")
    if urlsplit(whole).fragment:
        raise _unsuitable(f"Its {name} is not an address.")
    return whole
