"""The account: what the hardware showed against what the database has, row by row. Pure.

What no protocol can keep is told apart: `before_outbox` was taken from a device that cannot wait and had not reached
the disk when its gateway was killed; `ram_bound` is telemetry of the group in RAM (default one second) of a killed one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from liandong.lab.stored import STATES, UNIQUE, Content, Key, Row
from simulators.ledger import Observation

RAM_BOUND_MS: Final = 2000
"""How old what a kill costs may be: a flush each second, and as much again for a busy machine."""
_AFTER_MS: Final = 500
_REPLY_MS: Final = 1000
"""How long a driver waits for a reply: what comes while it is stopped may be too late for it afterwards."""
_GATHERED: Final = ("energy-total",)
"""Polled telemetry, gathered in RAM. What comes over the field broker is confirmed after the flush."""
_CANNOT_WAIT: Final = ("card", "access.forced")
_POLLED: Final = ("energy-total", "card", "access.forced")
"""A poll's reply counts as taken when the next poll comes, also when the reply came too late for its driver."""


class Cause(StrEnum):
    """What happened to a gateway."""

    KILLED = "killed"
    STOPPED = "stopped"
    FULL = "full"
    UNPLUGGED = "unplugged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """A gateway was killed at `to_ms`, or stopped, without a disk or cut off from a line from `from_ms` to `to_ms`.

    For a kill `from_ms` is when it could last store: earlier than `to_ms` when it was stopped or its disk was full.
    """

    gateway: str
    from_ms: int
    to_ms: int
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """An observation that the database lacks."""

    key: Key
    counter: int
    at_ms: int


@dataclass(slots=True, kw_only=True)
class Account:
    """The result. `unconfirmed`: stored, though the hardware never learned that it was taken. `latency`: at_ms → ms."""

    observed: int = 0
    stored: int = 0
    lost: list[Missing] = field(default_factory=list)
    before_outbox: list[Missing] = field(default_factory=list)
    ram_bound: list[Missing] = field(default_factory=list)
    duplicated: list[Key] = field(default_factory=list)
    altered: list[Key] = field(default_factory=list)
    misordered: list[Key] = field(default_factory=list)
    unconfirmed: list[Key] = field(default_factory=list)
    latency: list[tuple[int, float]] = field(default_factory=list)


def compare(
    ledger: Iterable[Observation],
    content: Content,
    until_ms: int,
    interruptions: Sequence[Interruption] = (),
    from_ms: int = 0,
) -> Account:
    """Compare what was observed from `from_ms` up to `until_ms`, and what was stored of that time."""
    whole = list(ledger)
    account = Account()
    expected = _expected(whole)
    stored: dict[Key, list[Row]] = defaultdict(list)
    for row in content.rows:
        stored[row.key].append(row)
    highest: dict[tuple[str, str], int] = {}
    order = {id(row): position for position, row in enumerate(content.rows)}
    matched: list[tuple[int, Observation, Row]] = []
    for key, observations in expected.items():
        rows = stored.get(key, [])
        for index, one in enumerate(observations):
            if not from_ms <= one.at_ms <= until_ms:
                continue
            account.observed += 1
            if index < len(rows):
                account.stored += 1
                matched.append((order[id(rows[index])], one, rows[index]))
            else:
                _miss(account, key, one, content.gateway_of, interruptions)
        if len(rows) > len(observations):
            account.duplicated += [key] * (len(rows) - len(observations))
    for _, one, row in sorted(matched, key=lambda match: match[0]):
        _judge(account, highest, one, row)
    _unknown(account, whole, content, until_ms, interruptions)
    return account


def _expected(ledger: Sequence[Observation]) -> dict[Key, list[Observation]]:
    """What must be stored, by key: every value of a counter, every event, every change of a state."""
    expected: dict[Key, list[Observation]] = defaultdict(list)
    last: dict[tuple[str, str], bool] = {}
    for one in sorted(ledger, key=lambda one: (one.at_ms, one.counter)):
        if one.metric in STATES:
            series, value = (one.device, one.metric), bool(one.value)
            if last.get(series) is not value:
                expected[(*series, value, one.at_ms)].append(one)
            last[series] = value
        elif (key := key_of(one)) is not None:
            expected[key].append(one)
    return expected


def key_of(one: Observation) -> Key | None:
    """What tells an observation apart; None for what is not compared."""
    if one.metric in UNIQUE:
        return (one.device, one.metric, round(float(one.value), 6))
    if one.metric in STATES:
        return (one.device, one.metric, bool(one.value), one.at_ms)
    if one.metric == "card":
        return (one.device, "card", one.value)
    if one.metric.startswith("vending.sale/"):
        return (one.device, "vending.sale", one.metric.partition("/")[2], one.counter, one.value)
    if one.metric == "sos":
        return (one.device, "sos", one.at_ms)
    return (one.device, one.metric) if one.metric == "access.forced" else None


def _miss(
    account: Account,
    key: Key,
    one: Observation,
    gateway_of: Mapping[str, str],
    interruptions: Sequence[Interruption],
) -> None:
    missing = Missing(key=key, counter=one.counter, at_ms=one.at_ms)
    mine = [i for i in interruptions if i.gateway == gateway_of.get(one.device)]
    killed = any(i.cause is Cause.KILLED and i.from_ms - RAM_BOUND_MS <= one.at_ms <= i.to_ms + _AFTER_MS for i in mine)
    stopped = any(
        i.cause is Cause.STOPPED and i.from_ms - _REPLY_MS <= one.at_ms <= i.from_ms + _AFTER_MS for i in mine
    )
    full = any(i.cause is Cause.FULL and i.from_ms - _REPLY_MS <= one.at_ms <= i.to_ms for i in mine)
    if one.metric in _GATHERED and killed:
        account.ram_bound.append(missing)
    elif (one.metric in _CANNOT_WAIT and killed) or (one.metric in _POLLED and (stopped or full)):
        account.before_outbox.append(missing)
    else:
        account.lost.append(missing)


def _judge(account: Account, highest: dict[tuple[str, str], int], one: Observation, row: Row) -> None:
    """Order by the hardware's own counter, the time from showing to commit, the time of what carries its own."""
    series = (one.device, one.metric)
    if one.counter < highest.get(series, 0):
        account.misordered.append(row.key)
    highest[series] = max(one.counter, highest.get(series, 0))
    if one.metric == "volume" and row.at_ms != one.at_ms:
        account.altered.append(row.key)
    if row.committed_ms is not None and not one.metric.startswith("vending.sale/"):
        account.latency.append((one.at_ms, row.committed_ms - one.at_ms))


def _unknown(
    account: Account,
    ledger: Sequence[Observation],
    content: Content,
    until_ms: int,
    interruptions: Sequence[Interruption],
) -> None:
    """Rows that nothing in the ledger explains: altered, unless their gateway was interrupted at that time."""
    told = {key for one in ledger if (key := key_of(one)) is not None}
    said = {(one.device, one.metric, bool(one.value)) for one in ledger if one.metric in STATES}
    for row in content.rows:
        device, metric = row.key[0], row.key[1]
        if row.key in told or row.at_ms > until_ms:
            continue
        if metric in STATES and row.key[:3] in said:
            continue  # the state that the device had before, told again
        gateway = content.gateway_of.get(device)
        near = [i for i in interruptions if i.gateway == gateway]
        explained = any(i.from_ms - RAM_BOUND_MS <= row.at_ms <= i.to_ms + RAM_BOUND_MS for i in near)
        (account.unconfirmed if explained else account.altered).append(row.key)
