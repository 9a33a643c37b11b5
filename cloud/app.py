"""The composition root of the service: what is made, what is given to whom, what starts and stops in which order."""

from __future__ import annotations

import logging
import random
import socket
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

import uvicorn

from cloud.alerting.builtin import builtin_rules
from cloud.api.application import application
from cloud.api.hub import Hub
from cloud.api.services import Services
from cloud.config import Config
from cloud.domain import policy
from cloud.due import DueWorker
from cloud.handlers import handlers
from cloud.ingest import losses
from cloud.ingest.link import Broker
from cloud.ingest.state_holder import StateHolder
from cloud.ingest.worker import IngestWorker
from cloud.jobs import Jobs, standard_jobs
from cloud.listener import Listener
from cloud.loop.alarms import IngestJudge, load_rules
from cloud.loop.commands import Courier
from cloud.metrics import Metrics
from cloud.storage.database import Database
from cloud.storage.migrate import migrate
from cloud.storage.places import Places
from protocols.errors import ConfigError, UnavailableError

_LOG: Final = logging.getLogger("liandong.cloud")

DATABASE_WITHIN_S: Final = 60.0
"""At the start a database that is away is waited for this long."""
GRACE_S: Final = 3
_INGEST_STATEMENT_S: Final = 10.0
"""Alarms wait behind a statement: a dead way to the database must show soon. What failed comes again."""


class Cloud:
    """The whole service. `open`, then `serve` until a signal or `stop`, then `close`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.database = Database(config.database.resolved())
        # Requests must not take the connections that ingest needs, nor wait for those that it holds.
        self._ingest_database = Database(config.database.resolved(), max_size=3, statement_s=_INGEST_STATEMENT_S)
        self.metrics = Metrics()
        self._places = Places()
        self._hub = Hub()
        self._server: _Server | None = None
        self._socket: socket.socket | None = None
        self._parts: list[Listener | DueWorker | IngestWorker | StateHolder | Jobs] = []

    @property
    def port(self) -> int:
        """The port it listens on, once open."""
        assert self._socket is not None
        bound: int = self._socket.getsockname()[1]
        return bound

    def open(self) -> None:
        """Take the port, reach the database, bring its schema up to date, start every part.

        Raises ConfigError (the port is in use), UnavailableError (no database), StorageError (a newer schema).
        """
        self._socket = listening(self._config.http.listen, self._config.http.port)
        self.database.open()
        reach(self.database)
        self._ingest_database.open()
        with self.database.transaction() as tx:
            rules = load_rules(tx, builtin_rules())
            losses.begin(tx, datetime.now(UTC))
        judge = IngestJudge(rules, policy.builtin(), self._places)
        broker = self._broker()
        state = StateHolder(self.database, broker, self._config.host_id)

        def restored() -> None:
            """An older database, or an emptied one: it gets what it must have before anything is stored in it."""
            with self._ingest_database.transaction() as tx:
                load_rules(tx, builtin_rules())
                losses.begin(tx, datetime.now(UTC))
            self._places.forget()
            state.bounce()

        ingest = IngestWorker(
            self._ingest_database,
            broker,
            self._config.host_id,
            judge,
            judge.watches,
            metrics=self.metrics,
            on_restored=restored,
        )
        courier = Courier(self._config.host_id, ingest.send)
        due = DueWorker(self.database, self._places, handlers(judge.judge, {}, courier))
        listener = Listener(self.database.dsn, {"stream": self._hub.heard, "due": lambda _: due.wake()})
        jobs = Jobs(self.database, standard_jobs(self._config.street.zone()))
        self._parts = [listener, due, ingest, state, jobs]
        for part in self._parts:
            part.start()

        def working() -> dict[str, bool]:
            alive = {"listener": listener.alive, "timers": due.alive, "ingest": ingest.alive, "state": state.alive}
            return alive | {"broker": ingest.connected, "in_time": ingest.in_time}

        self._server = _Server(self._web(working), self._hub)

    def serve(self) -> None:
        """Answer requests until a signal or `stop`."""
        assert self._server is not None
        assert self._socket is not None
        _LOG.info("serving on %s:%d", self._config.http.listen, self.port)
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Let `serve` return. From any thread."""
        if self._server is not None:
            self._server.should_exit = True

    def close(self) -> None:
        """Stop every part, the last started first; bounded."""
        for part in reversed(self._parts):
            part.stop()
        self._ingest_database.close()
        self.database.close()
        if self._socket is not None:
            self._socket.close()

    def _broker(self) -> Broker:
        table = self._config.broker
        return Broker(host=table.host, port=table.port, username=table.username, password=table.password())

    def _web(self, working: Callable[[], Mapping[str, bool]]) -> uvicorn.Config:
        services = Services(
            database=self.database,
            places=self._places,
            hub=self._hub,
            time_zone=self._config.street.time_zone,
            version=version("liandong"),
            metrics=self.metrics,
            secure=self._config.http.secure,
            simulation=self._config.simulation.socket if self._config.simulation else None,
            working=working,
        )
        return uvicorn.Config(
            application(services),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            limit_concurrency=4000,
        )


class _Server(uvicorn.Server):
    """Streams never end by themselves: they are ended first when the service stops."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.close()
        await super().shutdown(sockets)


def listening(address: str, port: int) -> socket.socket:
    """A bound socket. Raises ConfigError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # The protocol is named: asyncio switches Nagle's algorithm off only then, which is worth 40 ms an answer.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((address, port))
    except OSError as error:
        bound.close()
        raise ConfigError(
            "cloud.http.cannot-listen", address=address, port=port, why=error.strerror or error
        ) from error
    return bound


def reach(database: Database, within_s: float = DATABASE_WITHIN_S) -> None:
    """Bring the schema up to date, waiting for a database that is away. Raises UnavailableError and StorageError."""
    until, attempt = time.monotonic() + within_s, 0
    while True:
        try:
            migrate(database)
        except UnavailableError as error:
            if time.monotonic() >= until:
                raise
            pause_s = min(5.0, 0.2 * 2.0**attempt) * random.uniform(0.75, 1.25)  # noqa: S311  # jitter
            _LOG.warning("waiting for the database: %s", error)
            time.sleep(pause_s)
            attempt += 1
        else:
            return
