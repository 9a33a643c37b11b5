"""A network cable, between a gateway and the broker or anywhere else: a TCP relay on loopback that can be pulled.

Pulled means silence, as on a real street: nobody gets a reset, bytes wait, new connections are not answered. Plugged in
again, what TCP held goes on. A cable can also be slow, narrow, or lose its connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Final

_CHUNK: Final = 65536
_SLICES_PER_S: Final = 10
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, no time, so that closing sends a reset


class Cable:
    """Relays `listen` to `target` (ports of 127.0.0.1). Lives in one event loop; `close` ends all connections."""

    def __init__(self, listen: int, target: int) -> None:
        self._listen = listen
        self._target = target
        self._plugged = asyncio.Event()
        self._plugged.set()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._halved = asyncio.Event()
        self._delay_s = 0.0
        self._bytes_per_s = 0

    @property
    def plugged(self) -> bool:
        """Whether bytes pass."""
        return self._plugged.is_set()

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._listen, limit=_CHUNK)

    def unplug(self) -> None:
        """From now on nothing passes."""
        self._plugged.clear()

    def plug(self) -> None:
        """What waited passes, and everything after it."""
        self._plugged.set()

    def reset(self) -> int:
        """Both ends of every connection get a TCP reset; how many connections that were."""
        open_now = tuple(self._open)
        for task in open_now:
            task.cancel()
        return len(open_now)

    def halve(self) -> int:
        """Connections end at the far side only; the near side speaks on and is not heard. How many those are.

        That is what a router leaves behind that forgot a connection, until the near side notices the silence.
        """
        halved, self._halved = self._halved, asyncio.Event()
        halved.set()
        return len(self._open)

    def limit(self, *, delay_s: float = 0.0, bytes_per_s: int = 0) -> None:
        """From now on each way takes `delay_s` longer and carries `bytes_per_s` at most (0: as much as it can)."""
        self._delay_s, self._bytes_per_s = delay_s, bytes_per_s

    async def close(self) -> None:
        """Stop listening and end what is open."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._plugged.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target, limit=_CHUNK)
        except (OSError, asyncio.CancelledError):
            self._open.discard(task)
            writer.transport.abort()
            return
        try:
            await self._both(reader, writer, far_reader, far_writer)
        except asyncio.CancelledError:
            for end in (writer, far_writer):
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        finally:
            self._open.discard(task)
            for end in (writer, far_writer):
                end.transport.abort()

    async def _both(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
    ) -> None:
        """Copy both ways until either end closes, or the connection is halved and its near end closes."""
        halved = self._halved
        ways: set[asyncio.Task[object]] = {
            asyncio.create_task(self._copy(*way)) for way in ((reader, far_writer), (far_reader, writer))
        }
        ways.add(asyncio.create_task(halved.wait()))
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        if halved.is_set():
            far_writer.transport.abort()
            with contextlib.suppress(OSError):
                while await reader.read(_CHUNK):
                    pass

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                while data:
                    await self._plugged.wait()
                    size = self._bytes_per_s // _SLICES_PER_S or len(data)
                    writer.write(data[:size])
                    await writer.drain()
                    data = data[size:]
                    if data:
                        await asyncio.sleep(1 / _SLICES_PER_S)
