"""The uplink at work: one thread that drives the session machine over one connection after another.

It sleeps until something comes (see `Signals`), at most a second while it is connected.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from edge.board import Board
from edge.clock.values import Word
from edge.config import GatewayTable, UplinkTable
from edge.log import Log
from edge.outbox.store import LANES, Block, Outbox
from edge.uplink.link import CONNECT_S, Link, refused
from edge.uplink.sending import History, Sending
from edge.uplink.signals import (
    Connected,
    DeviceChanged,
    Disconnected,
    Message,
    Renewed,
    Signal,
    Signals,
    Subscribed,
    Written,
)
from edge.uplink.view import AgentView
from protocols.delivery import Lane, MessageId, NumberSet
from protocols.errors import LiandongError, ProtocolError, StorageError, UnavailableError
from protocols.sparkplug.actions import Disconnect, Malformed, Now, Publish, Subscribe
from protocols.sparkplug.edge_node import Acknowledged, Action, Born, Command, EdgeNode, Stage

MOST_PAUSE_S: Final = 60.0
DYING_S: Final = 5.0
"""How long the death of a device waits for what it told before."""
_TICK_S: Final = 1.0

Lost = Callable[[Block, StorageError], None]
"""A stored message could not be read and was deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkCondition:
    """Where the uplink stands: away (no broker), waiting (for the primary host), born; since when, and why.

    `certificate_until_ms`: until when the certificate is valid that the broker showed last; None without TLS.
    """

    stage: str = "away"
    since_ms: int = 0
    answered: bool = False
    in_flight: int = 0
    sent: int = 0
    again: int = 0
    births: int = 0
    certificate_until_ms: int | None = None
    error: LiandongError | None = None


def pause_before(attempt: int, first_s: float) -> float:
    """Seconds before connecting again, by chance and longer with each `attempt` (from 0).

    Many gateways that lost the same broker must not come back as one.
    """
    return random.uniform(0, min(MOST_PAUSE_S, first_s * 2.0**attempt))  # noqa: S311 - jitter


