"""A proxy between cloud and database whose far side is gone: it answers TCP, and nobody ever speaks again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cloud.storage import connection
from cloud.storage import database as database_module
from cloud.storage.database import Database
from protocols.errors import UnavailableError
from tests.services.ports import LOOPBACK

LOOK_S = 0.2


class Proxy:
    """Carries bytes between TCP and the server's Unix socket until it is `mute`."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.mute = threading.Event()
        self._stop = threading.Event()
        self._server = socket.create_server((LOOPBACK, 0))
        self.port: int = self._server.getsockname()[1]
        self._server.settimeout(LOOK_S)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._stop.set()
        for thread in list(self._threads):
            thread.join(5)
        self._server.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError):
                near, _ = self._server.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._target)
                for one, other in ((near, far), (far, near)):
                    one.settimeout(LOOK_S)
                    self._threads.append(threading.Thread(target=self._carry, args=(one, other)))
                    self._threads[-1].start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with closing(one):
            while not self._stop.is_set():
                try:
                    data = one.recv(65536)
                except TimeoutError:
                    continue
                except OSError:
                    return
                if not data and not self.mute.is_set():
                    with suppress(OSError):
                        other.shutdown(socket.SHUT_WR)
                    return
                if data and not self.mute.is_set():
                    with suppress(OSError):
                        other.sendall(data)
                if not data:
                    return


@pytest.fixture
def proxy(postgres: str) -> Iterator[Proxy]:
    host = conninfo_to_dict(postgres).get("host")
    if not isinstance(host, str) or not host.startswith("/"):
        pytest.fail("this test reaches the embedded PostgreSQL through its Unix socket; unset LIANDONG_TEST_DSN")
    proxy = Proxy(f"{host}/.s.PGSQL.5432")
    yield proxy
    proxy.close()


def test_who_speaks_to_a_dead_proxy_gives_up_and_connects_again(
    postgres: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "MARGIN_S", -9)
    monkeypatch.setattr(connection, "CHECK_S", 0.5)
    dsn = make_conninfo(postgres, host=LOOPBACK, port=proxy.port)
    database = Database(dsn, max_size=2, timeout_s=2, statement_s=10)
    database.open()
    try:
        with database.transaction() as tx:
            assert tx.one("SELECT 1 AS one") == {"one": 1}
            proxy.mute.set()
            with pytest.raises(psycopg.OperationalError, match="no answer within 1 s"):
                tx.one("SELECT 1 AS one")
    except UnavailableError:
        pass
    finally:
        proxy.mute.clear()
    try:
        for _ in range(20):
            with suppress(UnavailableError), database.transaction() as tx:
                assert tx.one("SELECT 2 AS two") == {"two": 2}
                return
        pytest.fail("the pool never had a living connection again")
    finally:
        database.close()


def test_patience_ends_with_its_transaction(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(postgres, max_size=1)
    database.open()
    try:
        with database.transaction() as tx:
            tx.be_patient(600)
            assert tx.one("SHOW statement_timeout") == {"statement_timeout": "10min"}
            assert tx.connection.patience_s == 600 + connection.MARGIN_S
        with database.transaction() as tx:
            assert tx.one("SHOW statement_timeout") == {"statement_timeout": "30s"}
            assert tx.connection.patience_s == connection.STATEMENT_S + connection.MARGIN_S
    finally:
        database.close()
