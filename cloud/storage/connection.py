"""A connection that gives up on a server that says nothing.

TCP tells what happens as far as the next machine that ends it. Behind a proxy or a load balancer whose far side is gone
a connection lives on: keepalives are answered, `statement_timeout` is the server's, and nobody ever speaks again.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.rows import DictRow
from psycopg_pool import ConnectionPool

NOTICED: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A database host that vanishes without a word is noticed within half a minute, not in hours (s; the last in ms)."""
STATEMENT_S: Final = 30.0
"""How long a statement may take that does not say otherwise."""
MARGIN_S: Final = 5.0
"""How much later than the server's own bound who asked gives up."""
CHECK_S: Final = 3.0
"""How long a connection from the pool has to show that it lives: behind a dead proxy all of them are dead at once."""


class Connection(psycopg.Connection[DictRow]):
    """As psycopg's, but every wait for the server ends after `patience_s` seconds, `usual_s` if nobody says more."""

    usual_s: float = STATEMENT_S + MARGIN_S
    patience_s: float = usual_s

    def wait(self, gen: PQGen[RV], *args: Any, **options: Any) -> RV:
        """As in psycopg. Raises psycopg.OperationalError when the server is silent; the connection is closed then."""
        return super().wait(self._bounded(gen), *args, **options)

    def _bounded(self, gen: PQGen[RV]) -> PQGen[RV]:
        until = monotonic() + self.patience_s
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and monotonic() > until:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"no answer within {self.patience_s:g} s")
                wanted = gen.send(ready)
        except StopIteration as done:
            result: RV = done.value
            return result


def check(connection: Connection) -> None:
    """For a pool: raises psycopg.OperationalError when nobody answers soon. What was asked of it before is over."""
    connection.patience_s = CHECK_S
    ConnectionPool.check_connection(connection)
    connection.patience_s = connection.usual_s
