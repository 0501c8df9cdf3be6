"""Hook requests whose every word about a person is a canary: wherever one turns up, it leaked.

Ids, names, dates, addresses, numbers, tokens and free text become words with "zqzq" in them, which
no program, code or catalogue has. Codes, units and amounts stay, so that the rules still speak.
"""

from __future__ import annotations

import json
import re
from typing import Any

CANARY = "zqzq"
BIRTH = "1931-02-27"
TOKEN = "zqzqtoken.zqzqtoken.zqzqtoken"
EHR = "http://127.0.0.1:9/zqzqbase"  # nobody listens on port 9
QUERY = "?patient=zqzqquery&user=zqzqquery"
HEADERS = {
    "Authorization": f"Bearer {TOKEN}",
    "Cookie": "session=zqzqcookie",
    "Origin": "https://zqzqorigin.example",
    "Referer": "https://zqzqreferer.example/Patient/zqzq",
    "User-Agent": "zqzqagent",
    "X-Forwarded-For": "zqzqforwarded",
}
_TEXTS = {
    "display",
    "text",
    "div",
    "description",
    "patientInstruction",
    "lotNumber",
    "subscriberId",
    "comment",
    "valueString",
}
_PERSON = {
    "name": [{"family": "Zqzqfamily", "given": ["Zqzqgiven"], "text": "Zqzqgiven Zqzqfamily"}],
    "birthDate": BIRTH,
    "telecom": [{"system": "phone", "value": "555-zqzqphone"}],
    "address": [{"line": ["1 Zqzqstreet"], "city": "Zqzqtown", "postalCode": "zqzq123"}],
}


def planted(body: dict[str, Any]) -> dict[str, Any]:
    """`body` with canaries in place of the person, and more of them where a chart has text."""
    body = _texts(json.loads(json.dumps(body)))
    text = json.dumps(body)
    for number, id_ in enumerate(sorted(_ids(body), key=len, reverse=True)):
        text = re.sub(rf'(?<=["/]){re.escape(id_)}(?=["/|])', f"zqzqid{number}", text)
    body = json.loads(text)
    body["context"] = {**body["context"], "userId": "Practitioner/zqzquser"}
    if body["context"].get("encounterId"):
        body["context"]["encounterId"] = "zqzqencounter"
    body["extension"] = {"org.example": {"patient": "zqzqextension"}}
    body["fhirServer"] = EHR
    body["fhirAuthorization"] = {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read zqzqscope",
        "subject": "zqzqsubject",
        "patient": body["context"].get("patientId", ""),
    }
    return body


def _texts(node: Any) -> Any:
    if isinstance(node, list):
        return [_texts(member) for member in node]
    if not isinstance(node, dict):
        return node
    marked = {key: _marked(key, value) for key, value in node.items()}
    if isinstance(node.get("resourceType"), str) and node["resourceType"] != "Bundle":
        marked |= {
            "text": {"status": "generated", "div": "<div>zqzqnarrative</div>"},
            "note": [{"text": "zqzqnote", "authorString": "zqzqauthor"}],
            "meta": {"source": "urn:zqzqsource"},
        }
        marked.setdefault("identifier", [{"system": "urn:zqzqsystem", "value": "zqzqidentifier"}])
    return marked | (_PERSON if node.get("resourceType") == "Patient" else {})


def _marked(key: str, value: Any) -> Any:
    if key in _TEXTS and isinstance(value, str) and value:
        return f"{value} zqzqtext"
    return _texts(value)


def _ids(node: Any) -> set[str]:
    """Every id of a resource, and the patient's."""
    if isinstance(node, list):
        return set().union(*map(_ids, node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*map(_ids, node.values()))
    named = [node.get("id")] if "resourceType" in node else []
    named.append(node.get("patientId"))
    bare = {id_.removeprefix("Patient/") for id_ in named if isinstance(id_, str)}
    return found | {id_ for id_ in bare if len(id_) > 2}


def leaks(text: str | bytes) -> list[str]:
    """Every canary in `text`, with a little of what stands around it."""
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return [
        said[max(0, found.start() - 30) : found.end() + 20]
        for found in re.finditer(f"{CANARY}|{BIRTH}", said, re.IGNORECASE)
    ]
