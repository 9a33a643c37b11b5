"""The local socket goes on answering whatever it was asked."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge.local import SOCKET, LocalServer, ask
from protocols.errors import DeviceError

_OFTEN = 8
"""More than there are threads that answer."""


def answer(request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"ok": {"well": True}[request["ask"]]}


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    server = LocalServer(tmp_path, answer)
    server.start()
    with closing(server):
        yield tmp_path


def test_questions_that_crash(data: Path) -> None:
    for _ in range(_OFTEN):
        with pytest.raises(DeviceError) as refused:
            ask(data, {"ask": "odd"})
        assert refused.value.code == "edge.local.crashed"
    assert ask(data, {"ask": "well"}) == {"ok": True}


def test_nested_too_deep(data: Path) -> None:
    for _ in range(_OFTEN):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(data / SOCKET))
            client.sendall(b"[" * 4000 + b"\n")
            assert b"edge.local.unreadable" in client.recv(4096)
    assert ask(data, {"ask": "well"}) == {"ok": True}
