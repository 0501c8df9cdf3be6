"""The moods of this EHR: the ways in which it misbehaves on purpose, so that an app or a
service can be seen to bear them.

They are chosen when it starts, for one launch (those of authorization), or while it runs
(`Moods.be`). A mood of the answers is an act: a function that gets the request and whoever answers
next, and gives what is sent. Acts are put one around the other, so moods combine.
"""

from __future__ import annotations

import errno
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from http import HTTPStatus
from io import BytesIO
from typing import Any, NoReturn
from urllib.parse import parse_qs, urlencode

from werkzeug.wrappers import Response

JSON = "application/fhir+json"
_FHIR = "/fhir"
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Mood(Enum):
    """Its value says what goes wrong; on the command line it is called by its name in lower case.
    The first eleven are those that the SMART launcher simulates, under its names."""

    AUTH_INVALID_CLIENT_ID = "authorization answers that the client id is not known"
    AUTH_INVALID_REDIRECT_URI = "authorization answers that the redirect URI is not known"
    AUTH_INVALID_SCOPE = "authorization sends the app back with invalid_scope"
    AUTH_INVALID_CLIENT_SECRET = "the token endpoint does not take the client's secret"
    TOKEN_INVALID_TOKEN = "the token endpoint answers that code or refresh token are invalid"
    TOKEN_EXPIRED_REFRESH_TOKEN = "a refresh token has expired when it is used"
    TOKEN_EXPIRED_REGISTRATION_TOKEN = "the client's own assertion is said to have expired"
    TOKEN_INVALID_SCOPE = "the token endpoint answers invalid_scope"
    TOKEN_INVALID_JTI = "the jti of the client's assertion is said to have been used before"
    REQUEST_INVALID_TOKEN = "the FHIR server does not take the access token"
    REQUEST_EXPIRED_TOKEN = "the FHIR server says that the access token has expired"
    AUTH_ACCESS_DENIED = "authorization sends the app back with access_denied"
    AUTH_WRONG_STATE = "authorization sends the app back with another state than it sent"
    NO_PATIENT = "the token response names no patient"
    NO_WRITE_SCOPES = "of the scopes asked for, those that write are not granted"
    NO_REFRESH_TOKEN = "no refresh token is given, whatever was asked for"
    SHORT_TOKEN = "access tokens last two seconds"
    WRONG_NONCE = "the id_token carries another nonce than the app sent"
    # Of the FHIR server's answers from here on: see ACTS.
    SLOW = "every answer comes after six seconds"
    DRIPPING = "an answer comes a byte at a time, and never whole"
    HALF_ANSWERS = "the line is cut in the middle of an answer"
    CLOSED_CONNECTIONS = "the line is cut before an answer"
    FAILING = "every answer is HTTP status 500"
    UNAVAILABLE = "every answer is HTTP status 503"
    BUSY = "every answer is HTTP status 429 with Retry-After of two minutes"
    BUSY_ONCE = "the first try gets 429 with Retry-After 1, the next one its answer"
    NOT_PERMITTED = "every answer is HTTP status 401"
    OUTCOMES = "an OperationOutcome with HTTP status 200 stands in place of data"
    SMALL_PAGES = "a search gives two resources a page"
    ENDLESS_PAGES = "every page of a search names a next one"
    BIG_ANSWERS = "every answer is eight megabytes longer than it needs to be"
    WRONG_CONTENT_TYPE = "FHIR is called text/html"
    LOGIN_PAGE = "a login page is called FHIR"
    REDIRECTS = "every answer leads to another address"
    LATIN_1 = "answers are Latin-1 and not UTF-8"
    IGNORES_SORT = "_sort changes nothing"
    IGNORES_TAG = "_tag changes nothing"
    STRICT_SEARCH = "a search parameter that is not known is an error"
    ANY_TOKEN = "access tokens are not looked at"
    READ_ONLY = "nothing can be written"
    OWN_IDS = "a resource that is new gets no id of the client's"
    NO_UPDATES = "what is there cannot be changed"
    NO_CONDITIONAL_CREATE = "If-None-Exist is not looked at"
    STORED_THEN_503 = "a write is kept, and answered with HTTP status 503"
    NO_FHIR_SERVER = "CDS services are called without fhirServer and token"

    @property
    def key(self) -> str:
        """What the command line calls it."""
        return self.name.lower()

    @property
    def of_answers(self) -> bool:
        """Whether it changes how the FHIR server answers."""
        return self in ACTS


