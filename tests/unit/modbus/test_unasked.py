"""A box that speaks without an end: it is cut off, and the driver's thread goes on."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from pymodbus.exceptions import ConnectionException

from edge.drivers.meters.line import line_of
from edge.drivers.modbus.client import TcpClient, client_of
from edge.drivers.modbus.config import ModbusConfig
from edge.drivers.polling import LineError
from edge.drivers.textline.config import TextlineConfig

PATIENCE_S = 20.0
LYING = 40_000  # more than is thrown away before a question
DEVICE = {"id": "a", "type": "climate"}


@pytest.fixture
def babbler() -> Iterator[str]:
    """Where somebody listens who sends zeros as fast as they are taken."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE_S)

        def babble() -> None:
            with suppress(OSError), listening.accept()[0] as peer:
                peer.settimeout(PATIENCE_S)
                while True:
                    peer.sendall(bytes(65_536))

        thread = threading.Thread(target=babble)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def until_it_lies_there(link: socket.socket | None) -> None:
    end = time.monotonic() + PATIENCE_S
    assert link is not None
    while len(link.recv(LYING, socket.MSG_PEEK)) < LYING:
        assert time.monotonic() < end
        time.sleep(0.01)


def ends(ask: Callable[[], object], fault: type[Exception]) -> None:
    with pytest.raises(fault, match="without an end"):
        ask()


def test_modbus(babbler: str) -> None:
    device = DEVICE | {"unit": 1, "profile": "xy-md02"}
    client = client_of(
        ModbusConfig.model_validate({"family": "modbus", "name": "m", "tcp": babbler, "device": [device]})
    )
    assert isinstance(client, TcpClient)
    assert client.connect()
    until_it_lies_there(client.socket)
    ends(lambda: client.send(b"\0"), ConnectionException)
    assert client.socket is None, "the next question makes a connection of its own"


def test_lines_of_meters_and_of_text(babbler: str) -> None:
    pick = {"group": "t", "metric": "temperature"}
    device = DEVICE | {"pattern": "(?P<t>1)", "request": "?", "value": [pick]}
    line = line_of(TextlineConfig.model_validate({"family": "line", "name": "l", "tcp": babbler, "device": [device]}))
    line.open()
    until_it_lies_there(line._socket)  # type: ignore[attr-defined]
    ends(lambda: line.write(b"?"), LineError)
