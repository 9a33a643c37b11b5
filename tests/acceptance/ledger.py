"""The simulators' ledger against the database of a street: the comparison of the fault lab."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from liandong.lab import account, stored
from liandong.lab.account import Account
from liandong.lab.interrupted import Cause, Interruption
from simulators.ledger import read_ledger
from tests.acceptance.street import Street, eventually


def compare(street: Street, until_ms: int, kills: Iterable[tuple[str, int]] = (), since_ms: int = 0) -> Account:
    """Compare what was observed from `since_ms` to `until_ms`; `kills`: gateway and time (ms) of each kill -9."""
    content = stored.read((street.data / "keys" / "dsn").read_text())
    ledger = list(read_ledger(street.data / "sim" / "ledger.jsonl"))
    killed: Sequence[Interruption] = [
        Interruption(gateway=gateway, from_ms=at_ms, to_ms=at_ms, cause=Cause.KILLED) for gateway, at_ms in kills
    ]
    return account.compare(ledger, content, until_ms, killed, since_ms)


def agreed(
    street: Street, until_ms: int, kills: Iterable[tuple[str, int]] = (), since_ms: int = 0, patience_s: float = 60
) -> Account:
    """Wait until nothing of what was observed is missing; fails with what is."""
    interruptions = list(kills)
    found = compare(street, until_ms, interruptions, since_ms)

    def complete() -> bool:
        nonlocal found
        found = compare(street, until_ms, interruptions, since_ms)
        return not found.lost

    with suppress(AssertionError):
        eventually("the ledger and the database agree", complete, patience_s)
    assert not found.lost, "\n".join(str(missing) for missing in found.lost)
    return found