def named(name: str) -> Mood:
    """The mood of that name. Raises ValueError with all names."""
    by_key = {mood.key: mood for mood in Mood}
    if name not in by_key:
        raise ValueError(f"no simulated error is called {name}: there are {', '.join(by_key)}")
    return by_key[name]


# ---------------------------------------------------------------- what is asked and sent


@dataclass(frozen=True, slots=True)
class Request:
    """What arrived. `path` is without the query, `target` as it was sent, with it."""

    method: str
    path: str
    query: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    environ: dict[str, Any] = field(repr=False)

    @property
    def is_search(self) -> bool:
        """A search, or a further page of one."""
        return self.method == "GET" and (bool(self.query) or self.path.count("/") == 2)

    def with_query(self, **changes: str) -> Request:
        """The same with these parameters; an empty text leaves one out."""
        query = {name: values[0] for name, values in parse_qs(self.query).items()} | changes
        text = urlencode({name: value for name, value in query.items() if value})
        return replace(self, query=text, target=f"{self.path}?{text}" if text else self.path)

    def with_header(self, name: str, value: str | None) -> Request:
        """The same with one header replaced; None leaves it out."""
        others = {k: v for k, v in self.headers.items() if k.lower() != name.lower()}
        return replace(self, headers=others if value is None else {**others, name: value})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `body` is bytes, or what is sent as JSON."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    def sent_headers(self) -> dict[str, str]:
        """With those that every answer has."""
        own = {"Content-Type": JSON, "Content-Length": str(len(self.content))}
        others = {name.title() for name in self.headers}
        return {**{k: v for k, v in own.items() if k not in others}, **self.headers}


@dataclass(frozen=True, slots=True)
class Raw:
    """Exactly these bytes, head and all, part by part; then the connection is closed."""

    parts: Iterable[bytes] = ()


Sent = Reply | Raw
Answer = Callable[[Request], Sent]
Act = Callable[[Request, Answer], Sent]


def cut(reply: Reply, length: int) -> Raw:
    """The reply as it goes over the line, with so many bytes of its body and no more."""
    lines = [f"{name}: {value}" for name, value in reply.sent_headers().items()]
    status = f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"
    head = "\r\n".join([status, *lines, "", ""]).encode("latin-1")
    return Raw((head + reply.content[:length],))


