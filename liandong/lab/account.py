"""The account: what the hardware showed against what the database has, row by row. Pure.

What no protocol can keep is told apart: `before_outbox` was taken from a device that cannot wait and had not reached
the disk when its gateway was killed, or was in the commit beside which its file system was aborted (the kernel said
that it was on the disk); `ram_bound` is telemetry of the group in RAM (default one second) of a killed one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from liandong.lab.interrupted import Cause, Interruption
from liandong.lab.late import Late
from liandong.lab.redated import DATED_MS, read_anew, redated, turned, turning
from liandong.lab.stored import STATES, UNIQUE, Content, Key, Row
from liandong.lab.unobserved import unobserved
from simulators.ledger import Observation

RAM_BOUND_MS: Final = 2000
"""How old what a kill costs may be: a flush each second, and as much again for a busy machine."""
_AFTER_MS: Final = 500
_REPLY_MS: Final = 1000
"""How long a driver waits for a reply: what comes while it is stopped may be too late for it afterwards."""
_ANEW_MS: Final = 15_000
"""How long a killed agent may take to be back and to hear what waited in the broker of its bridge."""
_AUDIT_MS: Final = 8000
"""A sale is told by the next audit: one each five seconds, and the reading of it."""
_GATHERED: Final = ("energy-total",)
"""Polled telemetry, gathered in RAM. What comes over the field broker is confirmed after the flush."""
_CANNOT_WAIT: Final = ("card", "access.forced")
_POLLED: Final = ("energy-total", "card", "access.forced")
"""A poll's reply counts as taken when the next poll comes, also when the reply came too late for its driver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """An observation that the database lacks."""

    key: Key
    counter: int
    at_ms: int


@dataclass(slots=True, kw_only=True)
class Account:
    """The result. `unconfirmed`: stored, though the hardware never learned that it was taken.

    `told`: gone with a broken file, and an event says so. `misdated`: stored with a time that is so many ms from the
    one at which the hardware showed it, which is the last number. `latency`, `urgent`: at_ms → ms to the commit, of
    all, and of states and events.
    """

    observed: int = 0
    stored: int = 0
    lost: list[Missing] = field(default_factory=list)
    before_outbox: list[Missing] = field(default_factory=list)
    ram_bound: list[Missing] = field(default_factory=list)
    told: list[Missing] = field(default_factory=list)
    misdated: list[tuple[Key, int, int]] = field(default_factory=list)
    duplicated: list[Key] = field(default_factory=list)
    altered: list[Key] = field(default_factory=list)
    misordered: list[Late] = field(default_factory=list)
    unconfirmed: list[Key] = field(default_factory=list)
    latency: list[tuple[int, float]] = field(default_factory=list)
    urgent: list[tuple[int, float]] = field(default_factory=list)


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
    content = unobserved(redated(content, expected, interruptions), expected)
    stored: dict[Key, list[Row]] = defaultdict(list)
    for row in content.rows:
        stored[row.key].append(row)
    series: dict[tuple[str, str], _Series] = defaultdict(_Series)
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
                _miss(account, key, one, content, interruptions)
        if len(rows) > len(observations):
            _more(account, key, rows, observations, content, interruptions)
    for _, one, row in sorted(matched, key=lambda match: match[0]):
        _judge(account, series[one.device, one.metric], one, row)
        _date(account, one, row, content, interruptions)
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
    content: Content,
    interruptions: Sequence[Interruption],
) -> None:
    missing = Missing(key=key, counter=one.counter, at_ms=one.at_ms)
    gateway = content.gateway_of.get(one.device, "")
    mine = [i for i in interruptions if i.gateway == gateway]
    unread_ms = _AUDIT_MS if key[1] == "vending.sale" else 0
    told = any(
        i.from_ms - unread_ms <= one.at_ms <= i.to_ms for i in corruptions(gateway, interruptions, content.set_aside)
    )
    killed = any(i.cause is Cause.KILLED and i.from_ms - RAM_BOUND_MS <= one.at_ms <= i.to_ms + _AFTER_MS for i in mine)
    stopped = any(
        i.cause is Cause.STOPPED and i.from_ms - _REPLY_MS <= one.at_ms <= i.from_ms + _AFTER_MS for i in mine
    )
    full = any(
        i.cause in (Cause.FULL, Cause.SLOW) and i.from_ms - _REPLY_MS <= one.at_ms <= i.to_ms + _REPLY_MS for i in mine
    )
    aborted = any(i.cause is Cause.ABORTED and i.from_ms <= one.at_ms <= i.to_ms for i in mine)
    if one.metric in _GATHERED and killed:
        account.ram_bound.append(missing)
    elif (one.metric in _CANNOT_WAIT and killed) or (one.metric in _POLLED and (stopped or full)) or aborted:
        account.before_outbox.append(missing)
    elif told:
        account.told.append(missing)
    else:
        account.lost.append(missing)


