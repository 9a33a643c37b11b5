"""One connection that listens: what other transactions have committed reaches this process within milliseconds."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Final

import psycopg
from psycopg.rows import dict_row

from cloud.storage.connection import NOTICED, Connection

_LOG: Final = logging.getLogger("liandong.cloud.listener")

LOOK_S: Final = 1.0

Heard = Callable[[Connection], None]
"""Called in the listener's thread with its connection (autocommit), at least once after every commit that notified."""


class Listener:
    """A thread that LISTENs on channels and calls who is concerned, in the order in which they are given.

    After a broken connection it calls everybody.
    """

    def __init__(self, dsn: str, channels: Mapping[str, Heard]) -> None:
        self._dsn, self._channels = dsn, channels
        self._stop = Event()
        self._thread = Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End within a second or so."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self._listen()
                failures = 0
            except Exception as error:  # noqa: BLE001 - without this thread every page stands still
                failures = min(failures + 1, 5)
                pause_s = min(5.0, 0.1 * 2**failures) * random.uniform(0.75, 1.25)  # noqa: S311  # jitter
                unknown = None if isinstance(error, psycopg.Error) else error
                what = "listener stopped listening, next try in %.1f s: %s"
                _LOG.warning(what, pause_s, str(error).strip(), exc_info=unknown)
                self._stop.wait(pause_s)

    def _listen(self) -> None:
        with Connection.connect(self._dsn, autocommit=True, row_factory=dict_row, **NOTICED) as connection:
            for channel in self._channels:
                connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
            for heard in self._channels.values():
                heard(connection)
            while not self._stop.is_set():
                told = {notice.channel for notice in connection.notifies(timeout=LOOK_S, stop_after=1)}
                for channel, heard in self._channels.items():
                    if channel in told or not told:  # a lost notification delays, it never loses
                        heard(connection)
