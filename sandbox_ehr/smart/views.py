"""The addresses below /auth: authorize, token, introspect, revoke, jwks, launch."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import (
    AccessDeniedError,
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
)
from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox_ehr import moods
from sandbox_ehr.fhir import access
from sandbox_ehr.moods import Mood
from sandbox_ehr.settings import RegisteredApp
from sandbox_ehr.smart import people, tokens
from sandbox_ehr.smart.tokens import Launch, Session
from sandbox_ehr.state import running

auth = Blueprint("auth", __name__, template_folder="templates", static_folder="static")

_LONGEST_STATE = 2000


class AuthorizationRefused(Exception):
    """An authorization request from which nobody may be sent back: the address is not trusted."""


@auth.route("/authorize", methods=["GET", "POST"])
def authorize() -> AnyResponse:
    """Lets an app in: at once when this EHR launched it, else after somebody signed in."""
    asked = _asked()
    client = _client_of(asked)
    try:
        session = _session(asked, client)
        if session is None:
            return _page(asked, client)
        return _sent_back(asked, session)
    except OAuth2Error as error:
        return _error_sent_back(asked, error)


@auth.post("/token")
def token() -> AnyResponse:
    """A code, a refresh token or a signed assertion for an access token."""
    it = running()
    code = it.smart.codes.peek(request.form.get("code", ""))
    refreshed = it.tokens.peek_refresh(request.form.get("refresh_token", ""))
    moods_ = it.settings.moods | (code.session.moods if code else frozenset())
    if refreshed:
        moods_ |= refreshed.moods
        _fail(moods_, _AT_REFRESH)
    _fail(moods_, _AT_TOKEN)
    answer: AnyResponse = it.smart.create_token_response()
    return answer


@auth.post("/introspect")
def introspect() -> AnyResponse:
    answer: AnyResponse = running().smart.create_endpoint_response("introspection")
    return answer


@auth.post("/revoke")
def revoke() -> AnyResponse:
    answer: AnyResponse = running().smart.create_endpoint_response("revocation")
    return answer


@auth.get("/jwks")
def jwks() -> AnyResponse:
    """The public key that id_tokens are signed with."""
    keys = {"keys": [running().smart.key.as_dict(private=False)]}
    headers = {"Cache-Control": "max-age=3600"}
    return Response(json.dumps(keys), content_type="application/json", headers=headers)


@auth.get("/launch")
def launch() -> AnyResponse:
    """Opens an app as the EHR does: `?client_id=&patient=`, with `&fault=` trouble on purpose."""
    it = running()
    client = it.settings.client(request.args.get("client_id", ""))
    if client is None or not client.launch_url:
        raise AuthorizationRefused(
            "No app with a launch address is registered under this client_id."
        )
    try:
        wanted = frozenset(moods.named(name) for name in request.args.getlist("fault"))
        if any(mood.of_answers for mood in wanted):
            raise ValueError("a mood of the FHIR server is not one launch's: start with it")
    except ValueError as error:
        raise AuthorizationRefused(f"{str(error).capitalize()}.") from None
    names = ("patient", "encounter", "user")
    patient, encounter, user = (request.args.get(name, "")[:500] for name in names)
    if it.records.read("Patient", patient) is None:
        raise AuthorizationRefused("No patient here has this id: give one as ?patient=.")
    token = it.launches.new(
        patient,
        encounter,
        user or people.default(it.records),
        request.args.get("appContext", "")[:4000],
        client_id=client.id,
        moods=wanted,
        intent=request.args.get("intent", "")[:100],
    )
    query = [("iss", it.settings.fhir_base), ("launch", token)]
    return redirect(add_params_to_uri(client.launch_url, query))


# ---------------------------------------------------------------- authorize


def _asked() -> dict[str, str]:
    """The parameters of the authorization request, each once. A form of ours keeps them in its
    address; an app that posts (capability authorize-post) has them in its body."""
    own_form = request.method == "POST" and bool(request.args)
    given = request.args if own_form or request.method == "GET" else request.form
    repeated = [name for name in given if len(given.getlist(name)) > 1]
    if repeated:
        raise AuthorizationRefused(
            "The app's request says something twice, so it is not clear what it wants."
        )
    return given.to_dict()


def _client_of(asked: dict[str, str]) -> RegisteredApp:
    """The app that asks, when it and the address to send it back to are registered."""
    it = running()
    client = it.settings.client(asked.get("client_id", ""))
    if client is None or Mood.AUTH_INVALID_CLIENT_ID in it.settings.moods:
        raise AuthorizationRefused("No app is registered under this client_id.")
    said = asked.get("redirect_uri", "")
    if said not in client.redirect_uris or Mood.AUTH_INVALID_REDIRECT_URI in it.settings.moods:
        raise AuthorizationRefused(
            "The app's redirect_uri is not, letter by letter, one it registered."
        )
    if len(asked.get("state", "")) > _LONGEST_STATE:
        raise AuthorizationRefused("The app's state is longer than 2000 characters.")
    return client


def _session(asked: dict[str, str], client: RegisteredApp) -> Session | None:
    """What is granted; None while somebody has to be asked. Raises OAuth2Error."""
    it = running()
    if asked.get("response_type") != "code":
        raise InvalidRequestError("response_type is code")
    if asked.get("aud", "").rstrip("/") != it.settings.fhir_base:
        raise InvalidRequestError("aud is not the address of this FHIR server")
    if not asked.get("state"):
        raise InvalidRequestError("state is required")
    may = access.granted(asked.get("scope", ""), client.scope)
    if not may:
        raise InvalidScopeError("none of the scopes can be granted to this client")
    return _of_launch(asked["launch"], client, may) if "launch" in asked else _of_form(may)


def _of_launch(token: str, client: RegisteredApp, scope: str) -> Session:
    it = running()
    launch = it.launches.peek(token)
    if launch is None or launch.client_id not in ("", client.id):
        raise InvalidRequestError("launch is not known here, has expired, or is another app's")
    if "launch" not in scope.split():
        raise InvalidScopeError("an EHR launch asks for the scope launch")
    _fail(launch.moods | it.settings.moods, _AT_AUTHORIZATION)
    session = tokens.of_launch(launch, _scope(scope, launch), it.settings.tenant)
    return session if session.user else replace(session, user=people.default(it.records))


def _scope(scope: str, launch: Launch) -> str:
    trouble = launch.moods | running().settings.moods
    return access.without_writing(scope) if Mood.NO_WRITE_SCOPES in trouble else scope


def _of_form(scope: str) -> Session | None:
    """What the person at our own page said; None before they were asked."""
    it = running()
    _fail(it.settings.moods, _AT_AUTHORIZATION)
    said = request.form
    if request.method != "POST" or "answer" not in said:
        return None
    if said["answer"] != "allow":
        raise AccessDeniedError()
    user, patient = said.get("user", ""), said.get("patient", "")
    kept = " ".join(word for word in scope.split() if word in said.getlist("allowed"))
    if user not in {person.reference for person in people.staff(it.records)}:
        raise InvalidRequestError("nobody is signed in")
    wants_patient = people.needs_patient(kept)
    if wants_patient and it.records.read("Patient", patient) is None:
        raise InvalidRequestError("no patient was chosen")
    if not kept:
        raise AccessDeniedError()
    plain = Launch(patient if wants_patient else "", user=user)
    return tokens.of_launch(plain, _scope(kept, plain), it.settings.tenant)


def _sent_back(asked: dict[str, str], session: Session) -> AnyResponse:
    """To the app with a code, through Authlib's own checks. A launch is good for one of them."""
    server = running().smart
    grant = server.get_consent_grant(end_user=session)
    if "launch" in asked and running().launches.redeem(asked["launch"]) is None:
        raise InvalidRequestError("launch was used at the same time elsewhere")
    response: AnyResponse = server.create_authorization_response(grant=grant, grant_user=session)
    if Mood.AUTH_WRONG_STATE in server.moods_of(session):
        parts = urlsplit(response.headers["Location"])
        query = dict(parse_qsl(parts.query)) | {"state": secrets.token_urlsafe(8)}
        response.headers["Location"] = parts._replace(query=urlencode(query)).geturl()
    return response


