"""A whole street in a database, the service's web part on a real port, and people signed in to it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from cloud.alerting.builtin import builtin_rules
from cloud.api.application import application
from cloud.api.hub import Hub
from cloud.api.services import Services
from cloud.app import listening
from cloud.domain import policy
from cloud.due import DueWorker
from cloud.handlers import handlers
from cloud.identity import sessions
from cloud.listener import Listener
from cloud.loop.alarms import IngestJudge, load_rules
from cloud.loop.writer import Writer
from cloud.metrics import Metrics
from cloud.registry.estate import import_estate
from cloud.storage.database import Database
from cloud.storage.migrate import migrate
from cloud.storage.places import Places
from protocols.events import Event, Observation, Reading
from protocols.sparkplug.actions import Publish

ESTATE = Path(__file__).parents[3] / "simulators" / "scenarios" / "peach-garden" / "estate.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An observation as ingest hands it to the judge."""

    device_id: int
    device_code: str
    device_type: str | None
    gateway_id: int
    place_id: int | None
    place_path: str | None
    observation: Observation


@dataclass
class Street:
    """The street's database and what acts on it; threads run only while `running`."""

    database: Database
    places: Places = field(default_factory=Places)
    hub: Hub = field(default_factory=Hub)
    port: int = 0
    services: Services | None = None

    sent: list[Publish] = field(default_factory=list)
    broker: bool = True

    def __post_init__(self) -> None:
        with self.database.transaction() as tx:
            self.judge = IngestJudge(load_rules(tx, builtin_rules()), policy.builtin(), self.places)
        writer = Writer(host_id="cloud", send=self._send)
        self.due = DueWorker(self.database, self.places, handlers(self.judge.judge, {}, writer))

    def _send(self, message: Publish) -> bool:
        """The broker connection: what is sent is kept, unless the broker is away."""
        if self.broker:
            self.sent.append(message)
        return self.broker

    def observe(self, device: str, observed: dict[str, Any] | str, at_ms: int | None = None) -> None:
        """A device measured `{metric: value}`, or told an event."""
        moment = at_ms or round(time.time() * 1000)
        with self.database.transaction() as tx:
            row = tx.one(
                """
                SELECT device.id AS device_id, device.code AS device_code, device.type AS device_type,
                       device.gateway_id, place.id AS place_id, place.path AS place_path
                FROM device JOIN gateway ON gateway.id = device.gateway_id
                LEFT JOIN place ON place.id = coalesce(device.place_id, gateway.place_id)
                WHERE device.code = %(code)s OR gateway.code || '/' || device.code = %(code)s
                """,
                {"code": device},
            )
            assert row is not None, device
            if isinstance(observed, str):
                seen: list[Observation] = [Event(device=device, kind=observed, at_ms=moment)]
            else:
                seen = [Reading(device=device, metric=m, value=v, at_ms=moment) for m, v in observed.items()]
            facts = [Seen(**row, observation=observation) for observation in seen]
            self.judge(tx, facts, round(time.time() * 1000))

    def settle(self, now: datetime | None = None) -> int:
        """Handle every timer whose time has come by `now`; how many."""
        handled = 0
        while self.due.step(now):
            handled += 1
        return handled

    def rows(self, statement: str, **params: Any) -> list[dict[str, Any]]:
        """What a statement finds."""
        with self.database.transaction() as tx:
            return [dict(row) for row in tx.fetch(statement, params)]

    def link(self, login: str) -> str:
        """A one-time sign-in token."""
        with self.database.transaction() as tx:
            return sessions.make_link(tx, login, datetime.now(UTC))

    @contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        """A browser in which nobody is signed in."""
        base = f"http://127.0.0.1:{self.port}"
        with httpx.Client(base_url=base, headers={"Origin": base, "Accept-Language": "en"}, timeout=20) as client:
            yield client

    @contextmanager
    def signed_in(self, login: str) -> Iterator[httpx.Client]:
        """A browser in which a person is signed in."""
        with self.browser() as client:
            answer = client.post("/api/v1/session/link", json={"token": self.link(login)})
            assert answer.status_code == 200, answer.text
            yield client

    @contextmanager
    def serving(
        self, simulation: Path | None = None, *, workers: bool = True, metrics_token: str | None = None
    ) -> Iterator[Street]:
        """The web part on a free port, with the listener and (with `workers`) the due worker."""
        self.services = services = Services(
            database=self.database,
            places=self.places,
            hub=self.hub,
            time_zone="Asia/Shanghai",
            version="0",
            metrics=Metrics(),
            simulation=simulation,
            metrics_token=metrics_token,
        )
        listener = Listener(self.database.dsn, {"stream": self.hub.heard, "due": lambda _: self.due.wake()})
        bound = listening("127.0.0.1", 0)
        self.port = bound.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(application(services), log_config=None, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        listener.start()
        if workers:
            self.due.start()
        thread.start()
        try:
            wait_for(lambda: server.started)
            yield self
        finally:
            server.should_exit = True
            thread.join(20)
            if workers:
                self.due.stop()
            listener.stop()
            bound.close()


def wait_for(condition: Any, within_s: float = 20.0) -> Any:
    """Poll until `condition()` is true, and give what it gave."""
    until = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
    return found


def action() -> dict[str, Any]:
    """The body of a tap."""
    return {"action_id": str(uuid.uuid4())}


@pytest.fixture
def database(postgres: str) -> Iterator[Database]:
    """Peach Garden, imported."""
    database = Database(postgres)
    database.open()
    try:
        migrate(database)
        import_estate(database, ESTATE)
        yield database
    finally:
        database.close()


@pytest.fixture
def street(database: Database) -> Street:
    """The street without any thread: tests let time pass themselves."""
    return Street(database)


@pytest.fixture
def served(street: Street) -> Iterator[Street]:
    """The street with its service running."""
    with street.serving():
        yield street
