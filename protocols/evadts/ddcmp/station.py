"""What both ends of a DDCMP session share, sans I/O: numbers, acknowledgements, repetitions and their ends.

Used as the DEX session is: feed what arrives, call `poll` at `due`, put `Step.send` on the line. Times are seconds of
any monotonic clock.
"""

from __future__ import annotations

from typing import Final

from protocols.errors import DeviceError, LiandongError
from protocols.evadts.ddcmp.frames import ACK, NACK, Control, Data, Decoder, control, message
from protocols.evadts.dex.phases import Timers, Wire
from protocols.evadts.dex.session import Closed, DexEvent, Failed, Step

OVERALL_S: Final = 300.0
"""A whole session: at 2400 baud an audit of 30 kB takes more than two minutes."""
_GAP_S: Final = 0.5  # silence inside a frame
_ANSWER_S: Final = 5.0  # from an acknowledgement to the next message (EVA-DTS 6.2, table 2)
_TRIES: Final = 5


class Station:
    """One end. What was sent last is repeated until it is acknowledged, at most five times."""

    def __init__(self, timers: Timers) -> None:
        self.timers = timers
        self._decoder = Decoder()
        self._wire = Wire(timers)
        self._events: list[DexEvent] = []
        self._active = False
        self._began = self._heard = 0.0
        self._sent = self._received = 0
        self._flying: bytes | None = None
        self._tries = 0
        self._most_tries = _TRIES
        self._timer: float | None = None

    @property
    def busy(self) -> bool:
        """True while a session runs or something still has to be sent."""
        return self._active or self._wire.due is not None

    @property
    def due(self) -> float | None:
        """When `poll` wants to be called; None = not before something arrives."""
        times = [self._wire.due]
        if self._active:
            gap = self._heard + _GAP_S if self._decoder.inside else None  # before it nothing else is late
            times += [self._began + OVERALL_S, self._timer if gap is None else gap]
        return min((time for time in times if time is not None), default=None)

    def feed(self, data: bytes, now: float) -> Step:
        """What arrived at `now`."""
        if data:
            self._heard = now
        for frame in self._decoder.feed(data):
            if isinstance(frame, Control):
                self._on_control(frame, now)
            elif self._active:
                self._on_data(frame, now)
        return self._step(now)

    def poll(self, now: float) -> Step:
        """Let the timers work at `now`."""
        if self._decoder.inside and now >= self._heard + _GAP_S:
            self._decoder.drop()
        if self._active and now >= self._began + OVERALL_S:
            self._fail(DeviceError("protocols.evadts.dex-overall", limit_s=OVERALL_S))
        elif self._active and self._timer is not None and now >= self._timer and not self._decoder.inside:
            self._late(now)
        return self._step(now)

    # For the two ends.

    def _begin(self, now: float) -> None:
        self._wire = Wire(self.timers)
        self._active, self._began, self._heard = True, now, now
        self._sent = self._received = 0
        self._flying, self._timer = None, None

    def _tell(self, frame: bytes, now: float, *, tries: int = _TRIES) -> None:
        """Send `frame` until it is acknowledged."""
        self._flying, self._tries, self._most_tries = frame, 0, tries
        self._again(now)

    def _say(self, body: bytes, now: float, *, last: bool = False) -> None:
        """Send the next data message until it is acknowledged."""
        self._sent = (self._sent + 1) & 0xFF
        self._tell(message(body, received=self._received, sent=self._sent, last=last), now)

    def _acknowledge(self, now: float) -> None:
        self._wire.send(control(ACK, received=self._received), now)

    def _wait(self, now: float, patience_s: float = _ANSWER_S) -> None:
        """What was sent has arrived; the other side may take its time to answer."""
        self._flying, self._timer = None, now + patience_s

    def _close(self) -> None:
        self._active = False
        self._events.append(Closed())

    def _fail(self, error: LiandongError) -> None:
        self._active = False
        self._events.append(Failed(error=error))

    # What the ends make of it.

    def _on_control(self, frame: Control, now: float) -> None:
        if not self._active:
            return
        if self._flying is None or frame.type not in (ACK, NACK):
            return
        if frame.type == NACK and frame.received != self._sent:
            self._again(now)
        elif frame.received == self._sent:  # also a NACK for what had arrived once before (EVA-DTS 6.2, 3.5.1.1)
            self._wait(now)
            self._arrived(now)

    def _on_data(self, frame: Data, now: float) -> None:
        if not frame.fits:
            self._wire.send(control(NACK, received=self._received), now)
        elif frame.sent == (self._received + 1) & 0xFF:
            self._received = frame.sent
            if self._flying is not None and frame.received == self._sent:
                self._wait(now)
            self._take(frame, now)
        elif frame.sent == self._received:
            self._repeated(now)

    def _arrived(self, now: float) -> None:
        """The other side has what was sent."""

    def _take(self, frame: Data, now: float) -> None:
        """The next data message."""
        raise NotImplementedError

    def _repeated(self, now: float) -> None:
        """The same message again: our acknowledgement was lost."""
        self._acknowledge(now)

    def _late(self, now: float) -> None:
        if self._flying is None:
            self._fail(DeviceError("protocols.evadts.dex-timeout", phase="data"))
        else:
            self._again(now)

    def _again(self, now: float) -> None:
        assert self._flying is not None
        if self._tries >= self._most_tries:
            self._fail(DeviceError("protocols.evadts.dex-no-answer", tries=self._tries))
            return
        self._tries += 1
        self._timer = self._wire.send(self._flying, now) + self.timers.a

    def _step(self, now: float) -> Step:
        events, self._events = tuple(self._events), []
        return Step(send=self._wire.take(now), events=events)
