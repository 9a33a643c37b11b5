"""What is missing for good, told once: the view `delivery` against what was told of it before.

Missing is what was given, was not received and is held by no gateway. A number counts as lost once somebody spoke about
it: a birth that came after it was given, a gateway that told that it had to give it up, or no birth at all naming its
epoch any more. Everything else may still be on its way. What arrives after all, or turns up in a later birth, is taken
back by itself.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from cloud import audit
from cloud.storage.database import StreamEvent, Transaction
from cloud.storage.queries import load
from cloud.storage.received import LaneKey
from cloud.storage.timers import set_timer
from protocols.delivery import Lane, NumberSet
from protocols.delivery.numbers import MAX_NUMBER

TIMER: Final = "delivery.look"
"""The kind of the timer that never ends; `begin` sets it."""
LOOK: Final = timedelta(seconds=10)
"""How often is looked."""
LOST: Final = "delivery.lost"
ARRIVED: Final = "delivery.arrived"
VANISHED: Final = "vanished"
UNKNOWN: Final = "unknown"
SET_ASIDE: Final = "set-aside"
THINNED: Final = "thinned"
"""Readings are missing, but no number: what is left of them comes under all of their numbers."""
REASONS: Final = ("quota", "unreadable", SET_ASIDE, VANISHED, UNKNOWN)
"""`cloud.loss.<reason>`: a gateway's own word if it is one of these, else what the cloud can say."""
_SETTLES: Final = timedelta(days=1)
"""A gateway's reason may come this long before or after the loss is noticed."""
_APART: Final = 20
"""Ranges of one lane that are told one by one; a set in more pieces than this is told as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What is missing of a lane. `spoken_to`: births spoke about the numbers up to here."""

    key: LaneKey
    gateway_id: int | None
    missing: NumberSet
    spoken_to: int
    vanished: bool


@dataclass(slots=True, kw_only=True)
class Told:
    """A loss that was told and stands."""

    id: int
    key: LaneKey
    gateway_id: int | None
    missing: NumberSet
    reason: str
    noticed_at: datetime


@dataclass(slots=True)
class Reasons:
    """What gateways said about it: the numbers they gave up, with the reason, and who set a broken file aside."""

    given_up: dict[LaneKey, list[tuple[NumberSet, str]]] = field(default_factory=lambda: defaultdict(list))
    set_aside: set[int] = field(default_factory=set)

    def numbers(self, key: LaneKey) -> NumberSet:
        """All numbers of a lane that were given up."""
        whole = NumberSet()
        for numbers, _ in self.given_up.get(key, ()):
            whole |= numbers
        return whole

    def of(self, gap: Gap, numbers: NumberSet) -> str:
        """Why these numbers are missing."""
        for given_up, reason in self.given_up.get(gap.key, ()):
            if given_up & numbers:
                return reason if reason in REASONS else UNKNOWN
        if gap.gateway_id in self.set_aside:
            return SET_ASIDE
        return VANISHED if gap.vanished else UNKNOWN


def begin(tx: Transaction, now: datetime) -> None:
    """Let it be looked from now on."""
    set_timer(tx, TIMER, "", now)


def look(tx: Transaction, now: datetime) -> None:
    """Tell what is missing since the last look, and take back what is missing no more. `now`: aware, UTC."""
    sql = load("losses")
    told = [_told(row) for row in tx.fetch(sql["open"])]
    gaps = {gap.key: gap for gap in map(_gap, tx.fetch(sql["gaps"]))}
    if not gaps:
        return
    reasons = _reasons(tx, gaps, now)
    lost = {gap.key: lost_of(gap, reasons.numbers(gap.key)) for gap in gaps.values()}
    concerned = {gap.gateway_id for gap in gaps.values()} | {one.gateway_id for one in told}
    ids = sorted(number for number in concerned if number is not None)
    gateways = {row["id"]: row for row in tx.fetch(sql["gateways"], {"ids": ids})}
    for one in told:
        _correct(tx, one, gaps.get(one.key), lost.get(one.key, NumberSet()), reasons, gateways, now)
    known: dict[LaneKey, NumberSet] = defaultdict(NumberSet)
    for one in told:
        known[one.key] |= one.missing
    for key, gap in gaps.items():
        for numbers in pieces(lost[key] - known[key]):
            _tell(tx, gap, numbers, reasons.of(gap, numbers), gateways, now)


def lost_of(gap: Gap, given_up: NumberSet) -> NumberSet:
    """What of a gap is lost, and not merely on its way."""
    spoken = NumberSet([(1, gap.spoken_to)]) if gap.spoken_to else NumberSet()
    return gap.missing & (spoken | given_up)


def pieces(numbers: NumberSet) -> Sequence[NumberSet]:
    """What is told as one: each range, unless there are too many."""
    if len(numbers.ranges) > _APART:
        return [numbers]
    return [NumberSet([pair]) for pair in numbers.ranges]


