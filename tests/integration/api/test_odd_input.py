"""Every operation of the OpenAPI document with values that nobody meant: always a sentence, never a failure."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.api.conftest import Street

ODD_TEXTS = ("", "a\0b", "\ud800", "'; DROP TABLE person; --", "../../etc/passwd", "9" * 30, "²", "x" * 3000)
ODD_VALUES: tuple[Any, ...] = (*ODD_TEXTS, None, -1, 10**40, [], 1e400)
SIGN_IN = ("/api/v1/session", "/api/v1/session/link")  # limited to sixty tries
ODD_TIMES = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "2026-02-30T00:00:00Z")


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _sample(schema: dict[str, Any]) -> Any:
    """A value that the schema allows, so that only one thing is odd at a time."""
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0])
    if schema.get("format") == "uuid":
        return str(uuid.uuid4())
    if schema.get("format") == "date-time":
        return "2026-01-01T00:00:00Z"
    return {"integer": 1, "number": 1.0, "boolean": True}.get(schema.get("type", ""), "temperature")


def _body(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any] | None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if content is None:
        return None
    schema = content if "$ref" in content else next(part for part in content["anyOf"] if "$ref" in part)
    shape = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return {name: _sample(part) for name, part in shape["properties"].items()}


def _requests(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str], Any]]:
    for method, path, operation in _operations(document):
        slots = [slot for slot in operation.get("parameters", []) if slot["in"] in ("path", "query")]
        usual = {slot["name"]: str(_sample(slot["schema"])) for slot in slots}
        body = _body(document, operation)
        if path == "/api/v1/stream" or (method, path) == ("DELETE", "/api/v1/session"):
            continue
        for slot in slots:
            for odd in ODD_TIMES if "date-time" in str(slot["schema"]) else ODD_TEXTS:
                yield method, path, usual | {slot["name"]: odd}, body
        for name in body or {}:
            for value in ODD_VALUES:
                yield method, path, usual, {**(body or {}), name: value}
        yield method, path, usual, body


def _send(client: httpx.Client, method: str, path: str, given: dict[str, str], body: Any) -> httpx.Response:
    query = {}
    for name, value in given.items():
        plain = value.encode("utf-8", "replace").decode()
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", httpx.URL("/", params={"v": plain}).query.decode().partition("=")[2])
        else:
            query[name] = plain
    content = None if body is None else json.dumps(body)
    headers = {} if body is None else {"Content-Type": "application/json"}
    return client.request(method, path, params=query, content=content, headers=headers)


@pytest.mark.parametrize("login", ["chenjing", "liming"])
def test_no_operation_fails_whatever_it_is_given(served: Street, login: str) -> None:
    served.observe("smoke-502", {"smoke": True})
    with served.signed_in(login) as client:
        document = client.get("/openapi.json").json()
        tried: set[str] = set()
        for number, (method, path, given, body) in enumerate(_requests(document)):
            if number % 500 == 499:  # six hundred a minute are a person's share
                assert served.services is not None
                served.services.per_person.forget(_id(client))
            answer = _send(client, method, path, given, body)
            what = (method, path, given, body, answer.text[:300])
            assert answer.status_code in (200, 401, 403, 404, 409, 415, 422) or path in SIGN_IN, what
            assert answer.status_code < 500, what
            if answer.status_code >= 400:
                assert set(answer.json()["error"]) == {"code", "params", "sentence"} or path == "/healthz", what
            tried.add(path)
        assert len(tried) > 15


def _id(client: httpx.Client) -> str:
    found: str = client.get("/api/v1/session").json()["person"]["id"]
    return found


def test_what_stands_in_headers_never_fails_a_request(served: Street) -> None:
    with served.signed_in("chenjing") as client:
        for number in (b"\xb2", b"1" * 5000, b"-1", b"", b"1e9"):
            with client.stream("GET", "/api/v1/stream", headers={b"Last-Event-ID": number}) as answer:
                assert answer.status_code == 200, number
        with client.stream("GET", "/api/v1/stream", params={"after": "9" * 30}) as answer:
            assert any(line == "event: reset" for line in answer.iter_lines())
        for origin in ("http://[", "null", "http://evil.example", "", "http://"):
            answer = client.post("/api/v1/incidents/1/notes", json={"note": "x"}, headers={"Origin": origin})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cloud.request.origin"), origin
        for content in (b"[" * 30_000, b"\xff\xfe", b'{"note": ' + b"1" * 6000 + b"}", b'{"note": "\\ud800"}', b"null"):
            headers = {"Content-Type": "application/json"}
            answer = client.post("/api/v1/incidents/1/notes", content=content, headers=headers)
            assert 400 <= answer.status_code < 500, content[:20]
            assert answer.json()["error"]["sentence"], content[:20]
