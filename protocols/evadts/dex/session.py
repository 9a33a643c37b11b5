"""What both ends of a DEX/UCS session share, sans I/O: `Carrier` (the gateway) and `Machine` (the vending machine).

    carrier                        machine
    first handshake   master  →    slave      who asks, for what
    second handshake  slave   ←    master     what the machine answers
    data              slave   ←    master     the audit (operation R)
                      master  →    slave      a configuration (operation S)

Feed what arrives with `feed`, call `poll` at `due`, put `Step.send` on the line. Times are seconds of
any monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocols.errors import DeviceError, LiandongError, ProtocolError
from protocols.evadts.dex.frames import Decoder, Token, block
from protocols.evadts.dex.phases import ReceivePhase, SendPhase, Timers, Wire

READ: Final = "R"
SEND: Final = "S"
OK: Final = "00"
BAD_REVISION: Final = "02"
NO_DATA: Final = "04"
ERROR: Final = "05"
ANSWER_BYTES: Final = 18
_RESPONSES: Final = (OK, "01", BAD_REVISION, "03", NO_DATA, ERROR, "90")
_LONGEST_S: Final = 600.0  # a whole session, whatever new it brings
REVISIONS: Final = ("R00L06", "R01L01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who speaks: the communication id (ten characters: maker and number) and the revision it speaks (six)."""

    id: str
    revision: str = REVISIONS[0]

    def __post_init__(self) -> None:
        for value, size in ((self.id, 10), (self.revision, 6)):
            if len(value) != size or not value.isascii() or not value.isprintable():
                raise ProtocolError("protocols.evadts.dex-identity", value=value, size=size)

    def request(self, operation: str) -> bytes:
        """The header of the first handshake."""
        return block("SOH", f"{self.id}{operation}{self.revision}".encode("ascii"))

    def answer(self, response: str) -> bytes:
        """The header of the second handshake."""
        return block("SOH", f"{response}{self.id}{self.revision}".encode("ascii"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeted:
    """The other side said who it is."""

    id: str
    revision: str
    word: str  # its operation (first handshake) or response (second)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReceived:
    """All blocks are here. The last one is answered once `Carrier.confirm` is called: nothing is lost before."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSent:
    """The carrier has acknowledged the whole audit `data`."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationSent:
    """The machine has acknowledged every block of the configuration. What it made of it only its next audit tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationTaken:
    """The machine uses the configuration `data`, and has acknowledged it."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The session ended as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The session ended early; a new one may begin after 100 ms."""

    error: LiandongError


DexEvent = Greeted | AuditReceived | AuditSent | ConfigurationSent | ConfigurationTaken | Closed | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What came of a call: bytes for the line, and what there is to know."""

    send: bytes = b""
    events: tuple[DexEvent, ...] = ()


class Session:
    """What both roles share: decoding, the timers, and going from phase to phase."""

    def __init__(self, identity: Identity, timers: Timers) -> None:
        self.identity = identity
        self.timers = timers
        self._decoder = Decoder()
        self._wire = Wire(timers)
        self._phase: SendPhase | ReceivePhase | None = None
        self._next: Callable[[float], None] | None = None
        self._events: list[DexEvent] = []
        self._began = 0.0
        self._moved = 0.0  # when something new came last
        self._heard = 0.0

    @property
    def busy(self) -> bool:
        """True while a session runs or something still has to be sent."""
        return self._phase is not None or self._wire.due is not None

    @property
    def due(self) -> float | None:
        """When `poll` wants to be called; None = not before something arrives."""
        times = [self._wire.due]
        if self._phase is not None:
            times += [self._phase.due, self._moved + self.timers.overall, self._began + _LONGEST_S]
            times.append(self._heard + self.timers.b if self._decoder.inside else None)
        return min((time for time in times if time is not None), default=None)

    def feed(self, data: bytes, now: float) -> Step:
        """What arrived at `now`."""
        if data:
            self._heard = now
            if self._phase is not None:
                self._phase.alive(now)
        for token in self._decoder.feed(data):
            before = self._phase, self._phase.progress if self._phase else 0
            self._token(token, now)
            if before != (self._phase, self._phase.progress if self._phase else 0):
                self._moved = now
            self._settle(now)
        return self._step(now)

    def poll(self, now: float) -> Step:
        """Let the timers work at `now`."""
        if self._decoder.inside and now >= self._heard + self.timers.b:
            self._decoder.drop()
            if self._phase is not None:
                self._phase.damaged(now)
        if self._phase is not None:
            if now >= min(self._moved + self.timers.overall, self._began + _LONGEST_S):
                self._fail(DeviceError("protocols.evadts.dex-overall", limit_s=self.timers.overall))
            else:
                self._phase.tick(now)
                self._settle(now)
        return self._step(now)

    def _token(self, token: Token, now: float) -> None:
        if self._phase is not None:
            self._phase.token(token, now)

    def _settle(self, now: float) -> None:
        """Go on when a phase has ended, well or not."""
        phase = self._phase
        if phase is None:
            return
        if phase.failure is not None:
            self._fail(phase.failure)
        elif phase.done and self._next is not None:
            self._next(now)

    def _fail(self, error: LiandongError) -> None:
        self._phase = None
        self._events.append(Failed(error=error))

    def _close(self) -> None:
        self._phase = None
        self._events.append(Closed())

    def _send_phase(self, name: str, frames: list[bytes], then: Callable[[float], None], now: float) -> None:
        pause = 0.0 if name == "first-handshake" else self.timers.pause
        self._phase, self._next = SendPhase(name, frames, self._wire, now, pause=pause), then

    def _header_phase(self, name: str, then: Callable[[float], None], now: float, *, bid: bool = False) -> None:
        self._phase, self._next = ReceivePhase(name, "SOH", self._wire, now, bid=bid), then

    def _header(self, *, word_size: int, word_first: bool) -> Greeted | None:
        """The header that the phase received; None when it does not have the right length."""
        assert isinstance(self._phase, ReceivePhase)
        text = self._phase.data.decode("latin-1")
        if len(text) != 16 + word_size:
            return None
        if word_first and text[:2] not in _RESPONSES and text[10:12] in _RESPONSES:
            word_first = False  # the response behind the id, as an example of the standard has it (6.2, 4.7)
        word, rest = (text[:word_size], text[word_size:]) if word_first else (text[10:-6], text[:10] + text[-6:])
        greeted = Greeted(id=rest[:10], revision=rest[10:], word=word)
        self._events.append(greeted)
        return greeted

    def _step(self, now: float) -> Step:
        events, self._events = tuple(self._events), []
        return Step(send=self._wire.take(now), events=events)
