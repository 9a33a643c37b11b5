"""A process whose clocks are turned from outside: the wall clock steps, the kernel's word changes, the machine reboots.

Nothing of this is in the product: a part of the street is started through this module, as in `liandong.lab.sabotage`::

    python -m liandong.lab.clock FILE edge run --config gateway.toml

    part = clock.turnable(part, file)                  # the same part, started with clocks that `file` turns
    clock.turn(file, clock.Turn(step_s=-3600))         # an hour back, while it runs; within 20 ms
    clock.turn(file, clock.Turn.to(0))                 # 1970
    clock.turn(file, clock.Turn())                     # right again

`FILE` is one JSON object, replaced whole, that may change at any time; without it the clocks are right. A turn is what
is added to the true wall clock (not to the turn before), what the kernel says of it, and (for a machine that was off)
another boot. Unless it says otherwise, the kernel vouches for nothing, as after a clock was set by hand.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from liandong.up.supervisor import Part

_LOOK_NS: Final = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """`step_s`: seconds added to the true time. `synchronised`: the kernel's word (None: it does not tell).

    `keeps_time`: whether the wall clock went on while the machine was off. `boot` and `booted_ns` (on the true
    CLOCK_BOOTTIME): another boot since then; empty is the true one.
    """

    step_s: float = 0.0
    synchronised: bool | None = False
    keeps_time: bool = True
    boot: str = ""
    booted_ns: int = 0

    @classmethod
    def to(cls, seconds: float) -> Turn:
        """The wall clock shows `seconds` since 1970 UTC at this moment, and goes on from there."""
        return cls(step_s=seconds - time.time())

    def rebooted(self, boot: str) -> Turn:
        """The same, on a machine that was started at this moment."""
        return replace(self, boot=boot, booted_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME))


def turn(file: Path, to: Turn) -> None:
    """Turn the clocks of the processes that were started with `file`."""
    written = file.with_name(f"{file.name}.{os.getpid()}")
    written.write_text(json.dumps(asdict(to)), "utf-8")
    written.replace(file)


def turnable(part: Part, file: Path) -> Part:
    """`part`, started through this module."""
    python, _module, _package, *words = part.command
    return replace(part, command=[python, "-m", "liandong.lab.clock", str(file), *words])


class _Turned:
    """The clocks of this process, beside the true ones."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._wall_ns, self._clock_ns = time.time_ns, time.clock_gettime_ns
        self._looked_ns = 0
        self._changed: object = None
        self._turn = Turn()

    @property
    def turn(self) -> Turn:
        """How they are turned now; the file is looked at every 20 ms."""
        now = self._clock_ns(time.CLOCK_BOOTTIME)
        if now - self._looked_ns >= _LOOK_NS:
            self._looked_ns = now
            try:
                status = self._file.stat()
                changed = status.st_ino, status.st_mtime_ns
                if changed != self._changed:
                    self._turn, self._changed = Turn(**json.loads(self._file.read_text("utf-8"))), changed
            except OSError:
                self._turn, self._changed = Turn(), None
        return self._turn

    def time_ns(self) -> int:
        return self._wall_ns() + round(self.turn.step_s * 1_000_000_000)

    def time(self) -> float:
        return self.time_ns() / 1_000_000_000

    def steady_ns(self) -> int:
        return self._clock_ns(time.CLOCK_BOOTTIME) - self.turn.booted_ns


def turn_clocks(file: Path) -> None:
    """From now on `file` turns the clocks of this process."""
    from edge.clock import source

    clocks, true_boot = _Turned(file), source.boot_id()
    time.time_ns, time.time = clocks.time_ns, clocks.time
    source.steady_ns = clocks.steady_ns
    source.boot_id = lambda: clocks.turn.boot or true_boot
    source.synchronised = lambda: clocks.turn.synchronised
    source.Machine.keeps_time = lambda _: clocks.turn.keeps_time  # type: ignore[assignment]


def main(words: Sequence[str]) -> int:
    """The command ``words[1:]``, with clocks that the file ``words[0]`` turns."""
    from liandong.cli import main as command

    turn_clocks(Path(words[0]))
    return command(words[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