def _correct(
    tx: Transaction,
    one: Told,
    gap: Gap | None,
    lost: NumberSet,
    reasons: Reasons,
    gateways: Mapping[int, DictRow],
    now: datetime,
) -> None:
    left = one.missing & lost
    reason = one.reason
    if left and gap is not None and reason in (VANISHED, UNKNOWN) and now - one.noticed_at < _SETTLES:
        reason = reasons.of(gap, left)
    if left == one.missing and reason == one.reason:
        return
    back, one.missing = one.missing - left, left
    ended_at = None if left else now
    row = {"id": one.id, "missing": str(left), "reason": reason, "ended_at": ended_at}
    tx.execute(load("losses")["correct"], row)
    if back:
        _say(tx, ARRIVED, one.id, one.key, back, reason, gateways.get(one.gateway_id or 0), now)
    else:
        _publish(tx, LOST, one.id, _data(one.key, left, reason), gateways.get(one.gateway_id or 0))


def _tell(
    tx: Transaction, gap: Gap, numbers: NumberSet, reason: str, gateways: Mapping[int, DictRow], now: datetime
) -> None:
    epoch, lane = gap.key
    row = {"epoch": epoch, "lane": str(lane), "numbers": str(numbers), "gateway": gap.gateway_id}
    made = tx.one(load("losses")["tell"], row | {"reason": reason, "now": now})
    assert made is not None
    _say(tx, LOST, made["id"], gap.key, numbers, reason, gateways.get(gap.gateway_id or 0), now)


def _say(
    tx: Transaction,
    kind: str,
    loss_id: int,
    key: LaneKey,
    numbers: NumberSet,
    reason: str,
    gateway: DictRow | None,
    now: datetime,
) -> None:
    """As an event of the gateway, to the pages, and in the audit log."""
    data = _data(key, numbers, reason)
    if gateway is not None and gateway["device_id"] is not None:
        now_ms = round(now.timestamp() * 1000)
        columns = {"received_ms": now_ms, "event_ids": [uuid.uuid4()], "devices": [gateway["device_id"]]}
        columns |= {"at_ms": [now_ms], "kinds": [kind], "data": [json.dumps(data)]}
        tx.execute(load("observations")["append_events"], columns)
    _publish(tx, kind, loss_id, data, gateway)
    subject = None if gateway is None else f"{gateway['group_code']}/{gateway['code']}"
    place = None if gateway is None else gateway["place_id"]
    audit.record(tx, now, kind, person=None, subject=subject, place=place, loss=loss_id, **data)


def _publish(tx: Transaction, kind: str, loss_id: int, data: Mapping[str, Any], gateway: DictRow | None) -> None:
    whose = None if gateway is None else {"group": gateway["group_code"], "code": gateway["code"]}
    shown = {"id": loss_id, "kind": kind, "gateway": whose, **data}
    place = None if gateway is None else gateway["place_id"]
    tx.publish(StreamEvent(kind="loss", key=str(loss_id), data=shown, place_id=place))


def _data(key: LaneKey, numbers: NumberSet, reason: str) -> dict[str, Any]:
    epoch, lane = key
    return {
        "epoch": str(epoch),
        "lane": str(lane),
        "first": numbers.ranges[0][0],
        "last": numbers.ranges[-1][1],
        "count": len(numbers),
        "reason": reason,
    }


def _reasons(tx: Transaction, keys: Iterable[LaneKey], now: datetime) -> Reasons:
    found = Reasons()
    epochs = sorted({str(epoch) for epoch, _ in keys})
    for row in tx.fetch(load("losses")["given_up"], {"epochs": epochs}):
        data = row["data"]
        first, last, lane = data.get("first"), data.get("last"), data.get("lane")
        if lane not in tuple(Lane) or not _is_range(first, last) or data.get("reason") == THINNED:
            continue  # a gateway's own words: whatever else they say, they give no number up
        key = (UUID(data["epoch"]), Lane(lane))
        found.given_up[key].append((NumberSet([(first, last)]), str(data.get("reason"))))
    since = {"since": now - _SETTLES}
    found.set_aside = {row["gateway_id"] for row in tx.fetch(load("losses")["set_aside"], since)}
    return found


def _is_range(first: object, last: object) -> bool:
    return type(first) is int and type(last) is int and 1 <= first <= last <= MAX_NUMBER


def _gap(row: DictRow) -> Gap:
    return Gap(
        key=(row["epoch"], Lane(row["lane"])),
        gateway_id=row["gateway_id"],
        missing=NumberSet.parse(row["missing"]),
        spoken_to=row["spoken_to"],
        vanished=row["vanished"],
    )


def _told(row: DictRow) -> Told:
    return Told(
        id=row["id"],
        key=(row["epoch"], Lane(row["lane"])),
        gateway_id=row["gateway_id"],
        missing=NumberSet.parse(row["missing"]),
        reason=row["reason"],
        noticed_at=row["noticed_at"],
    )
