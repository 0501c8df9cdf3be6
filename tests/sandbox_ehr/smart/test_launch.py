"""Letting an app in: what is asked of it, and what it is told (SMART App Launch 2.2)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask
from joserfc import jwt
from joserfc.jwk import KeySet

from sandbox_ehr.settings import RegisteredApp
from sandbox_ehr.smart.tokens import LAUNCH_SECONDS, Launches
from tests.sandbox_ehr.conftest import (
    ADA,
    BACK,
    BASE,
    FHIR,
    LAUNCH,
    PUBLIC,
    SECRET,
    SIGNING,
    inside,
)
from tests.sandbox_ehr.launching import (
    SCOPE,
    STATE,
    VERIFIER,
    authorized,
    basic,
    code_of,
    exchange,
    launched,
    request_of,
    sent_back,
    signed,
    token_of,
)

IMOGEN = "Practitioner/prac-imogen-hartwell"
STANDALONE = "launch/patient openid fhirUser patient/*.rs"


def exchanged(app: Flask, client: RegisteredApp, code: str, **changes: Any) -> Any:
    """The token response, asked for as this kind of client does."""
    http = app.test_client()
    how: dict[str, Any] = {"headers": basic(client)} if client is SECRET else {}
    own = {PUBLIC.id: {"client_id": client.id}, SIGNING.id: signed(client)}.get(client.id, {})
    body = exchange(code, client_id=None, **changes) | own
    return http.post("/auth/token", data=body, **how)


# ---------------------------------------------------------------- discovery


def test_the_discovery_document_says_what_is_there(app: Flask) -> None:
    response = app.test_client().get("/fhir/.well-known/smart-configuration")
    assert response.headers["Content-Type"] == "application/json"
    said = response.json
    assert said["issuer"] == FHIR
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert set(said["token_endpoint_auth_methods_supported"]) == {
        "none",
        "client_secret_basic",
        "private_key_jwt",
    }
    http = app.test_client()
    for name in (
        "jwks_uri",
        "authorization_endpoint",
        "token_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
    ):
        assert said[name].startswith(f"{BASE}/auth/")
        assert http.get(said[name]).status_code != 404
    assert http.get("/fhir/.well-known/openid-configuration").json["jwks_uri"] == said["jwks_uri"]


def test_keys_are_published_without_their_private_parts(app: Flask) -> None:
    (key,) = app.test_client().get("/auth/jwks").json["keys"]
    assert set(key) == {"kty", "n", "e", "use", "alg", "kid"}


# ---------------------------------------------------------------- EHR launch


@pytest.mark.parametrize("client", [PUBLIC, SECRET, SIGNING], ids=lambda c: c.id)
def test_an_ehr_launch_gives_each_kind_of_client_its_context(
    app: Flask, client: RegisteredApp
) -> None:
    code = code_of(
        app,
        client,
        f"{SCOPE} offline_access",
        encounter_id="enc-1",
        app_context='{"v":1}',
        intent="billing-review",
        need_patient_banner=False,
        fhir_context=({"reference": "MedicationRequest/1"},),
    )
    response = exchanged(app, client, code)
    assert response.status_code == 200, response.text
    assert response.headers["Cache-Control"] == "no-store"
    said = response.json
    assert said["token_type"] == "Bearer" and said["expires_in"] == 3600
    assert (said["patient"], said["encounter"]) == (ADA, "enc-1")
    assert said["appContext"] == '{"v":1}' and said["intent"] == "billing-review"
    assert said["need_patient_banner"] is False and said["tenant"] == "hollow-creek"
    assert said["fhirContext"] == [{"reference": "MedicationRequest/1"}]
    assert said["scope"] == f"{SCOPE} offline_access" and said["refresh_token"]
    head = {"Authorization": f"Bearer {said['access_token']}"}
    http = app.test_client()
    assert http.get(f"/fhir/Patient/{ADA}", headers=head).status_code == 200
    assert http.get(f"/fhir/Condition?patient={ADA}", headers=head).status_code == 403


def test_the_id_token_says_who_is_signed_in(app: Flask) -> None:
    code = sent_back(authorized(app.test_client(), request_of(launch=launched(app), nonce="n-42")))[
        "code"
    ]
    said = app.test_client().post("/auth/token", data=exchange(code)).json
    keys = KeySet.import_key_set(app.test_client().get("/auth/jwks").json)
    token = jwt.decode(said["id_token"], keys, algorithms=["RS256"])
    assert token.header["kid"] == keys.keys[0].kid
    claims = token.claims
    assert claims["iss"] == FHIR and claims["aud"] == [PUBLIC.id] and claims["nonce"] == "n-42"
    assert claims["fhirUser"] == f"{FHIR}/{IMOGEN}"
    assert claims["name"] == "Hartwell, Imogen"
    assert 0 < len(claims["sub"]) <= 255 and claims["exp"] > claims["iat"]


def test_without_openid_there_is_no_id_token_and_without_fhiruser_no_person(app: Flask) -> None:
    assert "id_token" not in token_of(app, "launch patient/Patient.rs")
    said = token_of(app, "launch openid patient/Patient.rs")
    keys = KeySet.import_key_set(app.test_client().get("/auth/jwks").json)
    assert "fhirUser" not in jwt.decode(said["id_token"], keys, algorithms=["RS256"]).claims


def test_without_a_scope_for_it_there_is_no_refresh_token(app: Flask) -> None:
    assert "refresh_token" not in token_of(app)
    assert token_of(app, f"{SCOPE} online_access")["refresh_token"]


def test_scopes_are_narrowed_to_what_the_client_may_have(make: Any) -> None:
    narrow = replace(PUBLIC, scope="launch openid patient/Observation.rs")
    app = make(clients=(narrow,))
    said = token_of(app, "launch openid fhirUser patient/Observation.cruds user/*.read")
    assert said["scope"] == "launch openid patient/Observation.rs"
    old = token_of(app, "launch patient/Observation.*")
    assert old["scope"] == "launch patient/Observation.read"


def test_a_launch_is_good_once_and_for_its_app(app: Flask) -> None:
    http, token = app.test_client(), launched(app)
    assert "code" in sent_back(authorized(http, request_of(launch=token)))
    assert sent_back(authorized(http, request_of(launch=token)))["error"] == "invalid_request"
    others = launched(app, client_id=SECRET.id)
    assert sent_back(authorized(http, request_of(launch=others)))["error"] == "invalid_request"
    assert "code" in sent_back(authorized(http, request_of(SECRET, launch=others)))


def test_a_failed_try_does_not_use_the_launch_up(app: Flask) -> None:
    http, token = app.test_client(), launched(app)
    failed = sent_back(authorized(http, request_of(launch=token, code_challenge=None)))
    assert failed["error"] == "invalid_request"
    assert "code" in sent_back(authorized(http, request_of(launch=token)))


def test_a_launch_ends_after_ten_minutes() -> None:
    now = [0.0]
    launches = Launches(lambda: now[0])
    token = launches.new(ADA)
    now[0] = LAUNCH_SECONDS - 1
    assert launches.peek(token) is not None
    now[0] = LAUNCH_SECONDS
    assert launches.peek(token) is None and launches.redeem(token) is None


def test_the_launch_address_opens_the_app_as_the_ehr_does(app: Flask) -> None:
    response = app.test_client().get(
        f"/auth/launch?client_id={PUBLIC.id}&patient={ADA}&appContext=x"
    )
    address = response.headers["Location"]
    assert address.partition("?")[0] == LAUNCH
    said = dict(parse_qsl(urlsplit(address).query))
    assert said["iss"] == FHIR
    launch = inside(app).launches.peek(said["launch"])
    assert launch is not None and (launch.patient_id, launch.app_context) == (ADA, "x")
    assert launch.user.startswith("Practitioner/")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "client_id=x",
        f"client_id={PUBLIC.id}",
        "client_id=%00",
        f"client_id={PUBLIC.id}&patient=nobody",
        f"client_id={PUBLIC.id}&patient={ADA}&fault=nonsense",
    ],
)
def test_a_launch_of_nothing_is_refused_on_a_page(app: Flask, query: str) -> None:
    response = app.test_client().get(f"/auth/launch?{query}")
    assert response.status_code == 400
    assert "<h1>The app was not let in</h1>" in response.text


# ---------------------------------------------------------------- what is asked of the request


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "unknown"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": BACK + "/"},
        {"redirect_uri": BACK + "?x=1"},
        {"redirect_uri": BACK.upper()},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": '"><script>'},
        {"client_id": '"><script>alert(1)</script>'},
        {"state": "x" * 2001},
        {"redirect_uri": "http://127.0.0.1:9999/callback#x"},
    ],
)
def test_nobody_is_sent_where_it_is_not_sure(app: Flask, changes: dict[str, Any]) -> None:
    response = authorized(app.test_client(), request_of(**{"launch": launched(app), **changes}))
    assert response.status_code == 400
    assert "Location" not in response.headers
    assert "<script>" not in response.text and "evil.example" not in response.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"aud": "https://other.example/fhir"}, "invalid_request"),
        ({"aud": None}, "invalid_request"),
        ({"aud": BASE}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"response_type": "token"}, "invalid_request"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "ü" * 43}, "invalid_request"),
        ({"launch": "unknown"}, "invalid_request"),
        ({"launch": ""}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "nonsense"}, "invalid_scope"),
        ({"scope": "system/*.rs"}, "invalid_scope"),
        ({"scope": "openid patient/Patient.rs"}, "invalid_scope"),  # an EHR launch without launch
    ],
)
def test_the_app_is_told_what_was_wrong(app: Flask, changes: dict[str, Any], error: str) -> None:
    asked = request_of(**{"launch": launched(app), **changes})
    back = sent_back(authorized(app.test_client(), asked))
    assert back["error"] == error and "code" not in back
    assert back.get("state") == asked.get("state")
    assert back["iss"] == FHIR


def test_a_slash_after_the_audience_does_no_harm(app: Flask) -> None:
    asked = request_of(launch=launched(app), aud=FHIR + "/")
    assert "code" in sent_back(authorized(app.test_client(), asked))


def test_state_comes_back_letter_by_letter(app: Flask) -> None:
    state = "a b+c&d=e%20/é\"'"
    back = sent_back(authorized(app.test_client(), request_of(launch=launched(app), state=state)))
    assert back["state"] == state


def test_the_answer_says_whose_it_is(app: Flask) -> None:
    assert sent_back(authorized(app.test_client(), request_of(launch=launched(app))))["iss"] == FHIR


def test_a_parameter_said_twice_is_refused(app: Flask) -> None:
    asked = [*request_of(launch=launched(app)).items(), ("scope", "patient/*.cruds")]
    response = app.test_client().get("/auth/authorize", query_string=asked)  # type: ignore[arg-type]
    assert response.status_code == 400


def test_an_app_may_post_its_request(app: Flask) -> None:
    response = app.test_client().post("/auth/authorize", data=request_of(launch=launched(app)))
    assert "code" in sent_back(response)


# ---------------------------------------------------------------- standalone


def test_a_standalone_launch_asks_who_which_patient_and_whether(app: Flask) -> None:
    response = authorized(app.test_client(), request_of(scope=STANDALONE))
    assert response.status_code == 200
    for words in (
        "Let Public app in?",
        "Hartwell, Imogen",
        "Winterbourne, Ada",
        "patient/*.rs",
        "Read and search everything of this patient",
    ):
        assert words in response.text
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'self'" in policy
    assert "form-action 'self' http://127.0.0.1:9999" in policy


def answered(app: Flask, scope: str = STANDALONE, allowed: Any = None, **said: Any) -> Any:
    form = {
        "answer": "allow",
        "user": IMOGEN,
        "patient": ADA,
        "allowed": (allowed or scope).split(),
        **said,
    }
    form = {name: value for name, value in form.items() if value is not None}
    return app.test_client().post(
        "/auth/authorize", query_string=request_of(scope=scope), data=form
    )


def test_who_agrees_gives_the_app_that_patient(app: Flask) -> None:
    back = sent_back(answered(app))
    assert back["state"] == STATE
    said = app.test_client().post("/auth/token", data=exchange(back["code"])).json
    assert said["patient"] == ADA and said["scope"] == STANDALONE
    assert "appContext" not in said


def test_a_scope_that_was_unticked_is_not_granted(app: Flask) -> None:
    back = sent_back(answered(app, allowed="launch/patient patient/*.rs"))
    said = app.test_client().post("/auth/token", data=exchange(back["code"])).json
    assert said["scope"] == "launch/patient patient/*.rs" and "id_token" not in said


def test_nobody_can_tick_what_was_not_asked_for(app: Flask) -> None:
    back = sent_back(answered(app, allowed=f"{STANDALONE} user/*.cruds"))
    said = app.test_client().post("/auth/token", data=exchange(back["code"])).json
    assert said["scope"] == STANDALONE


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"answer": "deny"}, "access_denied"),
        ({"answer": ""}, "access_denied"),
        ({"user": "Practitioner/nobody"}, "invalid_request"),
        ({"user": None}, "invalid_request"),
        ({"user": f"Patient/{ADA}"}, "invalid_request"),
        ({"patient": None}, "invalid_request"),
        ({"patient": "nobody"}, "invalid_request"),
        ({"patient": "../x"}, "invalid_request"),
        ({"allowed": "nothing"}, "access_denied"),
    ],
)
def test_who_does_not_agree_sends_the_app_back_empty(
    app: Flask, said: dict[str, Any], error: str
) -> None:
    back = sent_back(answered(app, **said))
    assert back["error"] == error and back["state"] == STATE


def test_an_app_for_staff_needs_no_patient(app: Flask) -> None:
    scope = "openid fhirUser user/*.rs"
    assert "Choose a patient" not in authorized(app.test_client(), request_of(scope=scope)).text
    back = sent_back(answered(app, scope, patient=None))
    said = app.test_client().post("/auth/token", data=exchange(back["code"])).json
    assert "patient" not in said


# ---------------------------------------------------------------- the code


def test_a_code_is_good_once_and_its_second_use_ends_the_first(app: Flask) -> None:
    code, http = code_of(app), app.test_client()
    said = http.post("/auth/token", data=exchange(code)).json
    head = {"Authorization": f"Bearer {said['access_token']}"}
    assert http.get(f"/fhir/Patient/{ADA}", headers=head).status_code == 200
    again = http.post("/auth/token", data=exchange(code))
    assert (again.status_code, again.json["error"]) == (400, "invalid_grant")
    assert http.get(f"/fhir/Patient/{ADA}", headers=head).status_code == 401


def test_a_code_ends_after_a_minute(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    code = code_of(app)
    codes = inside(app).smart.codes
    later = codes.now() + 60
    monkeypatch.setattr(codes, "_clock", lambda: later)
    response = app.test_client().post("/auth/token", data=exchange(code))
    assert (response.status_code, response.json["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"code_verifier": VERIFIER + "\n"}, "invalid_grant"),
        ({"redirect_uri": BACK + "/"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"code": "unknown"}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"client_id": None}, "invalid_client"),
        ({"client_id": "unknown"}, "invalid_client"),
        ({"client_id": SECRET.id}, "invalid_client"),  # a confidential client has to prove itself
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": None}, "unsupported_grant_type"),
        ({"grant_type": 'implicit"<>'}, "unsupported_grant_type"),
    ],
)
def test_a_code_is_exchanged_with_everything_right_or_not_at_all(
    app: Flask, changes: dict[str, Any], error: str
) -> None:
    response = app.test_client().post("/auth/token", data=exchange(code_of(app), **changes))
    assert response.status_code in (400, 401)
    assert response.json["error"] == error, response.json
    assert "access_token" not in response.json


def test_a_code_of_another_app_is_not_used_up_by_a_thief(app: Flask) -> None:
    code = code_of(app, SECRET)
    assert exchanged(app, PUBLIC, code).json["error"] == "invalid_grant"
    assert exchanged(app, SECRET, code).status_code == 200


def test_tokens_come_by_post_alone(app: Flask) -> None:
    assert app.test_client().get("/auth/token", query_string=exchange("x")).status_code == 405


# ---------------------------------------------------------------- secrets and signatures


@pytest.mark.parametrize("secret", ["wrong", SECRET.secret[:-1], SECRET.secret + "x", "é"])
def test_a_wrong_secret_is_refused(app: Flask, secret: str) -> None:
    code = code_of(app, SECRET)
    response = app.test_client().post(
        "/auth/token", data=exchange(code, client_id=None), headers=basic(SECRET, secret)
    )
    assert (response.status_code, response.json["error"]) == (401, "invalid_client")
    assert exchanged(app, SECRET, code).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !!!",
        "Basic /////w==",
        "Basic eA==",
        "Basic Og==",
        "Bearer x",
        "Basic " + "A" * 9000,
    ],
)
def test_a_header_that_is_no_pair_is_refused(app: Flask, header: str) -> None:
    response = app.test_client().post(
        "/auth/token",
        data=exchange(code_of(app, SECRET), client_id=None),
        headers={"Authorization": header},
    )
    assert response.status_code in (400, 401), response.text
    assert response.json["error"] in ("invalid_client", "invalid_request")


def test_a_secret_in_the_body_is_not_taken(app: Flask) -> None:
    body = exchange(code_of(app, SECRET), client_id=SECRET.id, client_secret=SECRET.secret)
    assert app.test_client().post("/auth/token", data=body).json["error"] == "invalid_client"


@pytest.mark.parametrize("alg", ["RS384", "ES384"])
def test_a_signed_assertion_is_taken_in_both_algorithms(app: Flask, alg: str) -> None:
    body = exchange(code_of(app, SIGNING), client_id=None) | signed(SIGNING, alg=alg)
    assert app.test_client().post("/auth/token", data=body).status_code == 200


@pytest.mark.parametrize(
    "how",
    [
        {"aud": "https://other.example/token"},
        {"aud": FHIR},
        {"aud": None},
        {"iss": "other"},
        {"iss": None},
        {"sub": "other"},
        {"sub": None},
        {"sub": 5},
        {"sub": PUBLIC.id, "iss": PUBLIC.id},
        {"sub": SECRET.id, "iss": SECRET.id},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 2**40},
        {"jti": None},
        {"jti": 5},
        {"header": {"typ": "at+jwt"}},
        {"header": {"kid": None}},
        {"header": {"kid": "other"}},
        {"alg": "RS256"},
        {"alg": "PS384"},
    ],
    ids=str,
)
def test_an_assertion_with_one_thing_wrong_is_refused(app: Flask, how: dict[str, Any]) -> None:
    body = exchange(code_of(app, SIGNING), client_id=None) | signed(SIGNING, **how)
    response = app.test_client().post("/auth/token", data=body)
    assert response.status_code in (400, 401)
    assert response.json["error"] == "invalid_client"


@pytest.mark.parametrize(
    "text", ["", "x", "a.b.c", "e30.e30.", "." * 100, "é.é.é", "eyJhbGciOiJub25lIn0.e30."]
)
def test_what_is_no_assertion_is_refused(app: Flask, text: str) -> None:
    body = exchange(code_of(app, SIGNING), client_id=None) | signed(SIGNING)
    response = app.test_client().post("/auth/token", data=body | {"client_assertion": text})
    assert response.status_code in (400, 401) and response.json["error"] == "invalid_client"


def test_an_assertion_is_good_once(app: Flask) -> None:
    proof, http = signed(SIGNING), app.test_client()
    asked = {"grant_type": "client_credentials", "scope": "system/Observation.rs"}
    assert http.post("/auth/token", data=asked | proof).status_code == 200
    again = http.post("/auth/token", data=asked | proof)
    assert again.json["error"] == "invalid_client" and "used" in again.json["error_description"]


def test_a_backend_service_gets_system_scopes_for_five_minutes(app: Flask) -> None:
    http = app.test_client()
    asked = {"grant_type": "client_credentials", "scope": "system/Observation.rs"}
    said = http.post("/auth/token", data=asked | signed(SIGNING)).json
    assert said["expires_in"] == 300 and "refresh_token" not in said and "patient" not in said
    head = {"Authorization": f"Bearer {said['access_token']}"}
    assert http.get("/fhir/Observation?_count=1", headers=head).status_code == 200
    for scope in ("patient/*.rs", "system/Observation.cruds openid", "", "system/*.rs user/*.rs"):
        refused = http.post("/auth/token", data=asked | {"scope": scope} | signed(SIGNING))
        assert refused.json["error"] == "invalid_scope", scope
    for proof in ({"client_id": PUBLIC.id}, {}):
        assert "access_token" not in http.post("/auth/token", data=asked | proof).json


# ---------------------------------------------------------------- afterwards


def refreshed(app: Flask, token: str, **more: Any) -> Any:
    body = {"grant_type": "refresh_token", "refresh_token": token, "client_id": PUBLIC.id, **more}
    return app.test_client().post("/auth/token", data=body)


def test_every_refresh_token_is_used_once(app: Flask) -> None:
    first = token_of(app, f"{SCOPE} offline_access", app_context="x")
    second = refreshed(app, first["refresh_token"]).json
    assert second["patient"] == ADA and second["appContext"] == "x"
    assert second["scope"] == first["scope"]
    assert len({first["access_token"], second["access_token"]}) == 2
    third = refreshed(app, second["refresh_token"])
    assert third.status_code == 200
    # The stolen first one comes back: whoever has it, everything ends.
    assert refreshed(app, first["refresh_token"]).json["error"] == "invalid_grant"
    assert refreshed(app, third.json["refresh_token"]).json["error"] == "invalid_grant"
    head = {"Authorization": f"Bearer {third.json['access_token']}"}
    assert app.test_client().get(f"/fhir/Patient/{ADA}", headers=head).status_code == 401


def test_a_public_client_may_refresh_without_naming_itself(app: Flask) -> None:
    first = token_of(app, f"{SCOPE} offline_access")["refresh_token"]
    body = {"grant_type": "refresh_token", "refresh_token": first}
    second = app.test_client().post("/auth/token", data=body)
    assert second.status_code == 200 and second.json["patient"] == ADA
    assert app.test_client().post("/auth/token", data=body).status_code == 401  # used before
    ended = refreshed(app, second.json["refresh_token"])
    assert ended.json["error"] == "invalid_grant"


def test_a_refresh_may_ask_for_less_and_never_for_more(app: Flask) -> None:
    first = token_of(app, f"{SCOPE} offline_access")
    more = refreshed(app, first["refresh_token"], scope="patient/*.cruds")
    assert more.json["error"] == "invalid_scope"
    less = refreshed(app, first["refresh_token"], scope="patient/Patient.rs").json
    assert less["scope"] == "patient/Patient.rs"


def test_a_refresh_token_is_its_own_clients(app: Flask) -> None:
    first = token_of(app, f"{SCOPE} offline_access")
    body = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    stolen = app.test_client().post("/auth/token", data=body, headers=basic(SECRET))
    assert stolen.json["error"] == "invalid_grant"
    assert refreshed(app, first["refresh_token"]).status_code == 200


def test_introspection_tells_a_client_of_its_own_tokens(app: Flask) -> None:
    said = exchanged(app, SECRET, code_of(app, SECRET)).json
    http = app.test_client()

    def asked(token: str, **how: Any) -> Any:
        return http.post("/auth/introspect", data={"token": token}, **how)

    told = asked(said["access_token"], headers=basic(SECRET)).json
    assert told["active"] is True and told["client_id"] == SECRET.id
    assert (told["scope"], told["patient"]) == (SCOPE, ADA)
    assert told["fhirUser"] == f"{FHIR}/{IMOGEN}" and told["iss"] == FHIR
    assert told["exp"] - told["iat"] == 3600
    assert asked(token_of(app)["access_token"], headers=basic(SECRET)).json == {"active": False}
    assert asked("x", headers=basic(SECRET)).json == {"active": False}
    assert asked(said["access_token"]).status_code in (400, 401)
    assert asked(said["access_token"], headers=basic(SECRET, "wrong")).status_code == 401


def test_a_revoked_token_is_good_no_more(app: Flask) -> None:
    first = token_of(app, f"{SCOPE} offline_access")
    http = app.test_client()

    def revoke(token: str) -> int:
        body = {"token": token, "client_id": PUBLIC.id}
        return http.post("/auth/revoke", data=body).status_code

    head = {"Authorization": f"Bearer {first['access_token']}"}
    assert revoke("unknown") == 200
    assert http.get(f"/fhir/Patient/{ADA}", headers=head).status_code == 200
    assert revoke(first["access_token"]) == 200
    assert http.get(f"/fhir/Patient/{ADA}", headers=head).status_code == 401
    second = refreshed(app, first["refresh_token"]).json
    assert revoke(second["refresh_token"]) == 200
    head = {"Authorization": f"Bearer {second['access_token']}"}
    assert http.get(f"/fhir/Patient/{ADA}", headers=head).status_code == 401


def test_a_token_is_revoked_by_its_own_client_alone(app: Flask) -> None:
    first, http = token_of(app), app.test_client()
    http.post("/auth/revoke", data={"token": first["access_token"]}, headers=basic(SECRET))
    head = {"Authorization": f"Bearer {first['access_token']}"}
    assert http.get(f"/fhir/Patient/{ADA}", headers=head).status_code == 200


def test_no_token_stands_in_what_the_server_keeps(app: Flask) -> None:
    said = token_of(app, f"{SCOPE} offline_access")
    tokens = inside(app).tokens
    kept = json.dumps([list(tokens._access), list(tokens._refresh), list(tokens._used)])
    assert said["access_token"] not in kept and said["refresh_token"] not in kept
    assert len(list(tokens._access)) == 1