class Uplink:
    """Sends what the outbox holds. `device_changed` and `condition` may be called from any thread."""

    def __init__(
        self,
        *,
        gateway: GatewayTable,
        settings: UplinkTable,
        bdseq: Callable[[], int],
        outbox: Outbox,
        board: Board,
        view: AgentView,
        lost: Lost,
        commanded: Callable[[Command], None],
        now_ms: Callable[[], int],
        steady: Callable[[], float] = time.monotonic,
        told: Callable[[Word], None] = lambda word: None,
        agrees: Callable[[], bool] = lambda: True,
    ) -> None:
        """`now_ms`: UTC, 0 while unknown; `steady` (s): since the boot; `told` hears what the host says of the time.

        `agrees`: whether the system clock shows that UTC.
        """
        self._steady, self._told, self._agrees = steady, told, agrees
        self._born_at, self._undated = 0.0, False
        self._gateway, self._settings, self._bdseq = gateway, settings, bdseq
        self._wanted = settings
        self._born_by: UplinkTable | None = None
        self._outbox, self._board, self._view = outbox, board, view
        self._lost, self._commanded, self._now_ms = lost, commanded, now_ms
        self._log = Log("uplink")
        self._acknowledged = settings.delivery == "acknowledged"
        host = settings.primary_host or None
        self._node = EdgeNode(group=gateway.group, node=gateway.node, view=view, primary_host=host)
        self._signals = Signals()
        self._sending = Sending(outbox, self._unreadable)
        self._history = History()
        self._link: Link | None = None
        self._dying: dict[str, float] = {}
        self._by_mid: dict[int, MessageId] = {}
        self._noting = True
        self._epoch = outbox.epoch
        self._attempts = 0
        self._condition = UplinkCondition(since_ms=now_ms())
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        outbox.on_append(self._signals.ring)

    @property
    def condition(self) -> UplinkCondition:
        """Where it stands."""
        return replace(self._condition, answered=self._node.answered, in_flight=self._sending.window.in_flight)

    @property
    def renewed(self) -> bool:
        """Whether the newest birth was made by the settings that are wanted now."""
        return self._born_by == self._wanted

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def close(self, timeout_s: float = 15.0) -> None:
        """NDEATH, DISCONNECT, end."""
        self._signals.stop()
        self._thread.join(timeout_s)

    def renew(self, settings: UplinkTable) -> None:
        """Births again, over another connection if `settings` differ (whom it talks to and how is fixed)."""
        self._wanted = settings
        self._attempts = 0
        self._signals.put(Renewed())
        self._signals.hurry()

    def device_changed(self, device: str, *, online: bool) -> None:
        """A device was lost, or answers again; what it told before is in the outbox."""
        self._signals.put(DeviceChanged(device=device, online=online))

    def _run(self) -> None:
        while not self._signals.stopping:
            try:
                self._connect_once()
            except UnavailableError as error:
                self._stage("away", error=error)
            except Exception as error:  # noqa: BLE001 - the agent keeps collecting, and the uplink tries again
                self._log.error("uplink-crashed", trace=True)
                self._stage("away", error=UnavailableError("edge.uplink.crashed", why=repr(error)))
            finally:
                self._leave()
            pause_s = pause_before(self._attempts, self._settings.reconnect_s)
            self._attempts = min(self._attempts + 1, 16)
            self._signals.pause(pause_s)

    def _connect_once(self) -> None:
        self._signals.drain()
        self._settings = self._wanted
        will = self._node.connect(self._bdseq(), self._now())
        client_id = f"{self._gateway.group}-{self._gateway.node}"
        utc_ms = None if self._agrees() else self._now_ms()
        self._undated = utc_ms == 0
        written = not self._acknowledged
        self._link = Link(self._settings, client_id, will, self._signals, written=written, utc_ms=utc_ms)
        self._condition = replace(self._condition, certificate_until_ms=self._link.valid_until_ms)
        given_up = self._steady() + CONNECT_S
        while self._converse():
            if self._node.stage is Stage.OFFLINE and self._steady() > given_up:
                raise UnavailableError("edge.uplink.no-answer", host=self._settings.host, seconds=CONNECT_S)

    def _converse(self) -> bool:
        """One round: hear what came, send what may go. False when the connection is over."""
        if self._node.stage is Stage.BORN:
            self._send()
        signals = self._signals.wait(self._until_due())
        if self._signals.stopping:
            self._do(self._node.stop(self._now()))
            return False
        written: list[MessageId] = []
        for signal in signals:
            if isinstance(signal, Written):
                written += [message] if (message := self._by_mid.pop(signal.mid, None)) else []
            elif not self._hear(signal):
                return False
        self._settle(written)
        if self._node.stage is Stage.BORN:
            return self._keep_time()
        return True

    def _until_due(self) -> float:
        expiry = self._sending.window.next_expiry()
        return _TICK_S if expiry is None else max(0.0, min(_TICK_S, expiry - self._steady()))

    def _keep_time(self) -> bool:
        now = self._now()
        if self._undated and now.utc_ms and self._link is not None:
            self._undated = False
            self._link.check(now.utc_ms)
        again = self._sending.expire(now.at)
        if again:
            self._condition = replace(self._condition, again=self._condition.again + again)
        if self._outbox.epoch != self._epoch:
            self._epoch = self._outbox.epoch
            self._sending.reset()
            return self._do(self._node.birth(now))
        return self._do(self._node.tick(now))

    def _hear(self, signal: Signal) -> bool:
        """Act on one signal. False when the connection is over."""
        now = self._now()
        if isinstance(signal, Message):
            return self._do(self._node.received(signal.topic, signal.payload, now))
        if isinstance(signal, Disconnected):
            self._stage("away", error=self._lost_connection(signal.why))
            return False
        if isinstance(signal, Connected | Subscribed):
            if signal.refused is not None:
                raise refused(self._settings.host, signal.refused)
            if isinstance(signal, Connected):
                self._stage("waiting")
                return self._do(self._node.connected())
            return self._do(self._node.subscribed(now))
        if isinstance(signal, Renewed):
            return self._renewed(now)
        if isinstance(signal, DeviceChanged):
            self._device_changed(signal, now)
        return True

    def _renewed(self, now: Now) -> bool:
        if self._wanted != self._settings:
            return self._do(self._node.stop(now))
        return self._do(self._node.birth(now)) if self._node.stage is Stage.BORN else True

    def _device_changed(self, signal: DeviceChanged, now: Now) -> None:
        if not signal.online:
            self._dying[signal.device] = now.at + DYING_S
        elif self._dying.pop(signal.device, None) is None and self._node.stage is Stage.BORN:
            self._device_born(signal.device)
            self._do(self._node.device_birth(signal.device, now))

    def _do(self, actions: Iterable[Action]) -> bool:
        """Carry out `actions`. False after a Disconnect."""
        assert self._link is not None
        began = self._steady()
        for action in actions:
            if isinstance(action, Publish):
                self._link.publish(action)
            elif isinstance(action, Subscribe):
                self._link.subscribe(action)
            elif isinstance(action, Disconnect):
                self._stage("away", error=None if action.reason == "stopped" else self._lost_connection(action.reason))
                return False
            elif isinstance(action, Acknowledged):
                self._obey(action)
            elif isinstance(action, Born):
                self._born(began)
            elif isinstance(action, Command):
                self._commanded(action)
            elif isinstance(action, Malformed):
                self._log.warning("malformed", topic=action.topic, code=action.code, what=action.what)
        return True

    def _obey(self, said: Acknowledged) -> None:
        """A full disk that cannot note an acknowledgement costs a repetition of the message, not the connection."""
        heard = self._steady()
        if said.timestamp_ms:
            asked = max(self._born_at, self._sending.asked(said.ack))
            self._told(Word.between(asked_s=asked, told_ms=said.timestamp_ms, heard_s=heard))
        try:
            self._sending.hear(said.ack, heard)
        except StorageError as error:
            if error.code == "edge.storage.corrupt":
                raise
            if self._noting:
                self._log.error("acknowledgement-not-noted", error=error)
            self._noting = False
        else:
            self._noting = True

    def _born(self, began: float) -> None:
        self._attempts, self._born_at = 0, began
        self._dying.clear()
        self._history.begin()
        for device in ("", *self._view.live_devices()):
            self._device_born(device)
        self._born_by = self._settings
        self._condition = replace(self._condition, births=self._condition.births + 1)
        self._stage("born")

    def _device_born(self, device: str) -> None:
        heads = {lane: self._outbox.head(lane) for lane in LANES}
        self._history.born(device, heads, self._view.latest(device))

    def _send(self) -> None:
        """Send what the window lets go, urgent first; then let die what is lost and has nothing left to say."""
        while (outgoing := self._sending.next()) is not None:
            now = self._now()
            block = outgoing.block
            metrics = self._history.metrics(outgoing, self._view.datatype)
            try:
                actions = self._node.data(
                    block.device or None, metrics, now, message=block.id if self._acknowledged else None
                )
            except ProtocolError as error:
                self._sending.rewind(block.id.lane)
                self._unreadable(block, StorageError("edge.outbox.unreadable-block", why=str(error)))
                continue
            self._sending.sent(outgoing, now.at)
            self._publish(actions, block.id)
        self._bury()

    def _publish(self, actions: Iterable[Action], message: MessageId) -> None:
        assert self._link is not None
        mid, began = 0, self._steady()
        for action in actions:
            if isinstance(action, Publish):
                mid = self._link.publish(action)
            elif isinstance(action, Born):
                self._born(began)
        if not self._acknowledged:
            self._by_mid[mid] = message
        self._condition = replace(self._condition, sent=self._condition.sent + 1)

    def _bury(self) -> None:
        now = self._now()
        if self._sending.head(Lane.URGENT) is not None:
            return
        silent = self._sending.head(Lane.BULK) is None
        for device in [device for device, at in self._dying.items() if silent or at <= now.at]:
            del self._dying[device]
            self._do(self._node.device_death(device, now))
        if silent:
            self._do(self._node.end_backlog(now))

    def _settle(self, written: Iterable[MessageId]) -> None:
        """Plain delivery: what left the process counts as delivered."""
        numbers: dict[tuple[object, Lane], list[MessageId]] = {}
        for message in written:
            numbers.setdefault((message.epoch, message.lane), []).append(message)
        for messages in numbers.values():
            done = NumberSet((message.first, message.last) for message in messages)
            self._outbox.acknowledge(messages[0].epoch, messages[0].lane, done, done)
            self._sending.confirmed(messages, self._steady())

    def _leave(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()
        self._node.disconnected()
        self._sending.reset()
        self._by_mid.clear()
        self._dying.clear()

    def _unreadable(self, block: Block, error: StorageError) -> None:
        self._outbox.drop(block.id)
        self._lost(block, error)

    def _lost_connection(self, why: str) -> UnavailableError:
        code = "edge.uplink.host-away" if why == "host-offline" else "edge.uplink.lost"
        return UnavailableError(code, host=self._settings.host, why=why)

    def _stage(self, stage: str, *, error: LiandongError | None = None) -> None:
        before = self._condition
        if before.stage != stage or (error is not None and str(error) != str(before.error)):
            broker = f"{self._settings.host}:{self._settings.port}"
            (self._log.info if error is None else self._log.warning)(stage, broker=broker, error=error)
            since = before.since_ms if before.stage == stage else self._now_ms()
            self._condition = replace(before, stage=stage, since_ms=since, error=error)

    def _now(self) -> Now:
        return Now(at=self._steady(), utc_ms=self._now_ms())
