"""The agent's condition for a person on the gateway: one JSON document over a socket in the data directory.

Parts carry a code and its values; `describe` adds the sentence in the reader's language.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from edge.board import Board, DeviceCondition
from edge.outbox.store import Outbox
from edge.uplink.uplink import UplinkCondition
from protocols.errors import LiandongError, StorageError, UnavailableError
from protocols.messages import Language, sentence

SOCKET: Final = "status.sock"
_TIMEOUT_S: Final = 5.0
_MAX_BYTES: Final = 4 << 20

Report = dict[str, Any]


def report(*, uplink: UplinkCondition, broker: str, outbox: Outbox, board: Board, acknowledged: bool) -> Report:
    """``{"ok", "parts": [{"name", "ok", "code", "data"}]}`` for uplink, outbox, drivers and devices."""
    parts = [_uplink(uplink, broker, acknowledged=acknowledged), _outbox(outbox)]
    for name, driver in board.drivers().items():
        data = {"family": driver.family, "restarts": driver.restarts, "error": driver.error or ""}
        code = "running" if driver.running else "down"
        parts.append(_part(f"driver/{name}", f"edge.status.driver-{code}", data, ok=driver.running))
    parts += [_device(name, condition, board) for name, condition in board.devices().items()]
    return {"ok": all(part["ok"] for part in parts), "parts": parts}


def describe(found: Report, language: Language) -> Report:
    """`found` with `detail`, a sentence, in every part."""
    parts = [{**part, "detail": sentence(part["code"], part["data"], language)} for part in found["parts"]]
    return {**found, "parts": parts}


def _part(name: str, code: str, data: Mapping[str, Any], *, ok: bool) -> Report:
    return {"name": name, "ok": ok, "code": code, "data": dict(data)}


def _uplink(uplink: UplinkCondition, broker: str, *, acknowledged: bool) -> Report:
    data = {
        "stage": uplink.stage,
        "since_ms": uplink.since_ms,
        "broker": broker,
        "answered": uplink.answered,
        "in_flight": uplink.in_flight,
        "sent": uplink.sent,
        "again": uplink.again,
        "error": uplink.error or "",
    }
    unanswered = uplink.stage == "born" and acknowledged and not uplink.answered
    code = "unanswered" if unanswered else uplink.stage
    return _part("uplink", f"edge.status.uplink-{code}", data, ok=code == "born")


def _outbox(outbox: Outbox) -> Report:
    totals = outbox.totals
    data = {
        "urgent": totals.waiting["urgent"],  # type: ignore[index]
        "bulk": totals.waiting["bulk"],  # type: ignore[index]
        "kept": sum(totals.kept.values()),
        "bytes": totals.size,
        "epoch": str(outbox.epoch),
    }
    return _part("outbox", "edge.status.outbox", data, ok=True)


def _device(name: str, condition: DeviceCondition, board: Board) -> Report:
    values = {
        metric: {"value": reading.value, "at_ms": reading.at_ms, "quality": reading.quality}
        for metric, reading in board.latest(name).items()
    }
    data = {
        "driver": condition.driver,
        "type": condition.type,
        "online": condition.online,
        "since_ms": condition.since_ms,
        "heard_ms": condition.heard_ms,
        "round_trip_ms": None if condition.round_trip_s is None else round(condition.round_trip_s * 1000, 1),
        "error": "" if condition.error is None else str(condition.error),
        "values": values,
        "last": ", ".join(f"{metric}={value['value']}" for metric, value in values.items()) or "-",
    }
    code = {True: "online", False: "offline", None: "unknown"}[condition.online]
    return _part(f"device/{name}", f"edge.status.device-{code}", data, ok=condition.online is True)


class StatusServer:
    """Answers every connection with the report of that moment, and closes it."""

    def __init__(self, data: Path, make: Callable[[], Report]) -> None:
        """Listen in the directory `data`. Raises StorageError when that is not possible."""
        self._path, self._make = data / SOCKET, make
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._closing = threading.Event()
        try:
            self._path.unlink(missing_ok=True)
            with _short(self._path) as address:
                self._socket.bind(address)
            self._path.chmod(0o600)
            self._socket.listen(8)
        except OSError as error:
            self._socket.close()
            raise StorageError("edge.storage.unusable", file=self._path, why=error) from error
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering and remove the socket."""
        self._closing.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join(_TIMEOUT_S)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            with peer, suppress(OSError):
                peer.settimeout(_TIMEOUT_S)
                try:
                    found = self._make()
                except LiandongError as error:
                    params = {key: str(value) for key, value in error.params.items()}
                    found = {"ok": False, "parts": [_part("agent", error.code, params, ok=False)]}
                peer.sendall(json.dumps(found, ensure_ascii=False).encode())


def ask(data: Path) -> Report:
    """The report of the agent that works in `data`. Raises UnavailableError when none answers."""
    path = data / SOCKET
    received = bytearray()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, _short(path) as address:
            client.settimeout(_TIMEOUT_S)
            client.connect(address)
            while len(received) < _MAX_BYTES and (chunk := client.recv(65536)):
                received += chunk
        found = json.loads(received)
    except (OSError, ValueError) as error:
        raise UnavailableError("edge.status.no-agent", data=data) from error
    assert isinstance(found, dict)
    return found


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """An address for `path` that fits the 108 bytes of a socket's name, however deep the directory is."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
