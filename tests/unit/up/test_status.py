"""What `liandong status` makes of the cloud's own word, which a service that is not well gives with 503."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest

from liandong.language import speaker
from liandong.status import _workers


class Health(BaseHTTPRequestHandler):
    said: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()
        self.wfile.write(json.dumps(self.said).encode())

    def log_message(self, *_: Any) -> None:
        """Not to the terminal."""


@pytest.fixture
def cloud() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Health)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_workers_are_told_of_just_when_the_cloud_is_not_well(cloud: str) -> None:
    Health.said = {"ok": False, "workers": {"count": 3, "well": 2, "groups": 7, "waiting_s": 12.5}}
    (part,) = _workers(cloud, speaker("en"))
    assert (part["name"], part["ok"]) == ("cloud/workers", False)
    assert part["detail"].startswith("2 of 3 well, 7 groups, oldest message waits 12.5 s")


def test_without_a_database_the_cloud_knows_of_no_workers(cloud: str) -> None:
    Health.said = {"ok": False, "database": "storage.unavailable"}
    assert list(_workers(cloud, speaker("en"))) == []