def _more(
    account: Account,
    key: Key,
    rows: Sequence[Row],
    observations: Sequence[Observation],
    content: Content,
    interruptions: Sequence[Interruption],
) -> None:
    """More rows than the hardware knows of: doubled, but for what a gateway took and was killed before it asked on.

    A card may be shown again and again, so such a row has a time of its own; what is stored twice has the same.
    """
    times = [row.at_ms for row in rows]
    left = list(rows)
    for one in observations:
        left.remove(min(left, key=lambda row: abs(row.at_ms - one.at_ms)))
    for row in left:
        own = times.count(row.at_ms) == 1 and _is_near(row, content, interruptions)
        (account.unconfirmed if own else account.duplicated).append(key)


def corruptions(
    gateway: str, interruptions: Sequence[Interruption], set_aside: Sequence[tuple[str, int]]
) -> Iterator[Interruption]:
    """Broken files that an event told of, each from when all before it had arrived, until it was noticed."""
    for one in interruptions:
        if one.gateway != gateway or one.cause is not Cause.CORRUPT:
            continue
        noticed = [at_ms for name, at_ms in set_aside if name == gateway and at_ms >= one.to_ms]
        if noticed:
            yield replace(one, from_ms=one.from_ms - RAM_BOUND_MS, to_ms=min(noticed))


@dataclass(slots=True)
class _Series:
    """Of a device and metric: the highest counter before the newest commit, the highest in it, and with what."""

    committed_ms: float | None = None
    before: tuple[int, Key] = (0, ())
    newest: tuple[int, Key] = (0, ())

    def late(self, counter: int, row: Row) -> Key | None:
        """What of an earlier commit the device showed later than this. What is stored together has no order."""
        if row.committed_ms is None or row.committed_ms != self.committed_ms:
            self.before, self.committed_ms = max(self.before, self.newest, key=_counter), row.committed_ms
        self.newest = max(self.newest, (counter, row.key), key=_counter)
        return self.before[1] if counter < self.before[0] else None


def _counter(shown: tuple[int, Key]) -> int:
    return shown[0]


def _judge(account: Account, series: _Series, one: Observation, row: Row) -> None:
    """Order by the hardware's own counter, and the time from showing to commit."""
    before = series.late(one.counter, row)
    if before is not None:
        committed_ms = row.committed_ms or 0.0
        account.misordered.append(Late(key=row.key, before=before, at_ms=one.at_ms, committed_ms=committed_ms))
    if row.committed_ms is not None and not one.metric.startswith("vending.sale/"):
        account.latency.append((one.at_ms, row.committed_ms - one.at_ms))
        if one.metric in STATES or one.metric in (*_CANNOT_WAIT, "sos"):
            account.urgent.append((one.at_ms, row.committed_ms - one.at_ms))


def _date(
    account: Account, one: Observation, row: Row, content: Content, interruptions: Sequence[Interruption]
) -> None:
    """The stored time: exact where the device tells it, else when its reply was read, which a standstill may delay."""
    off_ms = row.at_ms - one.at_ms
    if one.metric == "volume" and off_ms and not turned(one.device, one.at_ms, content, interruptions):
        account.altered.append(row.key)
        return
    if one.metric not in (*_GATHERED, "volume"):
        return
    # A bridge whose clock was turned before its gateway's dates by a clock that nobody knows yet.
    if one.metric == "volume" and turning(one.device, one.at_ms, content, interruptions):
        return
    stood_still = sum(
        i.to_ms - i.from_ms
        for i in interruptions
        if i.gateway == content.gateway_of.get(one.device)
        and i.cause is Cause.STOPPED
        and i.from_ms <= one.at_ms + DATED_MS
        and one.at_ms <= i.to_ms
    )
    if one.metric == "volume" and read_anew(one.device, one.at_ms, content, interruptions):
        stood_still += _ANEW_MS
    if not -DATED_MS <= off_ms <= DATED_MS + stood_still:
        account.misdated.append((row.key, off_ms, one.at_ms))


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
        metric = row.key[1]
        if row.key in told or row.at_ms > until_ms:
            continue
        if metric in STATES and row.key[:3] in said:
            continue  # the state that the device had before, told again
        (account.unconfirmed if _is_near(row, content, interruptions) else account.altered).append(row.key)


def _is_near(row: Row, content: Content, interruptions: Sequence[Interruption]) -> bool:
    """Whether a row is of a time when its gateway was interrupted."""
    gateway = content.gateway_of.get(str(row.key[0]))
    mine = [i for i in interruptions if i.gateway == gateway and i.cause is not Cause.TURNED]
    return any(i.from_ms - RAM_BOUND_MS <= row.at_ms <= i.to_ms + RAM_BOUND_MS for i in mine)
