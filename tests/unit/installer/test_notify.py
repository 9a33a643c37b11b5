"""What a supervisor hears, over a real datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.notify import Supervisor, Watchdog
from protocols.errors import UnavailableError


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(str(tmp_path / "notify"))
        ours.settimeout(20)
        yield ours


def drain(heard: socket.socket) -> None:
    for _ in range(100):
        heard.recv(100)


def test_signs_of_life_come_while_the_agent_works_and_stop_when_it_does_not(heard: socket.socket) -> None:
    works = True

    def probe() -> None:
        if not works:
            raise UnavailableError("edge.pipeline.behind", seconds=10)

    environment = {"NOTIFY_SOCKET": heard.getsockname(), "WATCHDOG_USEC": "60000", "WATCHDOG_PID": str(os.getpid())}
    supervisor = Supervisor(environment)
    supervisor.tell("READY=1")
    watchdog = Watchdog(supervisor, probe)
    watchdog.start()
    try:
        assert [heard.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        works = False
        heard.settimeout(1.0)
        with pytest.raises(TimeoutError):
            drain(heard)
    finally:
        watchdog.close()


def test_an_abstract_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(f"\0liandong-test-{os.getpid()}")
        ours.settimeout(20)
        Supervisor({"NOTIFY_SOCKET": f"@liandong-test-{os.getpid()}"}).tell("READY=1")
        assert ours.recv(100) == b"READY=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_nobody_listens(environment: dict[str, str]) -> None:
    supervisor = Supervisor(environment)
    supervisor.tell("READY=1")
    assert supervisor.watchdog_s is None


def test_a_watchdog_for_another_process_is_not_ours() -> None:
    assert Supervisor({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog_s is None
