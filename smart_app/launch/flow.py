"""From an EHR's launch, or one of one's own, to an open window (SMART App Launch 2.2).

The way is written out in `_go` and `_return`: out to the EHR's authorization server with everything
that binds the answer to this browser and this moment, and back with a code that is used once."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for

from billing_rules.data_needed import DATA_NEEDED
from billing_rules.model.states import Unknown
from ehr_access.app_context import Refusal, opened
from ehr_access.limits import Deadline
from ehr_access.scopes import Scopes
from ehr_access.server_metadata import Capability, SmartConfiguration
from service_parts.database import StoreFailed
from service_parts.log_events import Event
from service_parts.web import subscriber
from smart_app.launch import authorization_server, session
from smart_app.launch.authorization_server import AuthorizationServer, NotGiven
from smart_app.launch.error_pages import (
    FOREIGN_STATE,
    NO_LAUNCH,
    NO_PATIENT,
    NO_RIGHTS,
    NOT_EXCHANGED,
    NOT_IDENTIFIED,
    REFUSED_BY_EHR,
    TOO_MANY_LAUNCHES,
    UNKNOWN_EHR,
    Stopped,
)
from smart_app.launch.identity import NotVerified, verified
from smart_app.launch.identity import user as identified
from smart_app.launch.services import LaunchServices, launch_services
from smart_app.launch.session import tokens_in
from smart_app.launch.store import ATTEMPT_LIFE, Attempt, LaunchGrant, Tokens
from smart_app.launch.window import Role, User
from smart_app.settings import RegisteredEhr

# ----------------------------------------------------------------------
# Which order a card's link meant: the appContext of the launch, if it can be used.
#
# It comes through the EHR, which may drop it, and through whatever carried it there; a bad one
# costs nothing but the short cut to the order.


@dataclass(frozen=True, slots=True, repr=False)
class CardOrder:
    """The order, the rules that spoke there and the orders it was judged together with; or `note`,
    the sentence why they are not known."""

    order: str = ""
    rules: tuple[str, ...] = ()
    note: str = ""
    together: tuple[str, ...] = ()


def order_of_card(
    text: Any, patient_id: str, ehr: RegisteredEhr, key: bytes, now: datetime
) -> CardOrder:
    """What `text` stands for, for this patient at this EHR; never an error."""
    if not isinstance(text, str) or not text:
        return CardOrder()
    found = opened(text, key, patient_id, ehr.fhir_base, now) if key else Refusal.FOREIGN
    if isinstance(found, Refusal):
        return CardOrder(note=f"The link of the card cannot be used: {found.value}.")
    return CardOrder(found.order, found.rules, together=found.together)


# ----------------------------------------------------------------------
# Which scopes to request from an EHR: what the app reads, of what that EHR offers (conformance
# B4.1), and whether what it granted is enough.
#
# Requesting a type that an EHR does not know can make it refuse everything.


_BESIDES_RULES = (
    "Medication",
    "Organization",
    "DocumentReference",
    "QuestionnaireResponse",
    "ServiceRequest",
)
READS = tuple(sorted({need.resource_type for need in DATA_NEEDED} | set(_BESIDES_RULES)))
_IDENTITY = ("openid", "fhirUser")
_SHOWN = ("MedicationRequest", "MedicationAdministration")


def scopes_to_request(
    ehr: RegisteredEhr,
    configuration: SmartConfiguration,
    offered: Capability | Unknown,
    *,
    from_ehr: bool,
) -> str:
    """The scope parameter. `from_ehr`: the EHR opened the app; else it is to ask for a patient."""
    context = ("launch",) if from_ehr else ("launch/patient",)
    # Tokens that last as long as the user is online, where they can be had; the app never requests
    # access beyond that (conformance B4.5).
    stated = configuration.capabilities | set(configuration.scopes_supported)
    session = ("online_access",) if {"permission-online", "online_access"} & stated else ()
    return " ".join((*context, *_IDENTITY, *session, *_data(ehr, configuration, offered)))


def are_enough_scopes(granted: Scopes) -> bool:
    """Whether there is anything the app could show: orders, or what was administered, each read and
    searched at least in part (an EHR may grant less than was requested; SMART App Launch 2.2,
    "Scopes granted by the authorization server")."""
    return any(granted.may("r", kind) and granted.may("s", kind) for kind in _SHOWN)


def _data(
    ehr: RegisteredEhr, configuration: SmartConfiguration, offered: Capability | Unknown
) -> tuple[str, ...]:
    if ehr.scopes:
        return ehr.scopes
    known = [t for t in READS if _is_known(t, configuration, offered)]
    writes = sorted(t for t in ehr.writes if _is_known(t, configuration, offered))
    # Version 2 where the EHR says so; version 1 where it says that, or nothing.
    if "permission-v2" in configuration.capabilities:
        letters = {t: "rs" for t in known} | dict.fromkeys(writes, "crus") | {"Patient": "r"}
        return tuple(f"patient/{t}.{letters[t]}" for t in sorted(letters))
    return (*(f"patient/{t}.read" for t in known), *(f"patient/{t}.write" for t in writes))


def _is_known(
    resource_type: str, configuration: SmartConfiguration, offered: Capability | Unknown
) -> bool:
    """Whether the EHR has that type. Lists that are not there refuse nothing."""
    if isinstance(offered, Capability) and resource_type not in offered.interactions:
        return False
    named = Scopes.parse(" ".join(configuration.scopes_supported)).scopes
    return not named or any(scope.resource_type in ("*", resource_type) for scope in named)


# ----------------------------------------------------------------------
# From an EHR's launch, or one of one's own, to an open window (SMART App Launch 2.2).
#
# The way is written out in `_go` and `_return`: out to the EHR's authorization server with
# everything that binds the answer to this browser and this moment, and back with a code that is
# used once.


log = logging.getLogger("smart_app")

_LONGEST = 2048  # characters of what an EHR hands over in an address
_CAPABILITY_SECONDS = 2.0
_STATE_BYTES = 32  # 256 bits; 122 are the least (conformance B2.2)
_VERIFIER_BYTES = 48  # 64 characters; RFC 7636 wants 43 to 128


def blueprint() -> Blueprint:
    made = Blueprint("launch", __name__)
    made.before_request(not_too_often)
    made.add_url_rule("/launch", view_func=from_ehr, endpoint="from_ehr")
    made.add_url_rule("/open/<ehr_id>", view_func=by_oneself, endpoint="by_oneself")
    made.add_url_rule("/callback", view_func=callback, endpoint="callback")
    return made


# ---------------------------------------------------------------- out


def not_too_often() -> None:
    """Anyone may begin a launch, and each is a row for ten minutes: so many from one address, and
    no more. Raises Stopped."""
    if request.endpoint == "launch.callback":
        return
    if launch_services().callers.take(subscriber(request.remote_addr or "")):
        raise Stopped(TOO_MANY_LAUNCHES)


def from_ehr() -> Response:
    """The launch address that EHRs open, with `iss` and `launch`."""
    iss, launch = request.args.get("iss", ""), request.args.get("launch", "")
    if not iss or not launch or len(iss) > _LONGEST or len(launch) > _LONGEST:
        raise Stopped(NO_LAUNCH)
    ehr = launch_services().settings.ehr_of_issuer(iss)
    if ehr is None:
        raise Stopped(UNKNOWN_EHR)
    return _go(ehr, aud=iss, launch=launch)


def by_oneself(ehr_id: str) -> Response:
    """A launch without an EHR's window: one of the registered EHRs is picked from a list, and it
    asks which patient."""
    ehr = launch_services().settings.ehr(ehr_id)
    if ehr is None:
        raise Stopped(UNKNOWN_EHR)
    return _go(ehr, aud=ehr.fhir_base, launch="")


def _go(ehr: RegisteredEhr, aud: str, launch: str) -> Response:
    services = launch_services()
    configuration = services.discovery.of(ehr)
    authorization_server.require_capability(
        configuration, "launch-ehr" if launch else "launch-standalone"
    )
    server = AuthorizationServer(ehr, configuration, services.settings, services.app_keys)
    offered = services.capabilities.of(ehr.base, Deadline.after(_CAPABILITY_SECONDS))
    state, browser = secrets.token_hex(_STATE_BYTES), secrets.token_urlsafe(_STATE_BYTES)
    attempt = Attempt(
        ehr.id,
        verifier=secrets.token_urlsafe(_VERIFIER_BYTES),
        nonce=secrets.token_urlsafe(_STATE_BYTES),
        asked=scopes_to_request(ehr, configuration, offered, from_ehr=bool(launch)),
    )
    services.store.sweep()
    if not services.store.begin(state, browser, attempt):
        raise Stopped(TOO_MANY_LAUNCHES)
    address = server.address(
        scope=attempt.asked,
        state=state,
        verifier=attempt.verifier,
        nonce=attempt.nonce,
        aud=aud,
        launch=launch,
    )
    response = _redirect(address)
    secure = services.settings.secure
    for old in [*session.cookie_ids(request, session.KIND_LAUNCH, secure)][
        : -session.MOST_LAUNCHES + 1
    ]:
        session.remove_cookie(response, session.KIND_LAUNCH, old, secure)
    session.put_cookie(
        response, session.KIND_LAUNCH, _cookie_id(state), browser, ATTEMPT_LIFE, secure
    )
    _log("launch begun", ehr.id, "from the EHR" if launch else "by oneself")
    return response


def _cookie_id(state: str) -> str:
    """A part of `state`: enough to tell launches apart, not enough to be one."""
    return state[:16]


# ---------------------------------------------------------------- and back


def callback() -> Response:
    """Where the EHR sends the browser back to, with a code or an error."""
    started = time.monotonic()
    services, state = launch_services(), request.args.get("state", "")
    secure, id_ = services.settings.secure, _cookie_id(state)
    known = session.ID.fullmatch(id_) is not None
    browser = session.read_cookie(request, session.KIND_LAUNCH, id_, secure) if known else ""
    attempt = services.store.take(state, browser) if browser else None
    ehr = services.settings.ehr(attempt.ehr) if attempt else None
    if attempt is None or ehr is None:
        raise Stopped(FOREIGN_STATE)
    try:
        response = _return(ehr, attempt, services)
    except Stopped as stopped:
        _log("launch ended", ehr.id, stopped.stop.name, started)
        raise
    session.remove_cookie(response, session.KIND_LAUNCH, id_, secure)
    _log("launch ended", ehr.id, "open", started)
    return response


def _return(ehr: RegisteredEhr, attempt: Attempt, services: LaunchServices) -> Response:
    configuration = services.discovery.of(ehr)
    code = _code(configuration)
    server = AuthorizationServer(ehr, configuration, services.settings, services.app_keys)
    try:
        answer = server.exchanged(code, attempt.verifier)
        tokens = tokens_in(answer, time.time())
    except NotGiven as error:
        _log("no token", ehr.id, error.kind)
        raise Stopped(NOT_EXCHANGED) from None
    try:
        return _opened(_Grant(ehr, attempt, configuration, answer, tokens), services)
    except (Stopped, StoreFailed):
        server.revoke(("access_token", tokens.access))  # it is of no use to anybody now
        raise


def _code(configuration: SmartConfiguration) -> str:
    """The code the EHR sent, if this is an answer of that EHR at all. Raises Stopped."""
    issuer = request.args.get("iss", "")
    # RFC 9207, 2.4: another server's answer. One that names a server is not taken from an EHR that
    # names none either: it would have the app carry that server's code to it.
    is_its_own = issuer == configuration.issuer != ""
    if (issuer or configuration.names_issuer) and not is_its_own:
        raise Stopped(FOREIGN_STATE)
    if "error" in request.args:
        raise Stopped(REFUSED_BY_EHR, _WHY.get(request.args["error"], ""))
    code = request.args.get("code", "")
    if not code or len(code) > 2 * _LONGEST:
        raise Stopped(NOT_EXCHANGED)
    return code


# What may be said of an error is said in our own words; its description is the EHR's (RFC 6749,
# 4.1.2.1) and could hold anything.
_WHY = {
    "access_denied": "Access was refused.",
    "invalid_scope": "It does not offer what the app asked for.",
    "invalid_request": "It did not understand the request: its registration may differ from ours.",
    "unauthorized_client": "The app is not allowed to sign in there: check its registration.",
    "unsupported_response_type": "The app is not allowed to sign in there: check its registration.",
    "server_error": "It failed itself.",
    "temporarily_unavailable": "It is too busy at the moment.",
}


# ---------------------------------------------------------------- what was granted


@dataclass(frozen=True, slots=True, repr=False)
class _Grant:
    """An answer of the token endpoint, and what it answers."""

    ehr: RegisteredEhr
    attempt: Attempt
    configuration: SmartConfiguration
    response: Mapping[str, Any]
    tokens: Tokens

    def text(self, name: str, longest: int = 256) -> str:
        value = self.response.get(name)
        return value if isinstance(value, str) and len(value) <= longest else ""

    @property
    def scope(self) -> str:
        """What was granted; what was requested where the EHR does not say (RFC 6749, 5.1)."""
        return self.text("scope", 16_384) or self.attempt.asked

    @property
    def patient(self) -> str:
        return self.text("patient").removeprefix("Patient/")


def _opened(grant: _Grant, services: LaunchServices) -> Response:
    """The window that a grant opens. Raises Stopped for one that opens none."""
    ehr = grant.ehr
    who, subject = _who(grant, services)
    if not grant.patient:
        raise Stopped(NO_PATIENT)
    if not are_enough_scopes(Scopes.parse(grant.scope)):
        raise Stopped(NO_RIGHTS)
    context, now = grant.response.get("appContext"), services.store.now()
    card = order_of_card(context, grant.patient, ehr, services.settings.context_key, now)
    opened = LaunchGrant(
        patient=grant.patient,
        encounter=grant.text("encounter").removeprefix("Encounter/"),
        user=who.reference,
        name=who.name,
        role=who.role.value,
        scope=grant.scope,
        order=card.order,
        rules=card.rules,
        shows_banner=grant.response.get("need_patient_banner") is not False,
        note=card.note,
        together=card.together,
    )
    id_, key = session.new_window_id(), secrets.token_urlsafe(_STATE_BYTES)
    person = who.reference or subject or id_  # who is not known is the same as nobody
    owner = services.store.seal.keyed_hash("owner", ehr.id, grant.patient, person)
    services.store.open(id_, key, ehr.id, owner, opened, grant.tokens)
    response = _redirect(url_for("launch.window", window_id=id_))
    life, secure = services.settings.session, services.settings.secure
    # Keep room in the browser's headers: the cookies of windows that have ended go, and of very
    # many the oldest.
    known = {
        one: services.store.current(one)
        for one in session.cookie_ids(request, session.KIND_WINDOW, secure)
    }
    alive = sorted((kept.opened_at, one) for one, kept in known.items() if kept and kept.opened)
    for one in known.keys() - {one for _, one in alive[-session.MOST_WINDOWS + 1 :]}:
        session.remove_cookie(response, session.KIND_WINDOW, one, secure)
    session.put_cookie(response, session.KIND_WINDOW, id_, key, life, secure)
    return response


def _who(grant: _Grant, services: LaunchServices) -> tuple[User, str]:
    """The user and the id_token's subject. An EHR that can say who is signed in has to: somebody
    it does not name could be the patient. Raises Stopped."""
    token = grant.response.get("id_token")
    if not isinstance(token, str):
        if grant.configuration.says_who:
            _log("not identified", grant.ehr.id, "no id_token")
            raise Stopped(NOT_IDENTIFIED)
        return User("", "", Role.STAFF), ""
    try:
        claims = verified(
            token,
            grant.configuration,
            grant.ehr.client_id,
            grant.attempt.nonce,
            services.issuer_keys,
        )
    except NotVerified as error:
        _log("not identified", grant.ehr.id, error.check)
        raise Stopped(NOT_IDENTIFIED) from None
    reader = session.ehr_client(grant.ehr, services, grant.tokens.access)
    return identified(claims, grant.ehr, reader), str(claims["sub"])


def _redirect(address: str) -> Response:
    """303: whatever came here, the browser asks with GET there (RFC 9110, 15.4.4)."""
    made = redirect(address, 303)
    assert isinstance(made, Response)
    return made


def _log(event: str, ehr: str, outcome: str, started: float | None = None) -> None:
    ms = None if started is None else round((time.monotonic() - started) * 1000)
    log.info(Event(event, {"ehr": ehr, "outcome": outcome, "ms": ms}))
