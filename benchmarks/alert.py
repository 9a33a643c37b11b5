"""Alert: from a signal at the broker to an offer on a volunteer's stream, while readings go on arriving.

The limit is an empty round trip: a message through the same broker to a client that commits one row.
"""

from __future__ import annotations

import http.client
import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Final, Self

from benchmarks.figures import Figure, Order, figure, quantile
from benchmarks.gateways import now_ms
from benchmarks.site import USER, LoadProcess, Site, until
from benchmarks.wire import Wire
from cloud.identity import sessions
from cloud.registry.estate import import_estate
from protocols.delivery import BirthId, Declaration, Lane, MessageId, NumberSet, declarations_to_text
from protocols.errors import UnavailableError
from protocols.mqtt import publish
from protocols.sparkplug.births import BD_SEQ, OUTBOX_ACK, OUTBOX_ACK_ALIAS, OUTBOX_BIRTH, OUTBOX_LANE, REBIRTH
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric, Payload, encode
from protocols.sparkplug.topics import MessageType, node_topic

LOAD: Final = 10_000
ROUNDS: Final = 100
QUICK: Final = 3
VOLUNTEER: Final = "liming"
_GROUP, _NODE, _DEVICE = "peach-garden", "gw-2", "smoke-502"
_ALIAS: Final = 10
_PATIENCE_S: Final = 20.0
_PAUSE_S: Final = 0.2
_PER_MESSAGE: Final = 100
_GATEWAYS: Final = 10
_FORGET: Final = (
    "TRUNCATE rule_state, alarm, incident, timeline, task, offer, assignment, notification, due CASCADE",
    "UPDATE responder SET on_duty = true",
)


def run(order: Order) -> Iterator[Figure]:
    """`alert-p50` and `alert-p99` in milliseconds, under `--load` readings/s."""
    load = (0 if order.quick else LOAD) if order.load is None else order.load
    rounds = QUICK if order.quick else ROUNDS
    with Site(order) as site:
        import_estate(site.database, Path(str(files("simulators"))) / "scenarios" / _GROUP / "estate.toml")
        site.start_cloud()
        with (
            _beside(site, load, seconds=4 * rounds * (_PAUSE_S + 0.3)),
            Echo(site) as echo,
            Offers(site) as offers,
        ):
            smoke = Smoke(site)
            until(lambda: site.rows(f"SELECT FROM device WHERE code = '{_DEVICE}' AND online"), _DEVICE)
            runs, limits = [], []
            for number in range(rounds + 1):
                value, limit = _round(site, smoke, offers), echo.trip_ms()
                if number:  # the first is the warm-up
                    runs.append(value)
                    limits.append(limit)
            smoke.close()
    for name, share in (("alert-p50", 0.5), ("alert-p99", 0.99)):
        yield figure(name, "ms", [quantile(runs, share)], [quantile(limits, share)])


def _round(site: Site, smoke: Smoke, offers: Offers) -> float:
    """Milliseconds from the signal to the offer; then everything that followed from it is forgotten."""
    offers.clear()
    began = time.perf_counter()
    smoke.signal()
    seen = offers.next()
    time.sleep(_PAUSE_S)
    site.run(*_FORGET)
    return (seen - began) * 1000


@contextmanager
def _beside(site: Site, load: int, seconds: float) -> Iterator[None]:
    """`load` readings/s from other gateways meanwhile."""
    if not load:
        yield
        return
    with LoadProcess(site, group="bench", gateways=_GATEWAYS, devices=10) as fleet:
        fleet.ask(do="births")
        until(lambda: site.rows("SELECT count(*) AS n FROM series")[0]["n"] >= _GATEWAYS * 100, "series")
        pace = load / _PER_MESSAGE
        fleet.ask(do="encode", messages=int(pace * seconds / _GATEWAYS), readings=_PER_MESSAGE)
        fleet.tell(do="run", pace=pace)
        yield


