"""Whole DEX/UCS sessions, sans I/O: `Carrier` (the gateway, which reads an audit) and `Machine` (the vending machine).

    carrier                        machine
    first handshake   master  →    slave      who asks, for what
    second handshake  slave   ←    master     what the machine answers
    data              slave   ←    master     the audit

Feed what arrives with `feed`, call `poll` at `due`, put `Step.send` on the line. Times are seconds of
any monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocols.errors import DeviceError, LiandongError, ProtocolError
from protocols.evadts.dex.frames import Control, Decoder, Token, block, data_blocks
from protocols.evadts.dex.phases import ReceivePhase, SendPhase, Timers, Wire

READ: Final = "R"
SEND: Final = "S"
OK: Final = "00"
BAD_REVISION: Final = "02"
NO_DATA: Final = "04"
ERROR: Final = "05"
_ANSWER_BYTES: Final = 18
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
class Closed:
    """The session ended as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The session ended early; a new one may begin after 100 ms."""

    error: LiandongError


DexEvent = Greeted | AuditReceived | AuditSent | Closed | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What came of a call: bytes for the line, and what there is to know."""

    send: bytes = b""
    events: tuple[DexEvent, ...] = ()


class _Session:
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
            times += [self._phase.due, self._began + self.timers.overall]
            times.append(self._heard + self.timers.b if self._decoder.inside else None)
        return min((time for time in times if time is not None), default=None)

    def feed(self, data: bytes, now: float) -> Step:
        """What arrived at `now`."""
        if data:
            self._heard = now
            if self._phase is not None:
                self._phase.alive(now)
        for token in self._decoder.feed(data):
            self._token(token, now)
            self._settle(now)
        return self._step(now)

    def poll(self, now: float) -> Step:
        """Let the timers work at `now`."""
        if self._decoder.inside and now >= self._heard + self.timers.b:
            self._decoder.drop()
            if self._phase is not None:
                self._phase.damaged(now)
        if self._phase is not None:
            if now >= self._began + self.timers.overall:
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
        self._phase, self._next = SendPhase(name, frames, self._wire, now), then

    def _header_phase(self, name: str, then: Callable[[float], None], now: float, *, bid: bool = False) -> None:
        self._phase, self._next = ReceivePhase(name, "SOH", self._wire, now, bid=bid), then

    def _header(self, *, word_size: int, word_first: bool) -> Greeted | None:
        """The header that the phase received; None when it does not have the right length."""
        assert isinstance(self._phase, ReceivePhase)
        text = self._phase.data.decode("latin-1")
        if len(text) != 16 + word_size:
            return None
        word, rest = (text[:word_size], text[word_size:]) if word_first else (text[10:-6], text[:10] + text[-6:])
        greeted = Greeted(id=rest[:10], revision=rest[10:], word=word)
        self._events.append(greeted)
        return greeted

    def _step(self, now: float) -> Step:
        events, self._events = tuple(self._events), []
        return Step(send=self._wire.take(now), events=events)


