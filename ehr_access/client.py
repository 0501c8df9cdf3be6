"""The FHIR client: reads, searches and writes at one allowed server, answering in data states.

What an answer holds is read in its body: servers lie about the content type in both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from billing_rules.data_needed import OLDER_LEFT
from billing_rules.fhir.json.decoding import (
    Part,
    RawResource,
    SearchPage,
    as_dict,
    bundle_resources,
)
from billing_rules.model.states import NOTHING, Nothing, Present, Unknown
from ehr_access import limits, writing
from ehr_access import limits as reasons
from ehr_access.base import AddressRefused, FhirBase
from ehr_access.limits import Deadline, Limits, all_of
from ehr_access.query import ID, Query, QueryRefused, with_every_status
from ehr_access.scopes import Allowed, Scopes
from ehr_access.server_metadata import Capabilities, Capability, with_required
from ehr_access.transport import HttpAnswer, Transport
from ehr_access.writing import Refused, Uncertain, WriteAnswer, Written

# ----------------------------------------------------------------------
# The FHIR client: reads, searches and writes at one allowed server, answering in data states.
#
# What an answer holds is read in its body: servers lie about the content type in both directions.


class _Named(msgspec.Struct):
    resourceType: str  # noqa: N815 - FHIR's name
    id: str = ""


_named = msgspec.json.Decoder(_Named)


def one_resource(answer: HttpAnswer, resource_type: str, id_: str) -> RawResource | Unknown:
    """The resource that was read, or why it was not."""
    named = _of(answer, resource_type)
    if isinstance(named, Unknown):
        return named
    if named.resourceType != resource_type:
        return reasons.NOT_FHIR
    return answer.body if named.id == id_ else reasons.ANOTHER_RESOURCE


def page(answer: HttpAnswer, resource_type: str) -> SearchPage | Unknown:
    """The page of a search, or why it cannot be used."""
    named = _of(answer, resource_type)
    if isinstance(named, Unknown):
        return named
    found = bundle_resources(answer.body)
    unusable = isinstance(found, Unknown) or named.resourceType != "Bundle"
    return reasons.NOT_FHIR if unusable else found


def _of(answer: HttpAnswer, resource_type: str) -> _Named | Unknown:
    """Type and id of the resource that the answer is, unless it is an error."""
    if not 200 <= answer.status < 300:
        return reasons.of_status(answer.status, resource_type)
    try:
        named = _named.decode(answer.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return reasons.NOT_FHIR
    return reasons.ERROR_REPORTED if named.resourceType == "OperationOutcome" else named


# ---------------------------------------------------------------- where an access token comes from


class Token(Protocol):
    """An access token that its owner may renew. Safe to ask from several threads at once."""

    def current(self) -> str:
        """The token to send now."""
        ...

    def after_refusal(self, refused: str) -> str:
        """Another token after `refused` was answered 401; "" when there is none."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class FixedToken:
    """A token that cannot be renewed, as a hook request carries it."""

    text: str

    def current(self) -> str:
        return self.text

    def after_refusal(self, refused: str) -> str:
        return ""


_exact = msgspec.json.Encoder(decimal_format="number")


