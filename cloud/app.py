"""The composition root of the service: what is made, what is given to whom, what starts and stops in which order."""

from __future__ import annotations

import logging
import socket
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

import uvicorn

from cloud.alerting.builtin import builtin_rules
from cloud.api.application import application
from cloud.api.hub import Hub
from cloud.api.services import Services
from cloud.carrier import Carrier, broker_of
from cloud.config import Config
from cloud.domain import policy
from cloud.due import DueWorker
from cloud.handlers import handlers
from cloud.ingest import losses
from cloud.ingest.link import Broker, Link
from cloud.ingest.state_holder import StateHolder
from cloud.jobs import Jobs, standard_jobs
from cloud.listener import Listener
from cloud.loop.alarms import IngestJudge, load_rules
from cloud.loop.writer import Writer
from cloud.metrics import Metrics
from cloud.processes import WorkerProcesses
from cloud.storage import workers
from cloud.storage.database import Database
from cloud.storage.migrate import reach
from cloud.storage.places import Places
from protocols.errors import ConfigError, UnavailableError
from protocols.sparkplug.actions import Subscribe

_LOG: Final = logging.getLogger("liandong.cloud")

GRACE_S: Final = 3


class Cloud:
    """The whole service. `open`, then `serve` until a signal or `stop`, then `close`."""

    def __init__(self, config: Config, *, apart: WorkerProcesses | None = None) -> None:
        """`apart`: processes that ingest instead of this one."""
        self._config = config
        self.database = Database(config.database.resolved())
        self.metrics = Metrics()
        self._places = Places()
        self._hub = Hub()
        self._server: _Server | None = None
        self._socket: socket.socket | None = None
        self._apart = apart
        self._carrier = None if apart else Carrier(config, self.metrics, self._places)
        self._parts: list[Listener | DueWorker | StateHolder | Jobs | WorkerProcesses | Link] = []

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
        with self.database.transaction() as tx:
            rules = load_rules(tx, builtin_rules())
            losses.begin(tx, datetime.now(UTC))
        judge = IngestJudge(rules, policy.builtin(), self._places)
        broker = broker_of(self._config)
        every_s = self._config.broker.state_every_s
        state = StateHolder(self.database, broker, self._config.host_id, again_every_s=every_s)
        link = _sender(broker)
        writer, time_zone = Writer(host_id=self._config.host_id, send=link.publish), self._config.street.time_zone
        due = DueWorker(self.database, self._places, handlers(judge.judge, {}, writer, time_zone=time_zone))
        listener = Listener(self.database.dsn, {"due": lambda _: due.wake(), "stream": self._hub.heard})
        jobs = Jobs(self.database, standard_jobs(self._config.street.zone()))
        self._parts = [listener, due, link, state, jobs]
        if self._apart is not None:
            self._parts.append(self._apart)
        for part in self._parts:
            part.start()
        if self._carrier is not None:
            self._carrier.open()
        ingest = self._apart or self._carrier
        assert ingest is not None

        def working() -> dict[str, bool]:
            alive = {"listener": listener.alive, "timers": due.alive, "ingest": ingest.alive, "state": state.alive}
            return alive | {"broker": link.up, "in_time": self._in_time()}

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
        if self._carrier is not None:
            self._carrier.close()
        for part in reversed(self._parts):
            part.stop()
        self.database.close()
        if self._socket is not None:
            self._socket.close()

    def _in_time(self) -> bool:
        """Whether no worker lags behind."""
        if self._carrier is not None:
            return self._carrier.in_time
        try:
            with self.database.transaction() as tx:
                return workers.late_s(tx, self._config.host_id) is None
        except UnavailableError:
            return True  # that the database is away is told elsewhere

    def _web(self, working: Callable[[], Mapping[str, bool]]) -> uvicorn.Config:
        services = Services(
            database=self.database,
            places=self._places,
            hub=self._hub,
            time_zone=self._config.street.time_zone,
            version=version("liandong"),
            metrics=self.metrics,
            secure=self._config.http.secure,
            metrics_token=self._config.http.metrics_token(),
            simulation=self._config.simulation.socket if self._config.simulation else None,
            working=working,
            host_id=self._config.host_id,
        )
        return uvicorn.Config(
            application(services),
            log_config=None,
            access_log=False,
            server_header=False,
            forwarded_allow_ips=list(self._config.http.proxies),
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


def _sender(broker: Broker) -> Link:
    """A connection for commands, which hears nothing: ingest may be elsewhere."""
    return Link(
        broker,
        f"liandong-commands-{uuid.uuid4().hex[:12]}",
        Subscribe(filters=()),
        on_message=lambda _: None,
        on_up=lambda: None,
        on_down=lambda: None,
    )


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