class Carrier(_Session):
    """The data carrier: `start` a session or wait for the machine's bid, and `confirm` the audit when it is stored."""

    def __init__(self, identity: Identity, timers: Timers | None = None) -> None:
        super().__init__(identity, timers or Timers())

    def start(self, now: float) -> Step:
        """Bid for the line and ask for an audit."""
        self._decoder = Decoder()
        self._wire = Wire(self.timers)
        self._began = self._heard = now
        self._send_phase("first-handshake", [self.identity.request(READ)], self._await_answer, now)
        return self._step(now)

    def confirm(self, now: float) -> Step:
        """What `AuditReceived` told is on the disk: acknowledge it to the machine."""
        if isinstance(self._phase, ReceivePhase):
            self._phase.confirm(now)
        return self._step(now)

    def abandon(self, now: float) -> Step:
        """Give the session up without acknowledging: the machine will offer the same again."""
        if self._phase is not None:
            self._wire.send(b"\x04", now)
            self._fail(DeviceError("protocols.evadts.dex-abandoned"))
        return self._step(now)

    def _token(self, token: Token, now: float) -> None:
        if self._phase is None and token is Control.ENQ:  # the machine has something to tell
            self._began = now
            self._header_phase("first-handshake", self._answer_bid, now, bid=True)
            return
        super()._token(token, now)
        phase = self._phase
        if isinstance(phase, SendPhase) and phase.collided and phase.name == "first-handshake":
            self._header_phase("first-handshake", self._answer_bid, now, bid=True)  # the carrier yields
        elif isinstance(phase, ReceivePhase) and phase.name == "data" and phase.complete and not phase.announced:
            phase.announced = True
            self._events.append(AuditReceived(data=phase.data))

    def _await_answer(self, now: float) -> None:
        self._header_phase("second-handshake", self._on_answer, now)

    def _on_answer(self, now: float) -> None:
        greeted = self._header(word_size=2, word_first=True)
        if greeted is None or greeted.word != OK:
            self._fail(DeviceError("protocols.evadts.dex-refused", response=greeted.word if greeted else "?"))
        else:
            self._await_data(now)

    def _answer_bid(self, now: float) -> None:
        """The machine was faster: it says what it wants. Or it still answers a request that we gave up."""
        assert isinstance(self._phase, ReceivePhase)
        if len(self._phase.data) == _ANSWER_BYTES:
            self._on_answer(now)
            return
        greeted = self._header(word_size=1, word_first=False)
        wanted = greeted is not None and greeted.word == SEND
        then = self._await_data if wanted else self._end_unwanted
        self._send_phase("second-handshake", [self.identity.answer(OK if wanted else NO_DATA)], then, now)

    def _end_unwanted(self, now: float) -> None:
        self._fail(DeviceError("protocols.evadts.dex-ended", phase="second-handshake"))

    def _await_data(self, now: float) -> None:
        self._phase = ReceivePhase("data", "STX", self._wire, now, hold_last=True)
        self._next = self._end

    def _end(self, now: float) -> None:
        self._close()


class Machine(_Session):
    """The vending machine: answers a carrier, and may `bid` itself. `audit` gives the data at the moment of reading."""

    def __init__(self, identity: Identity, audit: Callable[[], bytes], timers: Timers | None = None) -> None:
        super().__init__(identity, timers or Timers())
        self._audit = audit
        self._data = b""

    def bid(self, now: float) -> Step:
        """Begin a session oneself, to hand the audit over."""
        self._began = self._heard = now
        self._send_phase("first-handshake", [self.identity.request(SEND)], self._await_leave, now)
        return self._step(now)

    def _token(self, token: Token, now: float) -> None:
        if self._phase is None and token is Control.ENQ:
            self._began = now
            self._header_phase("first-handshake", self._on_request, now, bid=True)
        else:
            super()._token(token, now)

    def _on_request(self, now: float) -> None:
        greeted = self._header(word_size=1, word_first=False)
        if greeted is None:
            self._answer(ERROR, now)
        elif greeted.revision not in REVISIONS:
            self._answer(BAD_REVISION, now)
        else:
            self._answer(OK if greeted.word == READ else ERROR, now)

    def _answer(self, response: str, now: float) -> None:
        then = self._send_audit if response == OK else self._end
        self._send_phase("second-handshake", [self.identity.answer(response)], then, now)

    def _await_leave(self, now: float) -> None:
        self._header_phase("second-handshake", self._on_leave, now)

    def _on_leave(self, now: float) -> None:
        greeted = self._header(word_size=2, word_first=True)
        if greeted is None or greeted.word != OK:
            self._fail(DeviceError("protocols.evadts.dex-refused", response=greeted.word if greeted else "?"))
        else:
            self._send_audit(now)

    def _send_audit(self, now: float) -> None:
        self._data = self._audit()
        self._send_phase("data", data_blocks(self._data), self._on_sent, now)

    def _on_sent(self, now: float) -> None:
        self._events.append(AuditSent(data=self._data))
        self._close()

    def _end(self, now: float) -> None:
        self._close()
