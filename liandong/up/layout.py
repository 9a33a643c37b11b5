"""The data directory of ``liandong up``: where everything lies, whose version it is, who holds it.

liandong.json   layout version, made once        keys/      secrets of this street, mode 0600
run.json        addresses and pids while running  logs/      one file a part, rotated
postgres/       the database                      gw-*/      each gateway's files
sim/            the simulated hardware: lines, ledger, counters
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import secrets
import socket
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final

from protocols.errors import ConfigError, StorageError

LAYOUT_VERSION: Final = 1
_BEFORE_A_STREET: Final = frozenset({"lock", "liandong.json.new", "lost+found"})
_SERVER_PORTS: Final = range(15000, 28000)
_SOCKET_PATH_LIMIT: Final = 100  # sun_path is 108 bytes on Linux; a name must fit behind the directory


class DataDirectory:
    """An opened data directory, held by one process at a time. Close it when everything in it has stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self._lock: IO[str] | None = None

    def open(self) -> None:
        """Make the directory if it is not there, take it, and check whose version it is.

        Raises StorageError when another process holds it, it holds something else or what a newer version wrote, or
        it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._check_ours()
            self._lock = (self.path / "lock").open("a+")
        except OSError as error:
            raise StorageError("liandong.up.data-unwritable", path=self.path, why=error.strerror) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            url = read_run(self.path).get("console", "?")
            self.close()
            raise StorageError("liandong.up.already-running", path=self.path, url=url) from error
        self._check_version()

    def close(self) -> None:
        """Let go of the directory."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def secret(self, name: str, size: int = 24) -> Path:
        """The file of a secret, made at random the first time (mode 0600, hexadecimal, `size` bytes)."""
        path = self.path / "keys" / name
        path.parent.mkdir(exist_ok=True, mode=0o700)
        if not path.exists():
            replace_file(path, secrets.token_hex(size))
        return path

    def sockets(self) -> Path:
        """A directory for Unix sockets: in here, or in the temporary directory when this path is too long for one."""
        if len(str(self.path)) < _SOCKET_PATH_LIMIT - 30:
            place = self.path / "sockets"
        else:
            name = sha256(str(self.path).encode()).hexdigest()[:16]
            place = Path(tempfile.gettempdir()) / f"liandong-{os.getuid()}-{name}"
        place.mkdir(exist_ok=True, mode=0o700)
        if place.stat().st_uid != os.getuid():
            raise StorageError("liandong.up.data-unwritable", path=place, why="not owned by this user")
        return place

    def write_run(self, facts: Mapping[str, Any]) -> None:
        """Tell other commands where everything is. Holds no secrets."""
        replace_file(self.path / "run.json", json.dumps(facts, indent=2, ensure_ascii=False))

    def _check_ours(self) -> None:
        """A street is laid only into an empty directory (or a fresh file system), never among somebody's files."""
        names = {entry.name for entry in self.path.iterdir()}
        if "liandong.json" not in names and names - _BEFORE_A_STREET:
            raise StorageError("liandong.up.data-foreign", path=self.path)

    def _check_version(self) -> None:
        path = self.path / "liandong.json"
        if not path.exists():
            replace_file(path, json.dumps({"layout": LAYOUT_VERSION}))
            return
        try:
            found = int(json.loads(path.read_text("utf-8"))["layout"])
        except (ValueError, KeyError, TypeError) as error:
            self.close()
            raise StorageError("liandong.up.data-unreadable", path=path) from error
        if found > LAYOUT_VERSION:
            self.close()
            raise StorageError("liandong.up.data-newer", path=self.path, found=found, known=LAYOUT_VERSION)


def read_run(path: Path) -> dict[str, Any]:
    """What `write_run` wrote last in the data directory `path`; empty when nothing ever ran there."""
    try:
        facts = json.loads((path.expanduser() / "run.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def replace_file(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def free_port() -> int:
    """A TCP port of the loopback that nobody uses now.

    Not one of those that the kernel gives to outgoing connections: such a one may be taken before its server listens.
    """
    for port in random.sample(_SERVER_PORTS, len(_SERVER_PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ConfigError("liandong.up.port-in-use", address="127.0.0.1", port=f"{_SERVER_PORTS[0]}-{_SERVER_PORTS[-1]}")


def demand_free(address: str, port: int) -> None:
    """Raise ConfigError when `port` cannot be listened on at `address`."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except (OSError, OverflowError) as error:
            raise ConfigError("liandong.up.port-in-use", address=address, port=port) from error