def outcome(severity: str = "error", text: str = "a mood of this EHR") -> dict[str, Any]:
    issue = {"severity": severity, "code": "processing", "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


# ---------------------------------------------------------------- acts


def waits(seconds: float) -> Act:
    """Every answer comes so much later."""

    def act(request: Request, answer: Answer) -> Sent:
        time.sleep(seconds)
        return answer(request)

    return act


def always(sent: Sent) -> Act:
    """Every request gets this."""
    return lambda request, answer: sent


def status(code: int, **headers: str) -> Act:
    """Every request gets this HTTP status; `Retry_After="1"` is the header Retry-After."""
    named_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return always(Reply(outcome(), code, named_headers))


def dripping(request: Request, answer: Answer) -> Sent:
    """A byte every twentieth of a second, for longer than anybody waits."""

    def parts() -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n"
        yield b"Content-Length: 10000\r\n\r\n"
        for _ in range(120):
            time.sleep(0.05)
            yield b" "

    return Raw(parts())


def half(request: Request, answer: Answer) -> Sent:
    """The head promises more than the body holds."""
    sent = answer(request)
    return cut(sent, len(sent.content) // 2) if isinstance(sent, Reply) else sent


def busy_once(seconds: int) -> Act:
    """429 with Retry-After for the first of each question, its answer afterwards."""
    met: set[str] = set()

    def act(request: Request, answer: Answer) -> Sent:
        if request.target in met:
            return answer(request)
        met.add(request.target)
        return Reply(b"", 429, {"Retry-After": str(seconds)})

    return act


def small_pages(size: int) -> Act:
    """No page of a search is longer."""

    def act(request: Request, answer: Answer) -> Sent:
        if not request.is_search or "_page=" in request.query:
            return answer(request)
        asked = parse_qs(request.query).get("_count", [""])[0]
        count = min(int(asked), size) if asked.isdecimal() else size
        return answer(request.with_query(_count=str(count)))

    return act


def endless_pages(request: Request, answer: Answer) -> Sent:
    """Every page of a search names a next one."""
    if not request.is_search:
        return answer(request)
    page = int(parse_qs(request.query).get("_nth", ["0"])[0])
    sent = answer(request.with_query(_nth=""))
    if not isinstance(sent, Reply) or sent.status != 200:
        return sent
    kind = request.path.rpartition("/")[2]
    link = {"relation": "next", "url": f"{kind}?_nth={page + 1}"}
    return replace(sent, body={**sent.json, "link": [link]}, headers={})


def labelled(content_type: str) -> Act:
    """The right answer under a wrong name."""

    def act(request: Request, answer: Answer) -> Sent:
        sent = answer(request)
        return sent if isinstance(sent, Raw) else _with(sent, "Content-Type", content_type)

    return act


def big(length: int) -> Act:
    """The answer, and so many bytes of white space."""

    return _with_body(lambda body: body + b" " * length if body else body)


def _with_body(change: Callable[[bytes], bytes]) -> Act:
    def act(request: Request, answer: Answer) -> Sent:
        sent = answer(request)
        if isinstance(sent, Raw):
            return sent
        return _with(replace(sent, body=change(sent.content)), "Content-Length", None)

    return act


# The same words in other bytes.
latin_1 = _with_body(lambda body: body.decode("utf-8", "replace").encode("latin-1", "replace"))


def without_parameter(name: str) -> Act:
    """A search parameter that changes nothing."""
    return lambda request, answer: answer(request.with_query(**{name: ""}))


def without_header(name: str) -> Act:
    """A header that is not looked at."""
    return lambda request, answer: answer(request.with_header(name, None))


def strict_search(request: Request, answer: Answer) -> Sent:
    """What is not known is refused (FHIR R4, "Prefer: handling")."""
    return answer(request.with_header("Prefer", "handling=strict"))


def refuses_writes(
    code: int, text: str = "this cannot be written here", methods: Iterable[str] = _WRITES
) -> Act:
    """Writes by these methods get this HTTP status, everything else its answer."""
    refused = frozenset(methods)

    def act(request: Request, answer: Answer) -> Sent:
        written = request.method in refused and not request.path.endswith("/_search")
        return Reply(outcome(text=text), code) if written else answer(request)

    return act


def own_ids(request: Request, answer: Answer) -> Sent:
    """PUT changes what is there; what is not there gets no id of the client's."""
    if request.method == "PUT":
        there = answer(replace(request, method="GET", body=b""))
        if isinstance(there, Reply) and there.status in (404, 410):
            return Reply(outcome(text="ids are given here"), 405)
    return answer(request)


def conditional_update(request: Request, answer: Answer) -> Sent:
    """`PUT Type?identifier=...` (FHIR R4, "conditional update"): changes what is found by its
    identifier, or creates it. This EHR does not offer that when it is well."""
    if request.method != "PUT" or "?" not in request.target:
        return answer(request)
    found = answer(replace(request, method="GET", body=b""))
    entries = found.json.get("entry", []) if isinstance(found, Reply) else []
    if not entries:
        created = replace(request, method="POST").with_query(identifier="")
        return answer(created)
    id_ = entries[0]["resource"]["id"]
    body = json.dumps({**json.loads(request.body), "id": id_}).encode()
    path = f"{request.path}/{id_}"
    return answer(replace(request, path=path, query="", target=path, body=body))


def stored_then(code: int) -> Act:
    """A write is done, and answered with this HTTP status."""

    def act(request: Request, answer: Answer) -> Sent:
        sent = answer(request)
        return Reply(outcome(), code) if request.method in _WRITES else sent

    return act


def _with(reply: Reply, header: str, value: str | None) -> Reply:
    others = {k: v for k, v in reply.headers.items() if k.lower() != header.lower()}
    return replace(reply, headers=others if value is None else {**others, header: value})


_PAGE = b"<html><body>Please log in</body></html>"
ACTS: Mapping[Mood, Callable[[], Act]] = {
    Mood.SLOW: lambda: waits(6),
    Mood.DRIPPING: lambda: dripping,
    Mood.HALF_ANSWERS: lambda: half,
    Mood.CLOSED_CONNECTIONS: lambda: always(Raw()),
    Mood.FAILING: lambda: status(500),
    Mood.UNAVAILABLE: lambda: status(503),
    Mood.BUSY: lambda: status(429, Retry_After="120"),
    Mood.BUSY_ONCE: lambda: busy_once(1),
    Mood.NOT_PERMITTED: lambda: status(401),
    Mood.OUTCOMES: lambda: always(Reply(outcome())),
    Mood.SMALL_PAGES: lambda: small_pages(2),
    Mood.ENDLESS_PAGES: lambda: endless_pages,
    Mood.BIG_ANSWERS: lambda: big(8 * 1024 * 1024),
    Mood.WRONG_CONTENT_TYPE: lambda: labelled("text/html"),
    Mood.LOGIN_PAGE: lambda: always(Reply(_PAGE)),
    Mood.REDIRECTS: lambda: always(Reply({}, 302, {"Location": "http://127.0.0.1:9/elsewhere"})),
    Mood.LATIN_1: lambda: latin_1,
    Mood.IGNORES_SORT: lambda: without_parameter("_sort"),
    Mood.IGNORES_TAG: lambda: without_parameter("_tag"),
    Mood.STRICT_SEARCH: lambda: strict_search,
    Mood.ANY_TOKEN: lambda: without_header("Authorization"),
    Mood.READ_ONLY: lambda: refuses_writes(405),
    Mood.OWN_IDS: lambda: own_ids,
    Mood.NO_UPDATES: lambda: refuses_writes(405, methods=("PUT",)),
    Mood.NO_CONDITIONAL_CREATE: lambda: without_header("If-None-Exist"),
    Mood.STORED_THEN_503: lambda: stored_then(503),
}


def act_of(mood: Mood) -> Act:
    """What a mood does to the answers. What an EHR declares of itself is answered as ever, so
    that a client comes as far as its queries."""
    act = ACTS[mood]()

    def of_data(request: Request, answer: Answer) -> Sent:
        declares = request.path.startswith((f"{_FHIR}/metadata", f"{_FHIR}/.well-known"))
        is_data = request.path.startswith(_FHIR) and not declares
        return act(request, answer) if is_data else answer(request)

    return of_data


# ---------------------------------------------------------------- answers that are chosen by hand


@dataclass(slots=True)
class Script:
    """Answers that somebody chose: `replies` maps what is asked to what is sent.

    "/fhir/Patient/1" and "/fhir/Patient" (a search, whatever its query) are reads,
    "/fhir/Patient?page=2" is that query alone, "POST /fhir/Observation" a write. A list is sent one
    after the other. What is not in it is answered by the EHR itself.
    """

    replies: dict[str, Sent | Act | list[Sent | Act]] = field(default_factory=dict)

    def __call__(self, request: Request, answer: Answer) -> Sent:
        verb = "" if request.method == "GET" else f"{request.method} "
        found = self.replies.get(verb + request.target) or self.replies.get(verb + request.path)
        if isinstance(found, list):
            found = found.pop(0)
        if found is None:
            return answer(request)
        return found if isinstance(found, (Reply, Raw)) else found(request, answer)


@dataclass(slots=True)
class Journal:
    """Every request that came, in the order it came in."""

    requests: list[Request] = field(default_factory=list)

    def __call__(self, request: Request, answer: Answer) -> Sent:
        self.requests.append(request)
        return answer(request)


# ---------------------------------------------------------------- between the line and the EHR


class Moods:
    """The moods that this EHR is in; they can be changed while it runs."""

    def __init__(self, moods: Iterable[Mood] = ()) -> None:
        self._lock = threading.Lock()
        self._acts: tuple[Act, ...] = ()
        self.be(*moods)

    def be(self, *moods: Mood | Act) -> None:
        """In these moods from now on and in no other: the first is the outermost. Moods of
        authorization are not for here; they are passed over."""
        chosen = [mood for mood in moods if not isinstance(mood, Mood) or mood.of_answers]
        acts = tuple(act_of(mood) if isinstance(mood, Mood) else mood for mood in chosen)
        with self._lock:
            self._acts = acts

    def answer(self, app: Any, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """A WSGI answer of `app`, as the moods will have it."""
        acts = self._acts
        if not acts:
            return app(environ, start_response)  # type: ignore[no-any-return]
        answer: Answer = _own_answer(app)
        for act in reversed(acts):
            answer = _around(act, answer)
        sent = answer(_request(environ))
        if isinstance(sent, Raw):
            return _send_raw(environ, sent)
        content = sent.content if environ["REQUEST_METHOD"] != "HEAD" else b""
        start_response(f"{sent.status} {_phrase(sent.status)}", list(sent.sent_headers().items()))
        return [content]


def _around(act: Act, answer: Answer) -> Answer:
    return lambda request: act(request, answer)


def _request(environ: dict[str, Any]) -> Request:
    length = environ.get("CONTENT_LENGTH") or "0"
    body = environ["wsgi.input"].read(int(length)) if length.isdecimal() else b""
    names = {name: name[5:] for name in environ if name.startswith("HTTP_")}
    names |= {name: name for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}
    headers = {short.replace("_", "-").title(): environ[name] for name, short in names.items()}
    path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
    target = environ.get("RAW_URI") or (f"{path}?{query}" if query else path)
    return Request(environ["REQUEST_METHOD"], path, query, target, headers, body, environ)


def _own_answer(app: Any) -> Answer:
    """The EHR's own, to the request as moods have changed it."""

    def answer(request: Request) -> Sent:
        kept = {k: v for k, v in request.environ.items() if not k.startswith("HTTP_")}
        headers = {
            f"HTTP_{name.upper().replace('-', '_')}": value
            for name, value in request.headers.items()
            if name not in ("Content-Type", "Content-Length")
        }
        changed = {
            "REQUEST_METHOD": request.method,
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(request.body)),
            "wsgi.input": BytesIO(request.body),
        }
        response = Response.from_app(app, {**kept, **headers, **changed}, buffered=True)
        return Reply(response.get_data(), response.status_code, dict(response.headers))

    return answer


def _send_raw(environ: dict[str, Any], raw: Raw) -> NoReturn:
    """Past the web server, by the socket that it has put into the request. Ends with the error by
    which a web server knows that the line is gone."""
    line: socket.socket | None = environ.get("werkzeug.socket") or environ.get("gunicorn.socket")
    if line is not None:
        for part in raw.parts:
            line.sendall(part)
        line.shutdown(socket.SHUT_RDWR)
    raise BrokenPipeError(errno.EPIPE, "a mood has closed the line")


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "Status"
