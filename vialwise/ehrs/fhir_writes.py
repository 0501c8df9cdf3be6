"""Putting fixtures on a FHIR server and taking them off: one request a resource, each tried in
the ways servers allow, and nothing touched that does not carry our tag."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from ehr_access.base import AddressRefused, FhirBase
from vialwise.ehrs import stories
from vialwise.ehrs.stories import Resource
from vialwise.problems import Problem

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
        raise Problem(f"{stories.reference_to(resource)} was refused {_why(refused)}")

    def _written(self, resource: Resource, tag: str, way: str) -> requests.Response:
        kind = resource["resourceType"]
        if way == BY_ID:
            self._keep_off_others(resource, tag)
            return self._asked("PUT", f"{kind}/{resource['id']}", resource)
        unnumbered = {key: value for key, value in resource.items() if key != "id"}
        named = urlencode({"identifier": f"{stories.SYSTEM}|{stories.reference_to(resource)}"})
        if way == BY_IDENTIFIER:
            return self._asked("PUT", f"{kind}?{named}", unnumbered)
        return self._asked("POST", kind, unnumbered, {"If-None-Exist": named})

    def _keep_off_others(self, resource: Resource, tag: str) -> None:
        """What stands there under this id must be ours."""
        reference = stories.reference_to(resource)
        answer = self._asked("GET", reference)
        there = _body(answer) if answer.status_code == 200 else {}
        if there and not stories.is_tagged(there, tag):
            raise Problem(
                f"{reference} is there already and carries no tag '{tag}': nothing is overwritten; "
                "use the tag it was loaded with, or another server"
            )

    def _reference(self, answer: requests.Response, resource: Resource, way: str) -> str:
        if way == BY_ID:
            return stories.reference_to(resource)
        kind, said = resource["resourceType"], _body(answer)
        if said.get("resourceType") == kind and said.get("id"):
            return f"{kind}/{said['id']}"
        parts = answer.headers.get("Location", "").partition("/_history/")[0].rsplit("/", 2)
        if len(parts) >= 2 and parts[-2] == kind:
            return f"{kind}/{parts[-1]}"
        raise Problem("the server does not say under which id it keeps what it was given")

    # ------------------------------------------------------------ unload

    def tagged(self, kind: str, tag: str) -> Iterator[Resource]:
        """Every resource of this type that carries our tag, whatever the server answers besides."""
        url = f"{kind}?{urlencode({'_tag': f'{stories.SYSTEM}|{tag}', '_count': _PAGE})}"
        for _ in range(_MOST_PAGES):
            answer = self._asked("GET", url)
            if answer.status_code == 404:
                return  # a type the server does not offer
            if answer.status_code != 200:
                raise Problem(f"{kind} could not be searched {_why(answer)}")
            page = _body(answer)
            for entry in page.get("entry") or ():
                resource = entry.get("resource") or {}
                if resource.get("resourceType") == kind and stories.is_tagged(resource, tag):
                    yield resource
            following = [
                x.get("url", "") for x in page.get("link") or () if x.get("relation") == "next"
            ]
            if not following:
                return
            url = self._inside(following[0])

    def delete(self, resource: Resource, tag: str) -> str:
        """Delete it; "" when it is gone, else why not. Raises ValueError for what is not ours."""
        if not stories.is_tagged(resource, tag):
            raise ValueError("only what carries our tag is deleted")
        answer = self._asked("DELETE", stories.reference_to(resource))
        return "" if answer.status_code in (200, 202, 204, 404, 410) else _why(answer)

    # ------------------------------------------------------------ HTTP

    def _inside(self, link: str) -> str:
        try:
            inside = FhirBase.parse(self._base).resolve(link)
            return inside.removeprefix(self._base).removeprefix("/")  # it may be "?_getpages=..."
        except AddressRefused as error:
            raise Problem(f"the server's next page was not followed: {error}") from None

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
            raise Problem(
                f"the server did not answer within {self._seconds:g} s: try again, or use --timeout"
            ) from None
        except requests.RequestException as error:
            raise Problem(
                f"the server could not be reached ({type(error).__name__}): check --fhir"
            ) from None
        if answer.status_code == 401:
            raise Problem("the server wants a token: give one with --token-file")
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
