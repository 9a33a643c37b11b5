"""Ingest: readings per second from the broker to the acknowledgement, beside bare COPY of the same rows.

Received sets, newest values, events and rules are on; one device in ten is of a type that a rule watches.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final, LiteralString

from benchmarks.figures import Figure, Order, figure
from benchmarks.site import LoadProcess, Site, idling, until
from cloud.storage.columnstore import copy_directly
from cloud.storage.queries import load
from protocols.errors import UnavailableError

SHAPES: Final = (100, 5)
"""Readings per DDATA: a bulk flush of ten seconds, and a device that is asked once."""
READINGS: Final = {100: 1_000_000, 5: 100_000}
QUICK: Final = {100: 20_000, 5: 1_000}
GATEWAYS: Final = 20
DEVICES: Final = 10
BATCH_ROWS: Final = 50_000
AS_THEY_CAME: Final = """SELECT ts, series_id, value, quality FROM reading JOIN series ON series.id = series_id
    ORDER BY floor(extract(epoch FROM ts)), device_id, ts, series_id"""
"""Message by message; the limit."""
SORTED: Final = "SELECT ts, series_id, value, quality FROM reading ORDER BY series_id, ts"
"""The best that an index on series and time can get, which nobody sends; a harder limit."""
_HEADER: Final = 19
_ROW: Final = 40
_METRICS: Final = 10


def run(order: Order) -> Iterator[Figure]:
    """`ingest-100` and `ingest-5`, each in readings/s, and each beside both limits."""
    gateways = order.gateways or (2 if order.quick else GATEWAYS)
    with Site(order) as site:
        site.start_cloud()
        with LoadProcess(site, group="bench", gateways=gateways, devices=DEVICES) as fleet:
            settle(site, fleet, gateways * DEVICES)
            for readings in SHAPES:
                total = order.readings or (QUICK if order.quick else READINGS)[readings]
                yield from _shape(order, site, fleet, readings, max(1, total // readings // gateways), gateways)


def settle(site: Site, fleet: LoadProcess, devices: int) -> None:
    """Births, a place for the gateways and a type for every device: from then on rules apply to them."""
    fleet.ask(do="births")
    wanted = devices * _METRICS
    until(lambda: site.rows("SELECT count(*) AS n FROM series")[0]["n"] >= wanted, "series")
    site.run(
        """INSERT INTO place (kind, code, path, name, lat, lon)
        VALUES ('street', 'bench', 'bench', '{"zh-CN": "测试街道", "en": "Bench Street"}', 30, 122)""",
        "UPDATE gateway SET place_id = (SELECT id FROM place WHERE path = 'bench') WHERE group_code = 'bench'",
        """UPDATE device SET place_id = gateway.place_id,
            type = CASE WHEN device.code LIKE '%0' THEN 'cold-chain' ELSE 'power-meter' END
        FROM gateway WHERE gateway.id = device.gateway_id AND device.code <> ''""",
        "ANALYZE",
    )


def _shape(
    order: Order, site: Site, fleet: LoadProcess, readings: int, messages: int, gateways: int
) -> Iterator[Figure]:
    runs, limits, sorted_limits = [], [], []
    order.tell("liandong.bench.warming", name=f"ingest-{readings}")
    _once(site, fleet, readings, max(1, messages // 10), gateways)
    for number in range(order.repeats):
        rate, share = _once(site, fleet, readings, messages, gateways)
        limit, sorted_limit = copy_again(site, share, AS_THEY_CAME), copy_again(site, share, SORTED)
        runs.append(rate)
        limits.append(limit)
        sorted_limits.append(sorted_limit)
        order.tell("liandong.bench.run", number=number + 1, of=order.repeats, value=round(rate), limit=round(limit))
    yield figure(f"ingest-{readings}", "readings/s", runs, limits)
    yield figure(f"ingest-{readings}-sorted", "readings/s", runs, sorted_limits)


def _once(site: Site, fleet: LoadProcess, readings: int, messages: int, gateways: int) -> tuple[float, float]:
    """Readings per second, and the share of a core that the publisher used."""
    site.run("TRUNCATE reading", "TRUNCATE event")
    fleet.ask(do="encode", messages=messages, readings=readings)
    site.checkpoint()
    told = fleet.ask(do="run", pace=0)
    count = site.rows("SELECT count(*) AS n FROM reading")[0]["n"]
    if count != readings * messages * gateways:
        raise UnavailableError("liandong.bench.miscounted", stored=count, sent=readings * messages * gateways)
    return count / told["seconds"], min(1.0, told["cpu_s"] / told["seconds"])


def copy_again(site: Site, share: float, rows: LiteralString) -> float:
    """Rows per second of bare COPY of what the table of readings holds into the same table, emptied before.

    Beside a process that uses `share` of a core, as the publisher did. `rows` selects them in an order.
    """
    batches = _read(site, rows)
    site.run("TRUNCATE reading")
    site.checkpoint()
    with idling(share):
        return copied(site, batches)


def copied(site: Site, batches: Sequence[bytes]) -> float:
    """Rows per second of COPY, a transaction a batch; by column at once where the server can, as large groups are."""
    began = time.monotonic()
    for batch in batches:
        with site.database.transaction() as tx:
            copy_directly(tx)
            with tx.connection.cursor() as cursor, cursor.copy(load("readings")["copy"]) as copy:
                copy.write(batch)
    rows = sum((len(batch) - _HEADER - 2) // _ROW for batch in batches)
    return rows / (time.monotonic() - began)


def _read(site: Site, rows_in_order: LiteralString) -> list[bytes]:
    """The rows of the table, as binary COPY data of `BATCH_ROWS` rows each."""
    with (
        site.database.transaction() as tx,
        tx.connection.cursor() as cursor,
        cursor.copy(f"COPY ({rows_in_order}) TO STDOUT (FORMAT BINARY)") as copy,
    ):
        data = b"".join(bytes(part) for part in copy)
    head, rows, end = data[:_HEADER], data[_HEADER:-2], data[-2:]
    step = BATCH_ROWS * _ROW
    return [head + rows[at : at + step] + end for at in range(0, len(rows), step)]
