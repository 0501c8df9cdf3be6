"""The one FHIR base a client may talk to, and the refusal of every address outside it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

_PORTS = {"http": 80, "https": 443}


class AddressRefused(ValueError):
    """An address this client will not talk to. The message says why, never the address's query."""


@dataclass(frozen=True, slots=True)
class FhirBase:
    """A FHIR server's base address, without a slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> FhirBase:
        """`url` as a base. Raises AddressRefused when it is not a plain http(s) address."""
        parts = _split(url)
        if parts.query or parts.fragment:
            raise AddressRefused("a FHIR base address has no '?' and no '#'")
        return cls(*_origin(parts), _path(parts))

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @property
    def carries_tokens(self) -> bool:
        """Whether a token may be sent there: over TLS, or to this machine itself."""
        return self.scheme == "https" or self.is_loopback

    @property
    def is_loopback(self) -> bool:
        """Whether this machine itself is meant."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def resolve(self, link: str) -> str:
        """A link the server gave, as an absolute address inside this base.

        Raises AddressRefused for another scheme, host, port or path.
        """
        parts = _split(urljoin(self.url + "/", link))
        if _origin(parts) != (self.scheme, self.host, self.port):
            raise AddressRefused("a link leads to another server")
        path = _path(parts)
        if path != self.path and not path.startswith(self.path + "/"):
            raise AddressRefused("a link leads outside the FHIR base")
        return parts._replace(fragment="").geturl()


def allowed_base(url: str, allowed: Collection[str]) -> FhirBase:
    """`url` as a base when it is on the list, compared as addresses and not as text.

    Raises AddressRefused.
    """
    base = FhirBase.parse(url)
    if base not in {FhirBase.parse(entry) for entry in allowed}:
        raise AddressRefused("this FHIR server is not on the list of allowed servers")
    return base


def _split(url: str) -> SplitResult:
    if any(c <= " " or c in "\\\x7f" for c in url):
        raise AddressRefused("the address holds characters that no address has")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError for a port that is not one
    except ValueError:
        raise AddressRefused("the address cannot be read") from None
    if parts.scheme.lower() not in _PORTS or not parts.hostname:
        raise AddressRefused("a FHIR address starts with https:// or http:// and a host name")
    if "@" in parts.netloc:
        raise AddressRefused("the address holds a user name")
    return parts


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower().rstrip("."), parts.port or _PORTS[scheme]


def _path(parts: SplitResult) -> str:
    path = parts.path.rstrip("/")
    if ".." in unquote(unquote(path)).replace("\\", "/").split("/"):
        raise AddressRefused("the address climbs out of its path")
    return path