class Smoke:
    """The gateway of a smoke detector, as bytes."""

    def __init__(self, site: Site) -> None:
        self._wire = Wire(site.broker_port, "bench-smoke", USER, site.password)
        birth = BirthId.parse("00000000-0000-4000-8000-000000000001.1")
        self._epoch = birth.epoch
        self._number = self._seq = 0
        declared = declarations_to_text([Declaration(epoch=birth.epoch, held=NumberSet(), last_given=0)])
        own = [
            Metric(name=BD_SEQ, datatype=DataType.INT64, value=0),
            Metric(name=REBIRTH, datatype=DataType.BOOLEAN, value=False),
            Metric(name=OUTBOX_ACK, alias=OUTBOX_ACK_ALIAS, datatype=DataType.STRING, value=None),
            Metric(name=OUTBOX_BIRTH, datatype=DataType.STRING, value=str(birth)),
            *(Metric(name=OUTBOX_LANE[lane], datatype=DataType.STRING, value=declared) for lane in Lane),
        ]
        self._send(MessageType.NBIRTH, None, *own)
        told = Metric(name="smoke", alias=_ALIAS, datatype=DataType.BOOLEAN, value=False)
        self._send(MessageType.DBIRTH, _DEVICE, told)

    def close(self) -> None:
        """Leave."""
        self._wire.close()

    def signal(self) -> None:
        """There is smoke."""
        self._number += 1
        identity = MessageId(epoch=self._epoch, lane=Lane.URGENT, first=self._number, last=self._number)
        told = Metric(alias=_ALIAS, datatype=DataType.BOOLEAN, value=True, timestamp_ms=now_ms())
        self._send(MessageType.DDATA, _DEVICE, told, identity=str(identity))

    def _send(self, kind: MessageType, device: str | None, *metrics: Metric, identity: str | None = None) -> None:
        payload = Payload(timestamp_ms=now_ms(), metrics=metrics, seq=self._seq % 256, uuid=identity)
        self._seq += 1
        brief = kind is MessageType.DDATA
        self._wire.send(publish(node_topic(_GROUP, kind, _NODE, device), encode(payload, brief=brief)))


class Offers:
    """A volunteer's phone: when each offer was there, by `time.perf_counter`. One thread."""

    def __init__(self, site: Site) -> None:
        with site.database.transaction() as tx:
            token = sessions.make_link(tx, VOLUNTEER, datetime.now(UTC))
        self._client = http.client.HTTPConnection(site.url.removeprefix("http://"), timeout=_PATIENCE_S)
        headers = {"Origin": site.url, "Content-Type": "application/json"}
        self._client.request("POST", "/api/v1/session/link", json.dumps({"token": token}), headers)
        answer = self._client.getresponse()
        answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise UnavailableError("liandong.bench.waited", what=f"session: {answer.status}", seconds=0)
        cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
        self._client.request("GET", "/api/v1/stream", headers={"Cookie": cookie})
        self._stream = self._client.getresponse()
        self._seen: queue.SimpleQueue[float] = queue.SimpleQueue()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="offers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_PATIENCE_S):
            raise UnavailableError("liandong.bench.waited", what="stream", seconds=round(_PATIENCE_S))
        return self

    def __exit__(self, *_: object) -> None:
        if self._client.sock is not None:
            self._client.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._client.close()

    def clear(self) -> None:
        """Forget what came before."""
        while not self._seen.empty():
            self._seen.get()

    def next(self) -> float:
        """When the next offer came. Raises UnavailableError when none does."""
        try:
            return self._seen.get(timeout=_PATIENCE_S)
        except queue.Empty as error:
            raise UnavailableError("liandong.bench.waited", what="offer", seconds=round(_PATIENCE_S)) from error

    def _listen(self) -> None:
        kind = b""
        try:
            for line in self._stream:
                name, _, value = line.rstrip().partition(b": ")
                if name == b"event":
                    kind = value
                    self._ready.set()
                elif name == b"data" and kind == b"offer" and json.loads(value)["state"] == "offered":
                    self._seen.put(time.perf_counter())
        except (OSError, http.client.HTTPException):
            return  # closed by us, or the service is gone, which `next` will tell


class Echo:
    """A message through the broker to a client that commits a row for it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._from = Wire(site.broker_port, "bench-echo-from", USER, site.password)
        self._to = Wire(site.broker_port, "bench-echo-to", USER, site.password)

    def __enter__(self) -> Self:
        self._site.run("CREATE TABLE bench_echo (at timestamptz NOT NULL)")
        self._to.subscribe("bench/echo")
        return self

    def __exit__(self, *_: object) -> None:
        self._from.close()
        self._to.close()

    def trip_ms(self) -> float:
        """Milliseconds of one round trip."""
        began = time.perf_counter()
        self._from.send(publish("bench/echo", b"x"))
        if not self._to.heard(_PATIENCE_S):
            raise UnavailableError("liandong.bench.waited", what="echo", seconds=round(_PATIENCE_S))
        self._site.run("INSERT INTO bench_echo VALUES (now())")
        return (time.perf_counter() - began) * 1000