def _error_sent_back(asked: dict[str, str], error: OAuth2Error) -> AnyResponse:
    said = [("error", error.error), ("error_description", error.description or "")]
    if asked.get("state"):
        said.append(("state", asked["state"]))
    said.append(("iss", running().settings.fhir_base))
    return redirect(add_params_to_uri(asked["redirect_uri"], said))


def _page(asked: dict[str, str], client: RegisteredApp) -> AnyResponse:
    """Sign in, choose a patient, agree."""
    it = running()
    may = access.granted(asked["scope"], client.scope)
    text = render_template(
        "smart/authorize.html",
        ehr=it.settings.name,
        app=client.name,
        people=people.staff(it.records),
        patients=people.patients(it.records) if people.needs_patient(may) else [],
        scopes=people.scope_requests(may),
        action="?" + urlencode(asked),
    )
    back = urlsplit(asked["redirect_uri"])
    return _html(text, 200, f"{back.scheme}://{back.netloc}")


# ---------------------------------------------------------------- answers


@auth.errorhandler(AuthorizationRefused)
def refused(error: AuthorizationRefused) -> AnyResponse:
    """Nobody is sent anywhere: where to is not known for sure (RFC 6749, 4.1.2.1)."""
    it = running()
    text = render_template("smart/refused.html", ehr=it.settings.name, why=str(error))
    return _html(text, 400)


