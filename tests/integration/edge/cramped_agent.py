"""A process in a mount namespace of its own: an agent whose data lie on a small file system that is filled and emptied.

It does what it reads, a word a line: ``start``, ``stop``, ``fill``, ``empty``, ``older``, ``tell`` (the next number,
with the driver's state), ``odd`` (a new metric), ``ask`` (what the status says of the outbox). Each is answered
in JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import edge.pipeline
from edge.app import EdgeAgent
from edge.doctor.agent import look
from protocols.errors import LiandongError
from protocols.events import Reading
from tests.integration.edge.bench import BenchDriver, document, running

_BYTES = 3_000_000


class _Machine:
    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port
        self._data = folder / "data"
        self._data.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_BYTES}", "tmpfs", str(self._data)], check=True)
        self._stack = ExitStack()
        self._agent: EdgeAgent | None = None
        self._driver: BenchDriver | None = None

    def start(self) -> object:
        try:
            self._agent, self._driver = self._stack.enter_context(running(self._folder, document(self._port)))
        except LiandongError as error:
            return error.code
        assert self._driver.ctx is not None
        return self._driver.ctx.state().get("told", 0)

    def stop(self) -> None:
        self._stack.close()

    def fill(self) -> int:
        """Every byte of it."""
        taken = 0
        with (self._data / "filler").open("wb", buffering=0) as file:
            for size in (65536, 1):
                try:
                    while True:
                        taken += file.write(bytes(size))
                except OSError:
                    continue
        return taken

    def empty(self) -> None:
        (self._data / "filler").unlink()

    def older(self) -> None:
        """As a release left it that knew of no delivered sets."""
        (self._data / "sets.db").unlink()

    def tell(self) -> int:
        assert self._driver is not None
        assert self._driver.ctx is not None
        number = int(self._driver.ctx.state().get("told", 0)) + 1
        told = Reading(device="meter-1", metric="power", value=float(number), at_ms=1_000 + number)
        self._driver.emit(told, state={"told": number})
        return number

    def odd(self) -> None:
        """What no catalogue knows, so that it needs an alias."""
        assert self._driver is not None
        self._driver.emit(Reading(device="meter-1", metric="colour", value=7.0, at_ms=1))

    def ask(self) -> dict[str, Any]:
        assert self._agent is not None
        parts = self._agent.report()["parts"]
        (part,) = [part for part in parts if part["name"] == "outbox"]
        (check,) = look([part], 0, tls=False)
        return {"ok": part["ok"], "code": part["code"], "waiting": part["data"]["bulk"], "todo": check.todo}


def main(folder: Path, port: int) -> None:
    edge.pipeline.MOVE_S = 0.1  # type: ignore[misc]
    machine = _Machine(folder, port)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(getattr(machine, line.strip())()) + "\n")
        sys.stdout.flush()
    machine.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
