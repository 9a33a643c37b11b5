"""`liandong up` as a test drives it: started as the README says, watched from outside, killed part by part."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg
from psycopg.rows import dict_row

from tests.services.ports import free_port

START_S = 90
PATIENCE_S = 30
LINK = re.compile(r"^ {4}(http://\S+/in#\S+)$", re.MULTILINE)
PERSON = re.compile(r"^ {2}(?P<name>.+) \(.+\)\n {4}(?P<url>http://\S+/in#\S+)$", re.MULTILINE)


T = TypeVar("T")


def eventually(what: str, look: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """The first true value that `look` gives; fails after `patience_s` with the last one. Errors count as not yet."""
    deadline = time.monotonic() + patience_s
    last: object = None
    while True:
        try:
            found = look()
            if found:
                return found
            last = found
        except (httpx.HTTPError, psycopg.OperationalError, OSError, LookupError, StopIteration) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {patience_s} s; last: {last!r}")
        time.sleep(0.1)


class Street:
    """A running street. `data` outlives it, so that a second one continues."""

    def __init__(self, data: Path, port: int, *options: str) -> None:
        self.data = data
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self._said: list[str] = []
        self._clients: list[httpx.Client] = []
        self.took_s = 0.0
        self.ready_ms = 0

    def start(self) -> None:
        """Start, and wait until it says that it runs."""
        began = time.monotonic()
        self._said = []
        command = [sys.executable, "-m", "liandong", "up", "--data", str(self.data), "--port", str(self.port)]
        with (self.data.parent / "up.err").open("a") as complaints:
            self._process = subprocess.Popen(
                [*command, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                env={**os.environ, "LIANDONG_LANG": "en"},
            )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        eventually("liandong up is ready", lambda: self._ended() or "Ctrl-C stops everything" in self.said, START_S)
        self.took_s = time.monotonic() - began
        self.ready_ms = time.time_ns() // 1_000_000
        assert not self._ended(), self.complaint()

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(60)

    def kill(self) -> None:
        """Kill -9 of the supervisor itself."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    @property
    def said(self) -> str:
        """Everything on standard output so far."""
        return "".join(self._said)

    def complaint(self) -> str:
        """Everything on standard error so far."""
        return (self.data.parent / "up.err").read_text()

    def links(self) -> dict[str, str]:
        """Name (English) → one-time sign-in link."""
        return {found["name"]: found["url"] for found in PERSON.finditer(self.said)}

    def pids(self) -> dict[str, int]:
        """Part → process id, as the supervisor knows them."""
        pids: dict[str, int] = json.loads((self.data / "run.json").read_text())["pids"]
        return pids

    def kill_part(self, name: str) -> None:
        """Kill -9 of a part, and wait until the supervisor has started it again."""
        pid = self.pids()[name]
        os.kill(pid, signal.SIGKILL)
        eventually(f"{name} is started again", lambda: self.pids().get(name, pid) != pid)

    def trigger(self, name: str, at: str | None = None) -> Mapping[str, Any]:
        """``liandong sim trigger``, straight to the control socket."""
        from simulators.control import ask

        run = json.loads((self.data / "run.json").read_text())
        did: Mapping[str, Any] = ask(Path(run["simulation"]), {"cmd": "trigger", "name": name, "at": at})["did"]
        return did

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another `liandong` command."""
        return subprocess.run(
            [sys.executable, "-m", "liandong", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "LIANDONG_LANG": "en"},
        )

    def sign_in(self, name: str) -> httpx.Client:
        """A client with the session of a person, by a link made now; closed with the street."""
        link = next(url for who, url in self.links().items() if who == name)
        client = httpx.Client(base_url=self.url, headers={"Origin": self.url}, timeout=10)
        answer = client.post("/api/v1/session/link", json={"token": link.partition("#")[2]})
        if answer.status_code != 200:
            client.close()
            raise AssertionError(answer.text)
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Stop it, and close everybody's connections."""
        for client in self._clients:
            client.close()
        if not self._ended():
            self.stop()

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """A connection to the street's database, autocommit, rows as dicts."""
        dsn = (self.data / "keys" / "dsn").read_text()
        with psycopg.connect(dsn, autocommit=True, row_factory=dict_row, connect_timeout=5) as connection:
            yield connection

    def rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """What the database says."""
        with self.database() as connection:
            return connection.execute(sql.encode(), parameters).fetchall()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._said.append(line)

    def _ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None


@contextmanager
def running_street(folder: Path, *options: str) -> Iterator[Street]:
    """A street on a new data directory below `folder`, stopped at the end whatever happens."""
    street = Street(folder / "data", free_port(), *options)
    folder.mkdir(parents=True, exist_ok=True)
    street.start()
    try:
        yield street
    finally:
        street.close()
