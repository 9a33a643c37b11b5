"""States of drivers and rules: stored with what they explain, and remembered in RAM for when the file is spoilt."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Final

from edge.outbox.blocks import Commit, RuleRecord
from edge.outbox.statements import statements
from protocols.rules import RuleState

_SQL: Final = statements("edge.outbox", "statements.sql")


Select = Callable[[str, Mapping[str, object]], list[Any]]
Rows = tuple[dict[str, str], dict[tuple[str, str], dict[str, Any]]]
"""Driver → its state as JSON; rule and device → the row of `put_rule_state`."""


class States:
    """What drivers and rules stored last. The outbox calls it, under its locks.

    A file that is damaged while the agent runs may lose them although their drivers go on: a sale that the next audit
    would have shown were then lost with the next start. So `put_all` puts them into the new file.
    """

    def __init__(self) -> None:
        self._drivers: dict[str, str] = {}
        self._rules: dict[tuple[str, str], dict[str, Any]] = {}

    def driver(self, select: Select, driver: str) -> Mapping[str, Any]:
        """What `driver` stored last; empty at first. Raises StorageError."""
        rows = select("driver_state", {"driver": driver})
        if rows:
            self._drivers.setdefault(driver, rows[0][0])
        return dict(json.loads(rows[0][0])) if rows else {}

    def rules(self, select: Select) -> list[RuleRecord]:
        """The stored state of every local rule. Raises StorageError."""
        return [
            RuleRecord(
                rule=rule,
                device=device,
                state=RuleState(phase=phase, since_ms=since, at_ms=at, reason=json.loads(reason)),
                owed=tuple(json.loads(owed)),
            )
            for rule, device, phase, since, at, reason, owed in select("rule_records", {})
        ]

    def put(self, write: sqlite3.Connection, rows: Rows) -> None:
        """Within the transaction of their commit. Raises sqlite3.Error."""
        drivers, rules = rows
        for driver, state in drivers.items():
            write.execute(_SQL["put_driver_state"], {"driver": driver, "state": state})
        for row in rules.values():
            write.execute(_SQL["put_rule_state"], row)

    def note(self, rows: Rows) -> None:
        """Their transaction is committed."""
        self._drivers |= rows[0]
        self._rules |= rows[1]

    def put_all(self, write: sqlite3.Connection) -> None:
        """All that is remembered, into a new file. Raises sqlite3.Error."""
        self.put(write, (self._drivers, self._rules))


def rows_of(commit: Commit) -> Rows:
    """The states of a commit as they are stored."""
    drivers = {driver: json.dumps(dict(state), ensure_ascii=False) for driver, state in commit.driver_states.items()}
    rules = {
        (record.rule, record.device): {
            "rule": record.rule,
            "device": record.device,
            "phase": record.state.phase,
            "since_ms": record.state.since_ms,
            "at_ms": record.state.at_ms,
            "reason": json.dumps(dict(record.state.reason), ensure_ascii=False),
            "owed": json.dumps(record.owed),
        }
        for record in commit.rules
    }
    return drivers, rules
