"""The fixtures as another FHIR server is given them, and taken from it again.

They are tagged, numbered, and their dates moved to today.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

import fixtures
from ehr_access.base import AddressRefused, FhirBase
from vialwise.terminal import CommandProblem

# ----------------------------------------------------------------------
# The fixtures as another server is given them: tagged, numbered, their dates moved to today.


Resource = dict[str, Any]

SYSTEM = "https://vialwise.example/fixtures"  # of the tag and of the identifiers
TAG = "vialwise-fixtures"


def fixtures_to_load(everything: bool) -> list[Resource]:
    """The charts and orders of the stories, or every well-shaped fixture; what others refer to
    comes first."""
    if everything:
        return _referred_first(fixtures.resources(drafts=True))
    return _referred_first(fixtures.everything_about(story_patients().values(), drafts=True))


def story_patients() -> dict[str, str]:
    """Each story's hook request and its patient's id."""
    names = [name for name in fixtures.names("hook_requests") if name.startswith("story-")]
    return {name: fixtures.hook_request(name)["context"]["patientId"] for name in names}


def story_order(name: str) -> str:
    """The reference to the draft order of a story."""
    drafts = fixtures.hook_request(name)["context"]["draftOrders"]["entry"]
    return reference_to(drafts[0]["resource"])


def reference_to(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def with_tag_and_dates(resource: Resource, tag: str, today: date) -> Resource:
    """A copy with our tag, an identifier of ours, and every date moved by the same days, so that
    intervals stay."""
    moved = fixtures.moved(resource, days_since(today))
    meta = {**moved.get("meta", {}), "tag": [{"system": SYSTEM, "code": tag}]}
    ours = {"system": SYSTEM, "value": reference_to(resource)}
    return {**moved, "meta": meta, "identifier": [*moved.get("identifier", []), ours]}


def days_since(today: date) -> int:
    """How many days the dates are moved."""
    return (today - fixtures.WRITTEN_ON).days


def with_references(resource: Resource, new: dict[str, str]) -> Resource:
    """A copy whose references follow `new`, for a server that gave ids of its own."""

    def changed(node: Any) -> Any:
        if isinstance(node, dict):
            return {
                k: new.get(v, v) if k == "reference" and isinstance(v, str) else changed(v)
                for k, v in node.items()
            }
        return [changed(value) for value in node] if isinstance(node, list) else node

    copy: Resource = changed(resource)
    return copy


def is_tagged(resource: Resource, tag: str) -> bool:
    """Whether the resource itself carries our tag: a server may pass over `_tag` in a search."""
    meta = resource.get("meta")
    tags = meta.get("tag") if isinstance(meta, dict) else None
    return isinstance(tags, list) and any(
        isinstance(t, dict) and t.get("system") == SYSTEM and t.get("code") == tag for t in tags
    )


def types() -> tuple[str, ...]:
    """Every type of the fixtures; what refers to others comes first, for deleting."""
    return tuple(
        dict.fromkeys(r["resourceType"] for r in reversed(fixtures_to_load(everything=True)))
    )


def _referred_first(resources: Iterable[Resource]) -> list[Resource]:
    waiting = {reference_to(resource): resource for resource in resources}
    ordered: list[Resource] = []
    while waiting:
        ready = [
            key
            for key, resource in waiting.items()
            if not set(fixtures.references(resource)) & (set(waiting) - {key})
        ]
        for key in ready or list(waiting):  # resources that refer to each other go as they are
            ordered.append(waiting.pop(key))
    return ordered


# ----------------------------------------------------------------------
# Putting fixtures on a FHIR server and taking them off: one request a resource, each tried in the
# ways servers allow, and nothing touched that does not carry our tag.


Headers = dict[str, str]

_JSON = "application/fhir+json"
_PAGE = 100
_MOST_PAGES = 200
# A server that does not take one way of writing answers with one of these.
_NOT_THIS_WAY = frozenset({400, 403, 404, 405, 409, 412, 422, 501})
_WHEN_BUSY = Retry(
    total=3,
    connect=0,
    read=0,
    redirect=0,
    other=0,
    status=3,
    status_forcelist=(429, 503),
    allowed_methods=None,
    backoff_factor=1,
    respect_retry_after_header=True,
    raise_on_status=False,
)

BY_ID = "under their own ids"
BY_IDENTIFIER = "by identifier (conditional update), as ids of our own were refused"
IF_NONE_EXIST = "by identifier (conditional create), as updates were refused"


class Server:
    """One FHIR server that may be written to. Every failure is a Problem in one line."""

    def __init__(self, base: FhirBase, token: str | None, seconds: float) -> None:
        self._base = base.url
        self._seconds = seconds
        self._session = requests.Session()
        self._session.headers.update({"Accept": _JSON, "Content-Type": _JSON})
        self._session.trust_env = False
        self._session.mount(base.url, HTTPAdapter(max_retries=_WHEN_BUSY))
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"
        self.way = BY_ID

    # ------------------------------------------------------------ load

    def put(self, resource: Resource, tag: str) -> str:
        """Create or update `resource`; the reference it has there. Raises Problem."""
        ways = (BY_ID, BY_IDENTIFIER, IF_NONE_EXIST)
        refused: requests.Response | None = None
        for way in ways[ways.index(self.way) :]:
            answer = self._written(resource, tag, way)
            if answer.status_code in (200, 201):
                self.way = way
                return self._reference(answer, resource, way)
            refused = refused or answer
            if answer.status_code not in _NOT_THIS_WAY:
                break
        assert refused is not None
        raise CommandProblem(f"{reference_to(resource)} was refused {_why(refused)}")

    def _written(self, resource: Resource, tag: str, way: str) -> requests.Response:
        kind = resource["resourceType"]
        if way == BY_ID:
            self._keep_off_others(resource, tag)
            return self._asked("PUT", f"{kind}/{resource['id']}", resource)
        unnumbered = {key: value for key, value in resource.items() if key != "id"}
        named = urlencode({"identifier": f"{SYSTEM}|{reference_to(resource)}"})
        if way == BY_IDENTIFIER:
            return self._asked("PUT", f"{kind}?{named}", unnumbered)
        return self._asked("POST", kind, unnumbered, {"If-None-Exist": named})

    def _keep_off_others(self, resource: Resource, tag: str) -> None:
        """What stands there under this id must be ours."""
        reference = reference_to(resource)
        answer = self._asked("GET", reference)
        there = _body(answer) if answer.status_code == 200 else {}
        if there and not is_tagged(there, tag):
            raise CommandProblem(
                f"{reference} is there already and carries no tag '{tag}': nothing is overwritten; "
                "use the tag it was loaded with, or another server"
            )

    def _reference(self, answer: requests.Response, resource: Resource, way: str) -> str:
        if way == BY_ID:
            return reference_to(resource)
        kind, said = resource["resourceType"], _body(answer)
        if said.get("resourceType") == kind and said.get("id"):
            return f"{kind}/{said['id']}"
        parts = answer.headers.get("Location", "").partition("/_history/")[0].rsplit("/", 2)
        if len(parts) >= 2 and parts[-2] == kind:
            return f"{kind}/{parts[-1]}"
        raise CommandProblem("the server does not say under which id it keeps what it was given")

    # ------------------------------------------------------------ unload

    def tagged(self, kind: str, tag: str) -> Iterator[Resource]:
        """Every resource of this type that carries our tag, whatever the server answers besides."""
        url = f"{kind}?{urlencode({'_tag': f'{SYSTEM}|{tag}', '_count': _PAGE})}"
        for _ in range(_MOST_PAGES):
            answer = self._asked("GET", url)
            if answer.status_code == 404:
                return  # a type the server does not offer
            if answer.status_code != 200:
                raise CommandProblem(f"{kind} could not be searched {_why(answer)}")
            page = _body(answer)
            for entry in page.get("entry") or ():
                resource = entry.get("resource") or {}
                if resource.get("resourceType") == kind and is_tagged(resource, tag):
                    yield resource
            following = [
                x.get("url", "") for x in page.get("link") or () if x.get("relation") == "next"
            ]
            if not following:
                return
            url = self._inside(following[0])

    def delete(self, resource: Resource, tag: str) -> str:
        """Delete it; "" when it is gone, else why not. Raises ValueError for what is not ours."""
        if not is_tagged(resource, tag):
            raise ValueError("only what carries our tag is deleted")
        answer = self._asked("DELETE", reference_to(resource))
        return "" if answer.status_code in (200, 202, 204, 404, 410) else _why(answer)

    # ------------------------------------------------------------ HTTP

    def _inside(self, link: str) -> str:
        try:
            inside = FhirBase.parse(self._base).resolve(link)
            return inside.removeprefix(self._base).removeprefix("/")  # it may be "?_getpages=..."
        except AddressRefused as error:
            raise CommandProblem(f"the server's next page was not followed: {error}") from None

    def _asked(
        self, method: str, path: str, body: Resource | None = None, headers: Headers | None = None
    ) -> requests.Response:
        try:
            answer = self._session.request(
                method,
                f"{self._base}/{path}",
                json=body,
                headers=headers,
                timeout=self._seconds,
                allow_redirects=False,
            )
        except requests.Timeout:
            raise CommandProblem(
                f"the server did not answer within {self._seconds:g} s: try again, or use --timeout"
            ) from None
        except requests.RequestException as error:
            raise CommandProblem(
                f"the server could not be reached ({type(error).__name__}): check --fhir"
            ) from None
        if answer.status_code == 401:
            raise CommandProblem("the server wants a token: give one with --token-file")
        return answer


def _why(answer: requests.Response) -> str:
    """The status and the first words of the server's reason."""
    issues = _body(answer).get("issue")
    issue = issues[0] if isinstance(issues, list) and issues and isinstance(issues[0], dict) else {}
    details = issue.get("details")
    text = issue.get("diagnostics") or (details.get("text") if isinstance(details, dict) else "")
    said = f": {' '.join(str(text).split())[:200]}" if text else ""
    return f"with HTTP status {answer.status_code}{said}"


def _body(answer: requests.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
