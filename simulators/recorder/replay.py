"""Answers as the device of a recording did."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.errors import ConfigError
from protocols.recording import Burst, read
from simulators.hardware.served import Line

_WAIT_S: Final = 0.05
_JOIN_S: Final = 2.0
_CHUNK: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the master said, and what the device said after it: (seconds since the question's end, bytes)."""

    question: bytes
    answer: tuple[tuple[float, bytes], ...]


def turns(bursts: Sequence[Burst]) -> list[Turn]:
    """The conversation of a recording; what the device said first has an empty question. Raises ConfigError."""
    if not any(burst.way == "to" for burst in bursts) or any(burst.way == "line" for burst in bursts):
        raise ConfigError("simulators.recorder.one-way")
    found = [Turn(question=b"", answer=())]
    asked_s = 0.0
    for burst in bursts:
        if burst.way == "to":
            found.append(Turn(question=burst.data, answer=()))
            asked_s = burst.at_s
        else:
            answer = (*found[-1].answer, (burst.at_s - asked_s, burst.data))
            found[-1] = Turn(question=found[-1].question, answer=answer)
    return found


class Replay:
    """The recorded device, on `line`: it answers what it was asked then, in the order and after the time of then.

    A question that comes elsewhere in the recording is answered as it was there; one that nobody asked is met with
    silence, and counted. At its end the recording begins again.
    """

    def __init__(self, line: Line, recording: str, *, speed: float = 1.0) -> None:
        """`recording`: its text. Raises ConfigError when it cannot be read, or holds no conversation."""
        self._line = line
        self._turns = turns(read(recording))
        self._speed = speed
        self._longest = max(len(turn.question) for turn in self._turns)
        self._next = 1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="replay", daemon=True)
        self.answered = self.unknown = 0

    def start(self) -> None:
        """Place the line and begin to answer. Raises OSError when it cannot be placed."""
        self._line.plug()
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Whether it was told to end within `seconds`."""
        return self._stop.wait(seconds)

    def close(self) -> None:
        """Stop answering."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)
        self._line.unplug()

    def _live(self) -> None:
        heard = self._say(self._turns[0])
        while not self._stop.is_set():
            data = self._line.read(_CHUNK, _WAIT_S)
            heard += data
            turn = self._asked(heard, paused=not data)
            if turn is not None:
                heard = self._say(turn)
            elif heard and (not data or len(heard) > 2 * self._longest):
                heard = b""  # the master has stopped speaking, and nothing that it said is known
                self.unknown += 1

    def _asked(self, heard: bytes, *, paused: bool) -> Turn | None:
        """The turn that is due, as soon as it is heard; any other only when the master has stopped speaking."""
        if not heard:
            return None
        count = len(self._turns)
        for step in range(count if paused else 1):
            index = (self._next + step) % count or 1
            turn = self._turns[index % count]
            if turn.question and heard.endswith(turn.question):
                self._next = index + 1
                return turn
        return None

    def _say(self, turn: Turn) -> bytes:
        """Answer as then; what the master said before the answer was over, which ends it."""
        self.answered += bool(turn.answer)
        began = time.monotonic()
        for after_s, data in turn.answer:
            while (left_s := after_s / self._speed - (time.monotonic() - began)) > 0 and not self._stop.is_set():
                said = self._line.read(_CHUNK, min(left_s, _WAIT_S))
                if said:
                    return said
            self._send(data)
        return b""

    def _send(self, data: bytes) -> None:
        end = time.monotonic() + _JOIN_S
        while data and time.monotonic() < end and not self._stop.is_set():
            data = data[self._line.write(data) :]
