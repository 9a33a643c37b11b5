"""The vending machine's end of a DEX/UCS session."""

from __future__ import annotations

from collections.abc import Callable

from protocols.errors import DeviceError
from protocols.evadts.dex.frames import EOT, Control, Token, data_blocks
from protocols.evadts.dex.phases import ReceivePhase, Timers
from protocols.evadts.dex.session import (
    BAD_REVISION,
    ERROR,
    OK,
    READ,
    REVISIONS,
    SEND,
    AuditSent,
    ConfigurationTaken,
    Identity,
    Session,
    Step,
)


class Machine(Session):
    """The vending machine: answers a carrier, and may `bid` itself. `audit` gives the data at the moment of reading.

    `configure` is given a configuration whose blocks all fitted, before the last of them is acknowledged; it says
    whether the machine uses it, wholly or not at all. None = a machine that takes none.
    """

    def __init__(
        self,
        identity: Identity,
        audit: Callable[[], bytes],
        timers: Timers | None = None,
        *,
        configure: Callable[[bytes], bool] | None = None,
    ) -> None:
        super().__init__(identity, timers or Timers())
        self._audit = audit
        self._configure = configure
        self._data = b""

    def bid(self, now: float) -> Step:
        """Begin a session oneself, to hand the audit over."""
        self._began = self._moved = self._heard = now
        self._send_phase("first-handshake", [self.identity.request(SEND)], self._await_leave, now)
        return self._step(now)

    def _token(self, token: Token, now: float) -> None:
        if self._phase is None and token is Control.ENQ:
            self._began = self._moved = now
            self._header_phase("first-handshake", self._on_request, now, bid=True)
            return
        super()._token(token, now)
        phase = self._phase
        if isinstance(phase, ReceivePhase) and phase.name == "data" and phase.complete and not phase.announced:
            phase.announced = True
            self._take_configuration(phase, now)

    def _take_configuration(self, phase: ReceivePhase, now: float) -> None:
        if self._configure is not None and self._configure(phase.data):
            self._events.append(ConfigurationTaken(data=phase.data))
            phase.confirm(now)
        else:
            self._wire.send(EOT, now)
            self._fail(DeviceError("protocols.evadts.dex-ended", phase="data"))

    def _on_request(self, now: float) -> None:
        greeted = self._header(word_size=1, word_first=False)
        if greeted is None:
            self._answer(ERROR, now)
        elif greeted.revision not in REVISIONS:
            self._answer(BAD_REVISION, now)
        elif greeted.word == READ:
            self._answer(OK, now, self._send_audit)
        elif greeted.word == SEND and self._configure is not None:
            self._answer(OK, now, self._await_configuration)
        else:
            self._answer(ERROR, now)

    def _answer(self, response: str, now: float, then: Callable[[float], None] | None = None) -> None:
        then = then or self._end
        self._send_phase("second-handshake", [self.identity.answer(response)], then, now)

    def _await_configuration(self, now: float) -> None:
        self._phase = ReceivePhase("data", "STX", self._wire, now, hold_last=True)
        self._next = self._end

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
