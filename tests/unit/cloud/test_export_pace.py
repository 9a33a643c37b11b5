"""An export's reader that takes a bite now and then: cut by its average, whatever each bite does."""

from __future__ import annotations

import asyncio
from collections.abc import Generator

import pytest
from starlette.types import Message

from cloud.api import export

BITES = 60
WAIT_S = 0.01


def streamed(monkeypatch: pytest.MonkeyPatch, least_bytes_s: int) -> tuple[int, bool]:
    """How many bites a slow reader got, and whether the export was closed."""
    monkeypatch.setattr(export, "PACE_S", 5 * WAIT_S)
    monkeypatch.setattr(export, "LEAST_BYTES_S", least_bytes_s)
    sent: list[int] = []
    closed: list[bool] = []

    def pieces() -> Generator[bytes]:
        try:
            yield from (bytes(1000) for _ in range(BITES))
        finally:
            closed.append(True)

    async def send(message: Message) -> None:
        await asyncio.sleep(WAIT_S)
        if message.get("body"):
            sent.append(len(message["body"]))

    asyncio.run(export._Stream(pieces()).stream_response(send))
    return len(sent), bool(closed)


def test_a_reader_below_the_average_is_cut_and_one_above_it_gets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    got, closed = streamed(monkeypatch, 1_000_000)
    assert (0 < got < 10, closed) == (True, True), "at most 100,000 bytes a second were taken"
    assert streamed(monkeypatch, 1) == (BITES, True)


def test_a_bite_every_29_seconds_is_cut_within_two_minutes() -> None:
    pace = export._Pace()
    for _ in range(2):
        pace.took(export.BITE_BYTES, 29.0)
    with pytest.raises(TimeoutError):
        pace.took(export.BITE_BYTES, 29.0)


def test_a_slow_line_keeps_its_export() -> None:
    pace = export._Pace()
    for _ in range(600):
        pace.took(export.BITE_BYTES, 3.5)
