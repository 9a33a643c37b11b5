"""The relay that the lab puts between the parts: pulled, reset, slow and narrow, with real sockets on both sides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest

from simulators.cable import Cable
from tests.services.ports import free_port

PATIENCE_S = 20
Ends = tuple[Cable, asyncio.StreamReader, asyncio.StreamWriter]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def cable() -> AsyncIterator[Ends]:
    """A cable to a server that says everything back, and a connection through it."""
    target, listen = free_port(), free_port()
    server = await asyncio.start_server(_echo, "127.0.0.1", target)
    line = Cable(listen, target)
    await line.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", listen)
    try:
        yield line, reader, writer
    finally:
        writer.transport.abort()
        await line.close()
        server.close()


def run(test: Callable[[Ends], Awaitable[None]]) -> None:
    async def within() -> None:
        async with cable() as ends:
            await asyncio.wait_for(test(ends), PATIENCE_S)

    with ThreadPoolExecutor(1) as thread:  # the browser's driver may have left a loop in this one
        thread.submit(asyncio.run, within()).result(60)


async def _say(ends: Ends, text: bytes) -> bytes:
    _, reader, writer = ends
    writer.write(text)
    await writer.drain()
    return await reader.readexactly(len(text))


def test_a_pulled_cable_is_silent_and_gives_everything_when_it_is_back() -> None:
    async def test(ends: Ends) -> None:
        assert await _say(ends, b"before") == b"before"
        ends[0].unplug()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_say(ends, b"meanwhile"), 0.3)
        ends[0].plug()
        assert await ends[1].readexactly(9) == b"meanwhile"

    run(test)


def test_a_reset_is_felt_at_once_and_a_new_connection_works() -> None:
    async def test(ends: Ends) -> None:
        assert await _say(ends, b"before") == b"before"
        assert ends[0].reset() == 1
        with pytest.raises(ConnectionResetError):
            await ends[1].readexactly(1)

    run(test)


def test_a_half_open_connection_takes_everything_and_says_nothing() -> None:
    async def test(ends: Ends) -> None:
        line, reader, _ = ends
        assert await _say(ends, b"before") == b"before"
        assert line.halve() == 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_say(ends, b"to nobody"), 0.3)
        assert not reader.at_eof()

    run(test)


def test_a_slow_cable_delays_each_way_and_a_narrow_one_takes_its_time() -> None:
    async def test(ends: Ends) -> None:
        ends[0].limit(delay_s=0.2)
        began = time.monotonic()
        assert await _say(ends, b"slow") == b"slow"
        assert time.monotonic() - began >= 0.4
        ends[0].limit(bytes_per_s=10_000)
        began = time.monotonic()
        assert len(await _say(ends, bytes(8_000))) == 8_000
        assert time.monotonic() - began >= 0.6
        ends[0].limit()
        assert await _say(ends, b"as before") == b"as before"

    run(test)
