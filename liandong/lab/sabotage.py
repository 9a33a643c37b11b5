"""Parts that are broken on purpose, to prove that the lab sees it. Nothing of this is in the product itself.

``received-apart``: the cloud stores a received set after the transaction of its rows, so that what dies in between is
stored twice. ``no-acknowledgement``: the gateways take what they sent for delivered.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from liandong.up.supervisor import Part

RECEIVED_APART: Final = "received-apart"
NO_ACKNOWLEDGEMENT: Final = "no-acknowledgement"
SABOTAGES: Final = (RECEIVED_APART, NO_ACKNOWLEDGEMENT)
_BETWEEN_S: Final = 0.5
"""Wide enough that what dies, dies in between more often than not."""


def deliver_plainly(config: Path) -> None:
    """Let the gateway with this configuration take what it sent for delivered."""
    config.write_text(re.sub(r"^\[uplink\]$", '[uplink]\ndelivery = "plain"', config.read_text(), flags=re.MULTILINE))


def broken_cloud(part: Part) -> Part:
    """The cloud's part, started through this module."""
    python, _module, _package, *words = part.command
    return replace(part, command=[python, "-m", "liandong.lab.sabotage", *words])


def _store_received_sets_apart() -> None:
    from cloud.storage import database, received

    whole, store = database.Database.transaction, received.store
    late: dict[database.Transaction, tuple[Any, ...]] = {}

    def remember(tx: database.Transaction, *what: Any) -> None:
        late[tx] = what

    @contextmanager
    def apart(self: database.Database) -> Iterator[database.Transaction]:
        with whole(self) as tx:
            yield tx
        if (kept := late.pop(tx, None)) is not None:
            time.sleep(_BETWEEN_S)
            with whole(self) as after:
                store(after, *kept)

    received.store = remember  # type: ignore[assignment]
    database.Database.transaction = apart  # type: ignore[method-assign]


def main(words: Sequence[str]) -> int:
    """The command `words`, with a cloud that is broken."""
    from liandong.cli import main as command

    _store_received_sets_apart()
    return command(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
