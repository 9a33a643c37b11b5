"""One ingest worker with all that belongs to it: in the service's own process, or in one of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Event
from typing import Final

from cloud.alerting.builtin import builtin_rules
from cloud.config import Config
from cloud.domain import policy
from cloud.ingest import losses
from cloud.ingest.link import Broker
from cloud.ingest.shares import Shares
from cloud.ingest.state_holder import tell_restored
from cloud.ingest.worker import IngestWorker
from cloud.loop.alarms import IngestJudge, load_rules
from cloud.metrics import Metrics
from cloud.registry import sets
from cloud.storage.database import Database
from cloud.storage.migrate import reach
from cloud.storage.places import Places
from protocols.sparkplug.actions import Publish

_STATEMENT_S: Final = 10.0
"""Alarms wait behind a statement: a dead way to the database must show soon. What failed comes again."""


class Carrier:
    """Takes its share of the groups, judges and stores it. `open` once the schema is there, then `close`."""

    def __init__(self, config: Config, metrics: Metrics, places: Places) -> None:
        self._config = config
        self._metrics = metrics
        self._places = places
        # Requests must not take the connections that ingest needs, nor wait for those that it holds.
        self._database = Database(config.database.resolved(), max_size=4, statement_s=_STATEMENT_S)
        self._parts: tuple[IngestWorker, Shares] | None = None

    def open(self) -> None:
        """Begin. A broker that is away is waited for. Raises UnavailableError without a database."""
        self._database.open()
        with self._database.transaction() as tx:
            rules = load_rules(tx, builtin_rules())
            losses.begin(tx, datetime.now(UTC))
        self.judge = IngestJudge(rules, policy.builtin(), self._places)
        broker = broker_of(self._config)
        worker = IngestWorker(
            self._database,
            broker,
            self._config.host_id,
            self.judge,
            self.judge.watches,
            metrics=self._metrics,
            on_restored=self._restored,
            shared=True,
        )
        shares = Shares(self._database, broker, self._config.host_id, worker)
        self._parts = (worker, shares)
        shares.start()
        worker.start()

    def close(self) -> None:
        """Give the share back, finish the group at hand; bounded."""
        if self._parts is not None:
            worker, shares = self._parts
            shares.stop()
            worker.stop()
        self._database.close()

    def send(self, message: Publish) -> bool:
        """Publish on the worker's connection; False when there is none. From any thread; never waits."""
        return self._parts is not None and self._parts[0].send(message)

    @property
    def alive(self) -> bool:
        """Whether its threads run."""
        return self._parts is not None and all(part.alive for part in self._parts)

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._parts is not None and self._parts[0].connected

    @property
    def in_time(self) -> bool:
        """Whether what arrives is stored soon, here and at every other worker."""
        return self._parts is None or (self._parts[0].in_time and self._parts[1].in_time)

    def _restored(self) -> None:
        """An older database, or an emptied one: it gets what it must have before anything is stored in it."""
        with self._database.transaction() as tx:
            load_rules(tx, builtin_rules())
            losses.begin(tx, datetime.now(UTC))
            sets.distrust(tx, datetime.now(UTC))
            tell_restored(tx, self._config.host_id)
        self._places.forget()


def broker_of(config: Config) -> Broker:
    """The broker that a configuration names. Raises ConfigError when its password cannot be read."""
    table = config.broker
    return Broker(host=table.host, port=table.port, username=table.username, password=table.password())


def carry_until(stop: Event, config: Config) -> None:
    """A worker as a process of its own, until `stop` is set. Raises UnavailableError and StorageError as `reach`."""
    database = Database(config.database.resolved(), max_size=1)
    database.open()
    try:
        reach(database)
    finally:
        database.close()
    carrier = Carrier(config, Metrics(), Places())
    try:
        carrier.open()
        stop.wait()
    finally:
        carrier.close()
