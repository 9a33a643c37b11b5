"""One direction of a DEX session: a sender that bids, sends its blocks and ends with EOT, and a receiver that answers.

A session is a sequence of such phases with changing roles. Both are pure: they put bytes on a `Wire`, which holds them
back for the shortest reply time, and name in `due` when they want to be asked again. Times are seconds of any monotonic
clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.errors import DeviceError, LiandongError
from protocols.evadts.dex.frames import ACK_TOKENS, ACKS, ENQ, EOT, NAK, WACK, Block, Control, Head, Token

_MAX_TRIES: Final = 5  # of one block, and of damaged blocks in a row
_HOLD_S: Final = 0.8  # how long a reply may be held back before it must be WACK (the limit is 0.95)
_MAX_DATA: Final = 1 << 18  # bytes; the longest audits of the field have some 30,000
_REPEAT_S: Final = 0.5  # an equal block that comes this long after our answer is a repetition: the answer was lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """The times of EVA-DTS 6.2, 4.5.8, in seconds, and how often a side bids."""

    reply: float = 0.010  # the shortest time before a reply
    pause: float = 0.100  # the shortest time before the bid of the second handshake, and of the data
    ask: float = 0.300  # from a WACK to the question whether it is time now (100 to 500 ms)
    a: float = 1.0  # from the end of what was sent to its answer
    b: float = 0.100  # between two characters of a frame
    d: float = 2.0  # from an answer to what the other side sends next
    overall: float = 60.0  # without anything new
    byte: float = 10 / 9600  # one character on the line
    bids: int = 10


class Wire:
    """What is to be sent, each with the earliest time for it."""

    def __init__(self, timers: Timers) -> None:
        self.timers = timers
        self._waiting: deque[tuple[float, bytes]] = deque()

    def send(self, data: bytes, now: float, pause: float = 0.0) -> float:
        """Queue `data`, after `pause` s at the earliest; the time at which its last byte will have left."""
        at = now + max(self.timers.reply, pause)
        self._waiting.append((at, data))
        return at + len(data) * self.timers.byte

    def take(self, now: float) -> bytes:
        """All bytes that may leave at `now`."""
        ready = bytearray()
        while self._waiting and self._waiting[0][0] <= now:
            ready += self._waiting.popleft()[1]
        return bytes(ready)

    @property
    def due(self) -> float | None:
        """When the next bytes may leave."""
        return self._waiting[0][0] if self._waiting else None


class SendPhase:
    """Master of a phase: ENQ, the blocks with alternating acknowledgements, EOT."""

    def __init__(self, name: str, blocks: Sequence[bytes], wire: Wire, now: float, *, pause: float = 0.0) -> None:
        self.name = name
        self.done = False
        self.collided = False
        self.failure: LiandongError | None = None
        self._blocks = blocks
        self._wire = wire
        self._place = -1  # the block in flight; -1 = the bid
        self._tries = 0
        self._asks = False
        self.due = now
        self._send(now, pause)

    @property
    def progress(self) -> int:
        """Grows with every block that has arrived."""
        return self._place

    def token(self, token: Token, now: float) -> None:
        """What the other side said."""
        if self._place < 0:
            self._on_bid_answer(token, now)
        elif token == ACK_TOKENS[(self._place + 1) % 2]:
            self._advance(now)
        elif token is Control.NAK:
            self._again(now, "dex-damaged")
        elif token is Control.WACK:
            self._asks, self._tries = True, 0
            self.due = now + self._wire.timers.ask
        elif token is Control.EOT or token is Control.ENQ:
            self.failure = DeviceError("protocols.evadts.dex-ended", phase=self.name)

    def alive(self, now: float) -> None:
        """Bytes arrived: an answer may be under way."""

    def damaged(self, now: float) -> None:
        """A frame broke off; the timer decides."""

    def tick(self, now: float) -> None:
        """The time `due` has come: ask or send again, or give up."""
        if now < self.due:
            return
        if self._place < 0:
            if self._tries >= self._wire.timers.bids:
                self.failure = DeviceError("protocols.evadts.dex-no-answer", tries=self._tries)
            else:
                self._send(now)
        elif self._asks and self._tries < _MAX_TRIES:
            self._tries += 1
            self.due = self._wire.send(ENQ, now) + self._wire.timers.a
        else:
            self._again(now, "dex-timeout")

    def _on_bid_answer(self, token: Token, now: float) -> None:
        if token is Control.ACK0:
            self._advance(now)
        elif token is Control.ENQ:
            self.collided = True

    def _advance(self, now: float) -> None:
        self._place += 1
        self._tries = 0
        self._asks = False
        if self._place == len(self._blocks):
            self._wire.send(EOT, now)
            self.done = True
        else:
            self._send(now)

    def _again(self, now: float, code: str) -> None:
        if self._tries >= _MAX_TRIES:
            self.failure = DeviceError(f"protocols.evadts.{code}", phase=self.name)
        else:
            self._send(now)

    def _send(self, now: float, pause: float = 0.0) -> None:
        self._tries += 1
        frame = ENQ if self._place < 0 else self._blocks[self._place]
        self.due = self._wire.send(frame, now, pause) + self._wire.timers.a


class ReceivePhase:
    """Slave of a phase: answers the bid, acknowledges blocks in turn, waits for EOT.

    With `hold_last` the answer to the last block waits for `confirm`: `complete` says that it is due.
    """

    def __init__(
        self, name: str, head: Head, wire: Wire, now: float, *, bid: bool = False, hold_last: bool = False
    ) -> None:
        self.name = name
        self.done = False
        self.complete = False
        self.announced = False  # the session has told of `complete`
        self.failure: LiandongError | None = None
        self._head = head
        self._wire = wire
        self._hold_last = hold_last
        self._bodies: list[bytes] = []
        self._previous: tuple[float, Block] | None = None
        self._answer = b""
        self._held = False
        self._owed = False  # a WACK went out, and no question came since it could be answered
        self._size = 0
        self._damage = 0
        self.due = now + wire.timers.d
        if bid:
            self._reply(ACKS[0], now)

    @property
    def data(self) -> bytes:
        """The bodies of all blocks so far."""
        return b"".join(self._bodies)

    @property
    def progress(self) -> int:
        """Grows with every block that has arrived."""
        return len(self._bodies)

    def token(self, token: Token, now: float) -> None:
        """What the other side said."""
        if isinstance(token, Block):
            self._on_block(token, now)
        elif token is Control.ENQ:
            self._reply(WACK if self._held else self._answer or ACKS[0], now)
        elif token is Control.EOT:
            self._on_end()

    def alive(self, now: float) -> None:
        """Bytes arrived: the timer waits for the rest of the frame."""
        self.due = max(self.due, now + 2 * self._wire.timers.b)

    def damaged(self, now: float) -> None:
        """A frame broke off in the middle: ask for it again."""
        if self._answer and not self.complete:
            self._refuse(now)

    def confirm(self, now: float) -> None:
        """What `complete` announced is safe: answer the last block, after a WACK when the other side asks again."""
        if not self._held:
            return
        self._held = False
        if self._owed:
            self._answer = ACKS[len(self._bodies) % 2]
            self.due = now + self._wire.timers.d
        else:
            self._acknowledge(now)

    def tick(self, now: float) -> None:
        """The time `due` has come: the other side is silent, or our held answer must not wait longer."""
        if now < self.due:
            return
        if self._held:
            self._owed = True
            self._wire.send(WACK, now)
            self.due = now + self._wire.timers.d
        elif self._owed:
            self._reply(self._answer, now)  # the question was lost
        elif self.complete:
            self.done = True  # EOT was lost; everything had been answered
        else:
            self.failure = DeviceError("protocols.evadts.dex-timeout", phase=self.name)

    def _on_block(self, token: Block, now: float) -> None:
        if not self._answer:
            return  # no bid before it: the other side will time out and bid
        if not token.fits or token.head != self._head:
            self._refuse(now)
        elif self._repeated(token, now):
            self._reply(WACK if self._held else self._answer, now)
        elif not self.complete:
            self._take(token, now)

    def _take(self, token: Block, now: float) -> None:
        self._damage = 0
        self._bodies.append(token.body)
        self._size += len(token.body)
        if self._size > _MAX_DATA:
            self.failure = DeviceError("protocols.evadts.dex-too-long", limit=_MAX_DATA)
            return
        self._previous = (now, token)
        self.complete = token.last
        if token.last and self._hold_last:
            self._held = True
            self.due = now + _HOLD_S
        else:
            self._acknowledge(now)

    def _repeated(self, token: Block, now: float) -> bool:
        if self._previous is None:
            return False
        answered, before = self._previous
        return before == token and (self.complete or now - answered >= _REPEAT_S)

    def _on_end(self) -> None:
        if self.complete and not self._held:
            self.done = True
        elif self._answer:
            self.failure = DeviceError("protocols.evadts.dex-ended", phase=self.name)

    def _acknowledge(self, now: float) -> None:
        self._reply(ACKS[len(self._bodies) % 2], now)

    def _refuse(self, now: float) -> None:
        self._damage += 1
        if self._damage > _MAX_TRIES:
            self.failure = DeviceError("protocols.evadts.dex-damaged", phase=self.name)
        else:
            self._wire.send(NAK, now)
            self.due = now + self._wire.timers.d

    def _reply(self, answer: bytes, now: float) -> None:
        if answer != WACK:
            self._answer = answer
        self._owed = answer == WACK
        self.due = self._wire.send(answer, now) + self._wire.timers.d
