"""The simulators' ledger against the database: what the hardware showed, and what was stored of it.

Counters that only grow make each reading unique, so they are compared value by value. States are compared as the
sequence of their changes (a repeated state is no news). Events are counted, each with what tells it apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from simulators.ledger import Observation, read_ledger
from tests.acceptance.street import Street

UNIQUE = ("energy-total", "volume")
STATES = ("smoke", "leak", "occupancy", "sounding")
Key = tuple[Any, ...]


@dataclass(slots=True)
class Account:
    """`missing` and `doubled` name the observations; `observed` counts what could be compared."""

    observed: int = 0
    missing: list[tuple[Key, int]] = field(default_factory=list)
    doubled: list[Key] = field(default_factory=list)

    def beyond(self, kills_ms: Iterable[int], bound_ms: int) -> list[tuple[Key, int]]:
        """What is missing and was not in a killed agent's memory: not observed within `bound_ms` before a kill."""
        kills = list(kills_ms)
        return [(key, at) for key, at in self.missing if not any(kill - bound_ms <= at <= kill + 500 for kill in kills)]


def compare(street: Street, until_ms: int) -> Account:
    """Compare everything that was observed up to `until_ms`."""
    ledger = [one for one in read_ledger(street.data / "sim" / "ledger.jsonl") if one.at_ms <= until_ms]
    account = Account()
    _compare(account, [(key, one.at_ms) for one in ledger if (key := _key(one))], _stored(street))
    _compare_states(account, ledger, street)
    return account


def _key(one: Observation) -> Key | None:
    if one.metric in UNIQUE:
        return (one.device, one.metric, round(float(one.value), 6))
    if one.metric == "card":
        return (one.device, "card", one.value)
    if one.metric.startswith("vending.sale/"):
        return (one.device, "vending.sale", one.metric.partition("/")[2], one.counter, one.value)
    if one.metric in ("sos", "access.forced"):
        return (one.device, one.metric)
    return None


def _stored(street: Street) -> Counter[Key]:
    readings = street.rows(
        """SELECT d.code, s.metric, r.value FROM reading r JOIN series s ON s.id = r.series_id
           JOIN device d ON d.id = s.device_id WHERE s.metric = ANY(%s)""",
        list(UNIQUE),
    )
    stored = Counter[Key]((row["code"], row["metric"], round(row["value"], 6)) for row in readings)
    events = street.rows("SELECT d.code, e.kind, e.data FROM event e JOIN device d ON d.id = e.device_id")
    for row in events:
        if row["kind"] in ("access.granted", "access.denied"):
            stored[(row["code"], "card", row["data"]["card"])] += 1
        elif row["kind"] == "vending.sale":
            data = row["data"]
            stored[(row["code"], "vending.sale", data["selection"], data["counter"], data["value"])] += 1
        elif row["kind"] in ("sos", "access.forced"):
            stored[(row["code"], row["kind"])] += 1
    return stored


def _compare(account: Account, observed: list[tuple[Key, int]], stored: Counter[Key]) -> None:
    left = Counter(stored)
    for key, at_ms in observed:
        account.observed += 1
        left[key] -= 1
        if left[key] < 0:
            account.missing.append((key, at_ms))
    seen = {key for key, _ in observed}
    counted = Counter(key for key, _ in observed)
    account.doubled += [key for key in seen if key[1] in (*UNIQUE, "vending.sale") and stored[key] > counted[key]]


def _compare_states(account: Account, ledger: list[Observation], street: Street) -> None:
    rows = street.rows(
        """SELECT d.code, s.metric, r.value FROM reading r JOIN series s ON s.id = r.series_id
           JOIN device d ON d.id = s.device_id WHERE s.metric = ANY(%s) ORDER BY d.code, s.metric, r.ts""",
        list(STATES),
    )
    stored = {
        key: _changes(row["value"] for row in group) for key, group in groupby(rows, lambda r: (r["code"], r["metric"]))
    }
    states = sorted((one for one in ledger if one.metric in STATES), key=lambda one: (one.device, one.metric))
    for key, group in groupby(states, lambda one: (one.device, one.metric)):
        ordered = sorted(group, key=lambda one: one.counter)
        shown = _changes(float(bool(one.value)) for one in ordered)
        account.observed += len(shown)
        found = stored.get(key, [])[: len(shown)]
        if found != shown:
            account.missing.append(((*key, "changes", shown, found), ordered[-1].at_ms))


def _changes(values: Iterable[float]) -> list[float]:
    return [value for value, _ in groupby(values)]
