"""The thread that listens goes on, whatever those say who are called."""

from __future__ import annotations

import threading

from cloud.listener import Listener
from cloud.storage.connection import Connection


def test_who_is_called_and_fails_is_called_again(postgres: str) -> None:
    calls: list[int] = []
    again = threading.Event()

    def heard(_: Connection) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError
        again.set()

    listener = Listener(postgres, {"stream": heard})
    listener.start()
    try:
        assert again.wait(30)
        assert listener.alive
    finally:
        listener.stop()
