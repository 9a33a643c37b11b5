"""Exports in streams: CSV for spreadsheets, Parquet for files, Arrow for analysts; bounded in memory."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Generator, Iterator
from threading import BoundedSemaphore
from typing import Annotated, Any, Final, Literal, cast
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Message, Send

from cloud import audit
from cloud.api.history import LEVELS, Since, Until, require_device, span
from cloud.api.services import Given, SignedIn, address, now
from cloud.storage.export import Export, Source
from cloud.storage.queries import load
from cloud.text import Text
from protocols.errors import RefusedError

router = APIRouter(prefix="/api/v1/export", tags=["history"])

Format = Literal["csv", "parquet", "arrow"]
_LOG: Final = logging.getLogger("liandong.cloud.export")
AT_ONCE: Final = 2
BITE_BYTES: Final = 64 * 1024
STALL_S: Final = 30.0
LONGEST_S: Final = 3600.0
PACE_S: Final = 60.0
LEAST_BYTES_S: Final = 16 * 1024
"""A reader that does not take a bite in `STALL_S`, all in `LONGEST_S`, or so many bytes a second on average over each
`PACE_S` that are spent waiting for it, is cut: others wait for its turn."""
MOST_SERIES: Final = 500
GROUP_ROWS: Final = 100_000
"""Rows of a row group of Parquet: so many are held in memory."""
TYPES: Final[dict[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
_FORMULA: Final = r"^([=+\-@\t\r])"
"""A spreadsheet takes a text that begins so for a formula; gateways name devices and metrics."""
_running = BoundedSemaphore(AT_ONCE)


@router.get("/readings.{form}")
def readings(
    form: Format,
    who: SignedIn,
    request: Request,
    given: Given,
    device: Annotated[list[int], Query(min_length=1, max_length=200)],
    metric: Annotated[list[Text] | None, Query(max_length=50)] = None,
    step: Literal["raw", "minute", "hour", "day"] = "raw",
    since: Since = None,
    until: Until = None,
) -> StreamingResponse:
    """Readings, or figures of minutes, hours or days, of one or more devices; the last hour without `from`."""
    begin, end = span(since, until)
    with given.database.transaction() as tx:
        places = {one: require_device(tx, who, one)["place_id"] for one in device}
        rows = tx.fetch(load("history")["series_of"], {"devices": device, "metrics": metric})
        if len(rows) > MOST_SERIES:
            raise RefusedError("cloud.export.too-many", series=len(rows), most=MOST_SERIES)
        for one, place in places.items():
            whom = {"person": who.id, "subject": str(one), "place": place, "address": address(request)}
            audit.record(tx, now(), "device.export", **whom)
    keys = ("id", "device", "type", "metric", "unit", "datatype")
    export = Export(
        database=given.database,
        sources=[Source(**{key: row[key] for key in keys}) for row in rows],
        level=LEVELS.get(step),
        begin=round(begin.timestamp() * 1000),
        end=round(end.timestamp() * 1000),
        zone=ZoneInfo(given.time_zone),
        now=now(),
    )
    if not _running.acquire(blocking=False):
        raise RefusedError("cloud.export.busy", most=AT_ONCE)
    headers = {"content-disposition": f'attachment; filename="liandong-{step}.{form}"', "content-encoding": "identity"}
    pieces = _released(FORMS[form](export))
    next(pieces)  # begun, so that it is ended whatever becomes of the request
    return _Stream(pieces, media_type=TYPES[form], headers=headers)


def _released(pieces: Iterator[bytes]) -> Generator[bytes]:
    """Bites of the pieces. Lets the next export run when this one has ended, however it ends."""
    try:
        yield b""
        for piece in pieces:
            yield from (piece[at : at + BITE_BYTES] for at in range(0, len(piece), BITE_BYTES))
    finally:
        _running.release()


class _Pace:
    """How fast a reader takes what is ready for it."""

    def __init__(self) -> None:
        self._waited_s, self._taken = 0.0, 0

    def took(self, size: int, seconds: float) -> None:
        """The reader took so many bytes in so many seconds. Raises TimeoutError when it is too slow on average."""
        self._waited_s, self._taken = self._waited_s + seconds, self._taken + size
        if self._waited_s >= PACE_S:
            if self._taken < LEAST_BYTES_S * self._waited_s:
                raise TimeoutError
            self._waited_s, self._taken = 0.0, 0


class _Stream(StreamingResponse):
    """A stream whose reader has to keep up. Else it is cut: the file breaks off, which the reader's program tells."""

    def __init__(self, pieces: Generator[bytes], **more: Any) -> None:
        super().__init__(pieces, **more)
        self._pieces = pieces

    async def stream_response(self, send: Send) -> None:
        """As Starlette's, within bounds."""
        until, pace = time.monotonic() + LONGEST_S, _Pace()

        async def in_time(message: Message) -> None:
            begun = time.monotonic()
            async with asyncio.timeout(max(0.0, min(STALL_S, until - begun))):
                await send(message)
            pace.took(len(message.get("body", b"")), time.monotonic() - begun)

        try:
            await super().stream_response(in_time)
        except TimeoutError:
            limits = (STALL_S, LONGEST_S, LEAST_BYTES_S)
            _LOG.warning("export-cut stalled_s=%s longest_s=%s least_bytes_s=%s", *limits)
        finally:
            await run_in_threadpool(self._pieces.close)


class _Sink:
    """What a writer of Arrow writes to; `taken` empties it."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: Any) -> int:
        """Keep a piece."""
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is held."""

    def taken(self) -> bytes:
        """All pieces since the last time."""
        found, self._pieces = b"".join(self._pieces), []
        return found


def _csv(export: Export) -> Iterator[bytes]:
    """With the byte order mark that makes spreadsheets read UTF-8; local times with their offset."""
    sink = _Sink()
    sink.write(b"\xef\xbb\xbf")
    texts = pa.schema([field.with_type(pa.string()) if field.name == "time" else field for field in export.schema])
    with pyarrow.csv.CSVWriter(cast(Any, sink), texts) as writer:
        for batch in export.pages():
            columns = [_told(batch.column(index), field.name) for index, field in enumerate(export.schema)]
            writer.write_batch(pa.record_batch(columns, schema=texts))
            yield sink.taken()
    yield sink.taken()


def _told(column: pa.Array, name: str) -> pa.Array:
    if name == "time":
        return pc.strftime(column, "%Y-%m-%dT%H:%M:%S%z")
    if name in ("device", "metric", "unit"):
        return pc.replace_substring_regex(column, _FORMULA, r"'\1")
    return column


def _parquet(export: Export) -> Iterator[bytes]:
    sink = _Sink()
    held: list[pa.RecordBatch] = []
    with pyarrow.parquet.ParquetWriter(cast(Any, sink), export.schema, compression="zstd") as writer:
        for batch in export.pages():
            held.append(batch)
            if sum(one.num_rows for one in held) >= GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(held, export.schema))
                held = []
                yield sink.taken()
        if held:
            writer.write_table(pa.Table.from_batches(held, export.schema))
    yield sink.taken()


def _arrow(export: Export) -> Iterator[bytes]:
    sink = _Sink()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(cast(Any, sink), export.schema, options=options) as writer:
        for batch in export.pages():
            writer.write_batch(batch)
            yield sink.taken()
    yield sink.taken()


FORMS: Final[dict[Format, Callable[[Export], Iterator[bytes]]]] = {"csv": _csv, "parquet": _parquet, "arrow": _arrow}