class EhrClient:
    """One server, one token. `base` comes from `allowed_base`; the token is optional, and one that
    can be renewed is, once, after a 401.

    Every answer is the resources as JSON bytes, what a search included after what it
    matched (`Present`), `Nothing` when the complete answer held none, or `Unknown` with its reason.
    Where each resource counts by itself, the reason for a gap stands last among what was found.
    Nothing here raises for what a server does.
    """

    def __init__(
        self,
        base: FhirBase,
        transport: Transport,
        capabilities: Capabilities,
        *,
        token: str | Token | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._base = base
        self._transport = transport
        self._capabilities = capabilities
        self._token = FixedToken(token) if token and isinstance(token, str) else token or None
        self._limits = limits or Limits()

    def __repr__(self) -> str:
        return f"<EhrClient {self._base.url}>"

    def within(self, limits: Limits) -> EhrClient:
        """The same server and token, with other limits."""
        return EhrClient(
            self._base, self._transport, self._capabilities, token=self._token, limits=limits
        )

    def fetch(
        self, queries: Mapping[str, Query], deadline: Deadline | None = None
    ) -> dict[str, Part]:
        """Every query's answer by its key, asked in parallel inside one deadline."""
        if self._token and not self._base.carries_tokens:
            return dict.fromkeys(queries, reasons.NO_TOKEN_IN_CLEAR)
        until = deadline or Deadline.after(self._limits.seconds)
        offered = self._offered(until)
        questions = {
            key: lambda query=query: self._answer(query, offered, until)
            for key, query in queries.items()
        }
        return all_of(questions, until, self._limits.parallel)

    def one(self, query: Query, deadline: Deadline | None = None) -> Part:
        """One query's answer."""
        return self.fetch({"": query}, deadline)[""]

    def capability(self, deadline: Deadline | None = None) -> Capability | Unknown:
        """What the server says it offers."""
        return self._offered(deadline or Deadline.after(self._limits.seconds))

    # ------------------------------------------------------------ writing

    def create(
        self,
        resource: Mapping[str, Any],
        identifier: Mapping[str, str],
        scopes: Scopes,
        deadline: Deadline | None = None,
    ) -> WriteAnswer:
        """Create `resource` once: `identifier` is one of ours that it carries, by which a server
        with conditional create finds the copy of an earlier send (`already_there` asks others)."""
        until = deadline or Deadline.after(self._limits.seconds)
        kind = str(resource["resourceType"])
        headers = {"If-None-Exist": writing.if_none_exist(identifier)}
        refused = self._may_not("create", "c", kind, scopes, until)
        return refused or self._write("POST", kind, resource, headers, until)

    def update(
        self,
        resource: Mapping[str, Any],
        version: str,
        scopes: Scopes,
        deadline: Deadline | None = None,
    ) -> WriteAnswer:
        """Put `resource`, whole, in the place of version `version` of it and of no other."""
        kind, id_ = str(resource["resourceType"]), str(resource["id"])
        if not ID.fullmatch(id_) or not ID.fullmatch(version):
            raise QueryRefused("the resource has no id and version that a FHIR server gives")
        until = deadline or Deadline.after(self._limits.seconds)
        headers = {"If-Match": f'W/"{version}"'}
        refused = self._may_not("update", "u", kind, scopes, until)
        return refused or self._write("PUT", f"{kind}/{id_}", resource, headers, until)

    def already_there(
        self, resource_type: str, identifier: Mapping[str, str], patient_id: str
    ) -> WriteAnswer:
        """Whether an earlier send of ours stands there: Written, Refused ("not sent") when a
        complete answer holds none, Uncertain when that cannot be told."""
        sought = f"{identifier['system']}|{identifier['value']}"
        params = (("patient", patient_id), ("identifier", sought))
        found = self.one(Query(resource_type, params=params))
        if isinstance(found, Unknown):
            return Uncertain(found.because)
        read = found.value if isinstance(found, Present) else ()
        ours = [id_ for raw in read if (id_ := _carrying(raw, identifier))]
        if len(ours) > 1:
            return writing.SEVERAL
        if ours:
            return Written(f"{resource_type}/{ours[0]}", before=True)
        return Refused("not sent", "it does not stand in the EHR")

    def _may_not(
        self, interaction: str, action: str, kind: str, scopes: Scopes, until: Deadline
    ) -> Refused | None:
        """Why nothing is sent at all."""
        if self._token and not self._base.carries_tokens:
            return writing.NO_TOKEN_IN_CLEAR
        if not scopes.may(action, kind):
            return writing.NO_SCOPE
        offered = self._offered(until)
        if isinstance(offered, Capability) and not offered.offers(interaction, kind):
            return writing.not_offered(kind)
        return None

    def _write(
        self,
        method: str,
        path: str,
        resource: Mapping[str, Any],
        headers: Mapping[str, str],
        until: Deadline,
    ) -> WriteAnswer:
        """Sent once. The deadline holds whatever the server does with the connection."""
        body = _exact.encode(resource)
        typed = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal", **headers}

        def send(token: str | None) -> HttpAnswer | Unknown:
            return self._transport.send(
                method,
                f"{self._base.url}/{path}",
                body,
                typed,
                token=token,
                deadline=until,
                most_bytes=self._limits.body_bytes,
            )

        answer = all_of({"": lambda: self._with_token(send)}, until, 1)[""]
        return writing.outcome(answer, path, conditional=method == "POST")

    def _offered(self, until: Deadline) -> Capability | Unknown:
        """The capability statement, for at most half of the time there is."""
        return self._capabilities.of(self._base, until.sooner(until.remaining / 2))

    def _answer(self, query: Query, offered: Capability | Unknown, until: Deadline) -> Part:
        adapted = offered.adapted(query) if isinstance(offered, Capability) else query
        if isinstance(adapted, Unknown):
            return adapted
        if not adapted.id:
            found = self._search(adapted, until)
            again = with_every_status(adapted) if found == reasons.BAD_REQUEST else None
            return self._search(again, until) if again else found
        answer = self._get(f"{self._base.url}/{adapted.relative_url}", until)
        if isinstance(answer, Unknown):
            return answer
        if answer.status in (404, 410):
            return NOTHING
        resource = one_resource(answer, adapted.resource_type, adapted.id)
        return resource if isinstance(resource, Unknown) else Present((resource,))

    def _search(self, query: Query, until: Deadline) -> Part:
        found = _Found(query.each_counts)
        seen: set[str] = set()
        url = f"{self._base.url}/{with_required(query).relative_url}"
        if query.begin_at:
            try:
                url = self._base.resolve(query.begin_at)
            except AddressRefused:
                return reasons.LEFT_THE_BASE
        while url not in seen and len(seen) < self._limits.pages:
            seen.add(url)
            answer = self._get(url, until)
            result = answer if isinstance(answer, Unknown) else page(answer, query.resource_type)
            if isinstance(result, Unknown):
                return found.but(result)
            found.add(result)
            if result.problem or result.unread:
                return found.but(reasons.INCOMPLETE)
            if result.next_url is None and (query.begin_at or not found.withheld):
                everything = (*found.matches, *found.included)
                return Present(everything) if found.matches else NOTHING
            if query.newest_first and found.matches:
                return Present((*found.matches, *found.included, OLDER_LEFT))
            if result.next_url is None:
                return found.but(reasons.INCOMPLETE)
            try:
                url = self._base.resolve(result.next_url)
            except AddressRefused:
                return found.but(reasons.LEFT_THE_BASE)
        return found.but(reasons.TOO_MANY_PAGES)

    def _get(self, url: str, until: Deadline) -> HttpAnswer | Unknown:
        return self._with_token(
            lambda token: self._transport.get(
                url, token=token, deadline=until, most_bytes=self._limits.body_bytes
            )
        )

    def _with_token(
        self, send: Callable[[str | None], HttpAnswer | Unknown]
    ) -> HttpAnswer | Unknown:
        """What `send` gives with the token, and with a new one after a 401, if there is any."""
        if self._token is None:
            return send(None)
        token = self._token.current()
        answer = send(token)
        if isinstance(answer, HttpAnswer) and answer.status == 401:
            renewed = self._token.after_refusal(token)
            return send(renewed) if renewed else answer
        return answer


def _carrying(raw: RawResource | Unknown, identifier: Mapping[str, str]) -> str:
    """The id of a resource that carries our identifier, "" of any other: some servers pass over
    a search parameter they do not know."""
    if isinstance(raw, Unknown):
        return ""
    resource = as_dict(raw) or {}
    carried = resource.get("identifier", [])
    ours = [carried] if isinstance(carried, dict) else carried
    same = any(i.get("value") == identifier["value"] for i in ours if isinstance(i, dict))
    return str(resource.get("id", "")) if same else ""


@dataclass(slots=True)
class _Found:
    """What the pages of one search held so far."""

    each_counts: bool
    matches: list[RawResource] = field(default_factory=list)
    included: list[RawResource] = field(default_factory=list)
    entries: int = 0
    total: int = 0

    def add(self, page: SearchPage) -> None:
        self.matches.extend(page.matches)
        self.included.extend(page.included)
        self.entries += page.entries
        self.total = max(self.total, page.total or 0)

    @property
    def withheld(self) -> bool:
        """Whether the server counted more than it gave."""
        return self.total > self.entries

    def but(self, gap: Unknown) -> Part:
        """What there is when the rest could not be had."""
        if self.each_counts and self.matches:
            return Present((*self.matches, *self.included, gap))
        return gap


# ----------------------------------------------------------------------
# Queries a token's scope allows are asked, the others are not; and the query a reference means.


def fetch_allowed(
    client: EhrClient, scopes: Scopes, queries: Mapping[str, Query], deadline: Deadline
) -> dict[str, Part]:
    """Every query's answer by its key; what `scopes` do not allow is unknown without asking."""
    allowed = {key: scopes.allow(query) for key, query in queries.items()}
    askable = {k: q for k, q in queries.items() if allowed[k] is not Allowed.NONE}
    answers = client.fetch(askable, deadline) if askable else {}
    return {
        key: _judged(answers.get(key, limits.NOT_IN_SCOPE), queries[key], allowed[key])
        for key in queries
    }


def query_of(reference: str, base: FhirBase) -> Query | None:
    """The read that a reference means: relative, or absolute inside `base`."""
    try:
        relative = base.resolve(reference)[len(base.url) :]
        kind, _, id_ = relative.partition("/_history/")[0].strip("/").partition("/")
        return Query(kind, id_) if id_ and "#" not in reference else None
    except (AddressRefused, QueryRefused):
        return None


def _judged(answer: Part, query: Query, allowed: Allowed) -> Part:
    """Of a granular scope what was found counts, and what was not found proves nothing."""
    if allowed is not Allowed.SOME or isinstance(answer, Unknown):
        return answer
    if isinstance(answer, Nothing) or not (query.each_counts or query.newest_first):
        return limits.PART_IN_SCOPE
    return Present((*answer.value, limits.PART_IN_SCOPE))
