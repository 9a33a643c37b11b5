"""The one that says STATE: elected by a lease in the database, on a connection of its own.

While the database is away nobody can take the lease, so the holder stays; when another has it, this one leaves without
a word, for the other has already spoken.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from typing import Final

from cloud.ingest.link import Broker, Heard, Link
from cloud.storage import leases
from cloud.storage.database import Database, Transaction
from protocols.errors import UnavailableError
from protocols.sparkplug import state_holder as machine
from protocols.sparkplug.actions import Disconnect, Malformed, Publish, Subscribe
from protocols.sparkplug.topics import state_topic

_LOG: Final = logging.getLogger("liandong.cloud.state")
LEASE_S: Final = 3.0
"""How long a successor waits after a kill; gateways keep what they observe in the meantime."""
CUT_OFF_S: Final = 6.0
"""So long without a broker it holds on, when another one waits that may have a way to it."""
_STOP_S: Final = 10.0
_TOLD_S: Final = 10.0
"""Within so long every worker has noticed that the database is another one; they tell it once."""


class StateHolder:
    """Competes for the STATE of `host_id`, and says it while it holds the lease. Started once, stopped once."""

    def __init__(
        self, database: Database, broker: Broker, host_id: str, *, lease_s: float = LEASE_S, again_every_s: float = 0.0
    ) -> None:
        """`again_every_s`: the birth is repeated so often; 0: never."""
        self._database = database
        self._broker = broker
        self._host_id = host_id
        self._lease = f"state/{host_id}"
        self._next = f"next-state/{host_id}"
        self._lease_s = lease_s
        self._holder = str(uuid.uuid4())
        self._restored: str | None = None
        self._again_every_s = again_every_s
        self._again_at = 0.0
        self._up_at = 0.0
        self._out_until = 0.0
        self._machine = machine.StateHolder(host_id)
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="state-holder", daemon=True)

    @property
    def online(self) -> bool:
        """Whether this process says STATE now, and said online."""
        return self._machine.online

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to compete for the lease."""
        self._thread.start()

    def stop(self) -> None:
        """Say offline with the time of the stop, give the lease back, and wait for the thread, bounded."""
        self._stop.set()
        self._thread.join(_STOP_S)

    def bounce(self) -> None:
        """Offline, then online again, so that every agent births and declares what it holds."""
        with self._lock:
            if self._machine.online:
                self._do(self._machine.bounce(_now_ms()))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
            except Exception:  # noqa: BLE001 - the thread must not die: gateways would wait for STATE for ever
                _LOG.exception("state-turn-failed host=%s", self._host_id)
            self._stop.wait(self._lease_s / 3 * random.uniform(0.8, 1.0))  # noqa: S311 - jitter
        self._end()

    def _turn(self) -> None:
        before = self._restored
        held = self._hold() if time.monotonic() >= self._out_until else False
        if held and self._link is None:
            self._begin()
        elif held and self._restored != before:
            self.bounce()
        elif held is False and self._link is not None:
            self._leave()
        self._tend()

    def _tend(self) -> None:
        """Say it again when that is due; let another have it when our way to the broker is gone."""
        now = time.monotonic()
        if self._link is None:
            return
        if self._link.up:
            self._up_at = now
            if self._again_every_s and now >= self._again_at:
                self._again_at = now + self._again_every_s
                with self._lock:
                    self._do(self._machine.again())
        elif now - self._up_at > CUT_OFF_S and self._another_waits():
            self._out_until = now + 2 * CUT_OFF_S
            self._leave()
            self._give_back()

    def _another_waits(self) -> bool:
        """Whether somebody else would say STATE, if we did not."""
        try:
            with self._database.transaction() as tx:
                return leases.runs(tx, self._next)
        except UnavailableError:
            return False

    def _hold(self) -> bool | None:
        """Whether the lease is ours; None when nobody can know."""
        try:
            with self._database.transaction() as tx:
                self._restored = leases.holder(tx, _restored(self._host_id))
                held = leases.hold(tx, self._lease, self._holder, self._lease_s) is not None
                if not held:
                    leases.hold(tx, self._next, self._holder, self._lease_s)
                return held
        except UnavailableError:
            return None

    def _begin(self) -> None:
        self._up_at = time.monotonic()
        _LOG.info("state-held host=%s", self._host_id)
        self._link = Link(
            self._broker,
            f"liandong-state-{self._holder[:12]}",
            Subscribe(filters=(state_topic(self._host_id),), qos=1),
            on_message=self._heard,
            on_up=self._up,
            on_down=self._down,
            will=self._will,
        )
        self._link.start()

    def _leave(self) -> None:
        """Another holds it now."""
        _LOG.warning("state-lost host=%s", self._host_id)
        if self._link is not None:
            self._link.stop()
            self._link = None

    def _end(self) -> None:
        if self._link is not None:
            with self._lock:
                self._do(self._machine.stop(_now_ms()))
            self._link.stop()
            self._link = None
        self._give_back()

    def _give_back(self) -> None:
        try:
            with self._database.transaction() as tx:
                leases.release(tx, self._lease, self._holder)
        except UnavailableError:
            _LOG.info("state-lease-expires host=%s", self._host_id)

    def _will(self) -> Publish:
        with self._lock:
            return self._machine.connect(_now_ms())

    def _down(self) -> None:
        with self._lock:
            self._machine.disconnected()

    def _up(self) -> None:
        with self._lock:
            self._do(self._machine.subscribed())

    def _heard(self, heard: Heard) -> None:
        with self._lock:
            self._do(self._machine.received(heard.payload, retained=heard.retained))

    def _do(self, actions: list[machine.Action]) -> None:
        for action in actions:
            match action:
                case Publish():
                    if self._link is not None and not self._link.publish(action):
                        self._link.drop()  # nobody knows that we are here: once more
                case Disconnect(reconnect=True):
                    if self._link is not None:
                        self._link.drop()
                case Malformed():
                    _LOG.warning("state-unreadable code=%s", action.code)
                case _:
                    pass


def tell_restored(tx: Transaction, host_id: str) -> None:
    """Let whoever says STATE for `host_id`, in whichever process, bounce within a second: once for all workers."""
    leases.hold(tx, _restored(host_id), str(uuid.uuid4()), _TOLD_S)


def _restored(host_id: str) -> str:
    return f"restored/{host_id}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
