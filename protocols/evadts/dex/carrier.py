"""The gateway's end of a DEX/UCS session: it reads an audit, or hands the machine a configuration."""

from __future__ import annotations

from protocols.errors import DeviceError
from protocols.evadts.dex.frames import Control, Decoder, Token, data_blocks
from protocols.evadts.dex.phases import ReceivePhase, SendPhase, Timers, Wire
from protocols.evadts.dex.session import (
    ANSWER_BYTES,
    NO_DATA,
    OK,
    READ,
    SEND,
    AuditReceived,
    ConfigurationSent,
    Identity,
    Session,
    Step,
)


class Carrier(Session):
    """The data carrier: `start` a session or wait for the machine's bid, and `confirm` the audit when it is stored."""

    def __init__(self, identity: Identity, timers: Timers | None = None) -> None:
        super().__init__(identity, timers or Timers())
        self._outgoing: list[bytes] = []

    def start(self, now: float) -> Step:
        """Bid for the line and ask for an audit."""
        return self._bid(READ, [], now)

    def send(self, data: bytes, now: float) -> Step:
        """Bid for the line and hand the machine a configuration; nothing is sent when the machine bids itself."""
        return self._bid(SEND, data_blocks(data), now)

    def _bid(self, operation: str, outgoing: list[bytes], now: float) -> Step:
        self._outgoing = outgoing
        self._decoder = Decoder()
        self._wire = Wire(self.timers)
        self._began = self._moved = self._heard = now
        self._send_phase("first-handshake", [self.identity.request(operation)], self._await_answer, now)
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
            self._began = self._moved = now
            self._outgoing = []
            self._header_phase("first-handshake", self._answer_bid, now, bid=True)
            return
        super()._token(token, now)
        phase = self._phase
        if isinstance(phase, SendPhase) and phase.collided and phase.name == "first-handshake":
            self._outgoing = []
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
        elif self._outgoing:
            self._send_phase("data", self._outgoing, self._on_sent, now)
        else:
            self._await_data(now)

    def _answer_bid(self, now: float) -> None:
        """The machine was faster: it says what it wants. Or it still answers a request that we gave up."""
        assert isinstance(self._phase, ReceivePhase)
        if len(self._phase.data) == ANSWER_BYTES:
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

    def _on_sent(self, now: float) -> None:
        self._events.append(ConfigurationSent())
        self._close()

    def _end(self, now: float) -> None:
        self._close()
