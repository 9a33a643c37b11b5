"""The page's server over real sockets: what it answers, what it refuses, and that nobody can hold it."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser

import pytest

from edge.doctor.checks import Check, Diagnosis, Grade
from edge.page.server import WORKERS, PageServer, Request
from edge.page.site import StatusSite, spoken
from tests.services.ports import free_port

WRONG = Check(
    name="bus/<b>", grade=Grade.WRONG, code="edge.doctor.bus-unusable", data={"family": "<script>", "error": "&"}
)


def diagnose() -> Diagnosis:
    return Diagnosis(group="peach-garden", node="gw-1", name="桃园 1", at_ms=0, running=True, checks=(WRONG,))


@pytest.fixture
def port() -> Iterator[int]:
    port = free_port()
    server = PageServer("127.0.0.1", port, StatusSite(diagnose, "127.0.0.1"))
    server.start()
    with closing(server):
        end = time.monotonic() + 20
        while server.address is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        yield port


def ask(port: int, request: bytes) -> tuple[str, dict[str, str], str]:
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.settimeout(20)
        client.sendall(request)
        received = b""
        while chunk := client.recv(65536):
            received += chunk
    head, _, body = received.decode().partition("\r\n\r\n")
    first, *rest = head.split("\r\n")
    return first, dict(line.split(": ", 1) for line in rest), body


def get(
    port: int, path: str = "/", *headers: str, host: str = "127.0.0.1", method: str = "GET"
) -> tuple[str, dict[str, str], str]:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    return ask(port, ("\r\n".join(lines) + "\r\n\r\n").encode())


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_the_page_speaks_the_browsers_language_and_escapes(port: int) -> None:
    status, headers, body = get(port, "/", "Accept-Language: fr, zh-CN;q=0.9, en;q=0.8")
    assert status == "HTTP/1.1 200 OK"
    assert headers["Content-Language"] == "zh-CN"
    assert "有故障" in body
    assert "&lt;script&gt;" in body
    tags = Tags()
    tags.feed(body)
    assert "script" not in {tag for tag, _ in tags.seen}
    assert not [name for _, given in tags.seen for name in given if name == "style" or name.startswith("on")]
    assert get(port, "/?lang=en", "Accept-Language: zh")[1]["Content-Language"] == "en"
    assert get(port)[1]["Content-Language"] == "en"


def test_headers_forbid_what_the_page_does_not_need(port: int) -> None:
    for path in ("/", "/style.css", "/status.json", "/nothing"):
        headers = get(port, path)[1]
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_the_same_as_json(port: int) -> None:
    found = json.loads(get(port, "/status.json")[2])
    assert (found["grade"], found["gateway"]["node"], len(found["checks"])) == ("wrong", "gw-1", 1)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\n\r\n", 421),
        (b"GET /../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1:8790\r\n\r\n", 404),
        (b"GET http://x/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 9000 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_refused(port: int, request_: bytes, status: int) -> None:
    assert ask(port, request_[:8192])[0].split()[1] == str(status)


def test_head_has_no_body(port: int) -> None:
    status, headers, body = get(port, method="HEAD")
    assert (status, body) == ("HTTP/1.1 200 OK", "")
    assert int(headers["Content-Length"]) > 1000


def test_who_says_nothing_cannot_hold_the_page(port: int) -> None:
    idle = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(WORKERS)]
    try:
        assert get(port)[0] == "HTTP/1.1 200 OK", "they lose their connection, and others are answered"
        for one in idle:
            one.settimeout(20)
            assert one.recv(1) == b""
    finally:
        for one in idle:
            one.close()


def test_an_address_that_is_taken_is_tried_again(port: int) -> None:
    second = PageServer("127.0.0.1", port, StatusSite(diagnose, "127.0.0.1"))
    second.start()
    with closing(second):
        assert get(port)[0] == "HTTP/1.1 200 OK"
        assert second.address is None


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "en"), ("zh", "zh-CN"), ("zh-TW,en;q=0.5", "zh-CN"), ("en;q=0.5,zh;q=0.4", "en"), ("zh;q=0,de", "en")],
)
def test_languages(accepted: str, language: str) -> None:
    assert spoken(Request(path="/", query="", headers={"accept-language": accepted})) == language


def test_the_identity_stands_there_as_a_code(port: int) -> None:
    body = get(port)[2]
    assert "liandong:peach-garden/gw-1" in body
    assert re.search(r'<path d="M0 0h7v1H0z', body)
