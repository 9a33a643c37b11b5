"""A question on a line of meters and what is heard after it: the shapes that every meter protocol shares."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final

from protocols.capture import Measure, pieces
from protocols.events import Quality, Value

LONGEST_ANSWER: Final = 300
"""No frame of any of these protocols is longer; with noise around it an answer is looked for in twice as many bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`metric` is `value`, in the catalogue's unit. None with quality good: the meter says that it has none."""

    metric: str
    value: Value | None
    quality: Quality = "good"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is read beside the usual: a data identifier, or (M-Bus) a record by name, storage and tariff, as `metric`.

    The value stays in the meter's own unit.
    """

    metric: str
    identifier: int = 0
    record: str = ""
    storage: int = 0
    tariff: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the bytes since a question amount to. `frame` answers it; else why there is no answer yet.

    `damaged`: a frame whose check sum is wrong was among them. `other`: the address of a meter that was not asked.
    """

    frame: Any = None
    damaged: bool = False
    other: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Send `send`, then give all bytes heard since then to `listen` until its `Heard` has a frame.

    An `optional` question may stay without an answer: the talk goes on and is sent None.
    """

    send: bytes
    listen: Callable[[bytes], Heard]
    optional: bool = False


Talk = Generator[Ask, Any, None]
"""One visit to one meter: yields what to ask, is sent the frame that answered. ProtocolError: it cannot be read."""

Tell = Callable[[Measured], None]
"""What a talk gives each value to, before it asks on."""


def listener(
    measure: Measure,
    parse: Callable[[bytes], Any],
    fits: Callable[[Any], bool],
    whose: Callable[[Any], str | None],
) -> Callable[[bytes], Heard]:
    """Finds the answer among noise, preambles, the echo of the question and what other meters say.

    `whose` says whose answer a whole frame is: '' for the one that is waited for, an address for another meter's, None
    for no answer at all (an echo, an answer to an older question).
    """

    def listen(data: bytes) -> Heard:
        damaged, other = False, ""
        for piece in pieces(data[-2 * LONGEST_ANSWER :], measure):
            if not piece.whole:
                continue
            frame = parse(piece.data)
            if not fits(frame):
                damaged = True
                continue
            sender = whose(frame)
            if sender == "":
                return Heard(frame=frame)
            other = sender or other
        return Heard(damaged=damaged, other=other)

    return listen


def same_address(wanted: str, said: str) -> bool:
    """Whether a meter of address `said` may answer for `wanted`, where the digit A stands for any."""
    return len(wanted) == len(said) and all(w in ("A", s) for w, s in zip(wanted.upper(), said.upper(), strict=True))