@auth.errorhandler(OAuth2Error)
def oauth_error(error: OAuth2Error) -> AnyResponse:
    answer: AnyResponse = running().smart.handle_error_response(None, error)
    return answer


@auth.errorhandler(ValueError)
def unreadable(error: ValueError) -> AnyResponse:
    """Bytes that are no text, or characters that an OAuth error must not repeat."""
    answer: AnyResponse = running().smart.handle_error_response(
        None, InvalidRequestError("the request cannot be read")
    )
    return answer


@auth.after_request
def headers(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.endpoint in ("auth.token", "auth.jwks", "auth.introspect", "auth.revoke"):
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
    return response


def _html(text: str, status: int, form_action: str = "") -> Response:
    response = Response(text, status, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'self'; form-action 'self' {form_action}".strip()
    )
    return response


# ---------------------------------------------------------------- moods


def _wrong_client(words: str) -> OAuth2Error:
    return InvalidClientError(words, status_code=401)


_Errors = dict[Mood, tuple[Callable[[str], OAuth2Error], str]]

_AT_AUTHORIZATION: _Errors = {
    Mood.AUTH_INVALID_SCOPE: (InvalidScopeError, "the scope is not valid"),
    Mood.AUTH_ACCESS_DENIED: (AccessDeniedError, "access was denied"),
}
_AT_REFRESH: _Errors = {
    Mood.TOKEN_EXPIRED_REFRESH_TOKEN: (InvalidGrantError, "the refresh token has expired")
}
_AT_TOKEN: _Errors = {
    Mood.AUTH_INVALID_CLIENT_SECRET: (_wrong_client, "wrong client secret"),
    Mood.TOKEN_INVALID_TOKEN: (InvalidGrantError, "the token is not valid"),
    Mood.TOKEN_EXPIRED_REGISTRATION_TOKEN: (_wrong_client, "the client assertion has expired"),
    Mood.TOKEN_INVALID_SCOPE: (InvalidScopeError, "the scope is not valid"),
    Mood.TOKEN_INVALID_JTI: (_wrong_client, "the jti was used before"),
}


def _fail(moods_: frozenset[Mood], errors: _Errors) -> None:
    """Raises the OAuth2Error of the first of these moods, if any."""
    for mood, (error, words) in errors.items():
        if mood in moods_:
            raise error(f"simulated: {words}")
