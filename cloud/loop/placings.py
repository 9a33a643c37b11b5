"""Where a gateway says that a device hangs becomes where it hangs, or a question for a person.

A device without a place takes the gateway's word when the tree has such a place below the gateway's estate: it is live
from then on. Where the cloud says otherwise, or knows no such place, the difference is shown and a person decides.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from psycopg.rows import DictRow

from cloud import audit
from cloud.alerting.judge import Judge
from cloud.loop.walktests import Store
from cloud.loop.work import Work
from cloud.storage.database import StreamEvent
from cloud.storage.queries import load
from protocols.catalog import DEVICE_TYPES
from protocols.errors import RefusedError
from protocols.events import Observation, Reading

_LOG: Final = logging.getLogger("liandong.cloud.placings")

LIVE: Final = "device.live"
_BOOLEAN: Final = 11
"""Sparkplug data type (specification 3.0.0, section 6.4.16)."""

Decision = Literal["take", "keep", "place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """A device's newest value, as the judge sees an observation."""

    device_id: int
    device_code: str
    device_type: str | None
    gateway_id: int
    place_id: int | None
    place_path: str | None
    observation: Observation


def take(work: Work, ref: str) -> datetime | None:
    """Handler of `placing.take` (ref: device): take the gateway's word, or say that a person must decide.

    Due again at once when the gateway has said something newer meanwhile: this timer is that word's, too.
    """
    row = work.tx.one(load("placings")["lock"], {"device": int(ref)})
    if row is None or row["state"] != "told":
        return None
    place = _told_place(work, row)
    if place is None:
        state = "unknown"
    elif row["place_id"] not in (None, place["id"]) or row["type"] not in (None, row["told_type"]):
        state = "differs"
    else:
        _hang(work, row, place, how="gateway")
        state = "taken"
    return None if _mark(work, row, state) else work.now


def decide(work: Work, device: int, decision: Decision, path: str | None, kind: str | None, allowed: Any) -> None:
    """What a person says: the gateway is right, the cloud is right, or it hangs at `path`.

    What is placed has a type, or no rule would watch it: `kind` counts where neither cloud nor gateway know one.
    `allowed` is asked whether the person may hang things at a path, and say anything of what hangs there. Raises
    RefusedError.
    """
    row = work.tx.one(load("placings")["lock"], {"device": device})
    if row is None:
        raise RefusedError("cloud.device.unknown", id=device)
    if row["path"] is not None and not allowed(row["path"]):  # where others decide
        raise RefusedError("cloud.placing.no-place", place=row["path"])
    if decision == "keep":
        if row["place_id"] is None or row["version"] is None:
            raise RefusedError("cloud.placing.nothing", device=row["code"])
        _mark(work, row, "kept")
        return
    if decision == "take" and row["version"] is None:
        raise RefusedError("cloud.placing.nothing", device=row["code"])
    place = _told_place(work, row) if decision == "take" else work.tx.one(load("placings")["at"], {"path": path})
    if place is None or not allowed(place["path"]):
        raise RefusedError("cloud.placing.no-place", place=row["told_place"] if decision == "take" else path)
    if row["type"] is None and row["told_type"] is None:
        if kind not in DEVICE_TYPES:
            raise RefusedError("cloud.placing.no-type", device=row["code"])
        row["told_type"] = kind
    _hang(work, row, place, how="person", trusted=decision == "take")
    if row["version"] is not None:
        told = _told_place(work, row)
        _mark(work, row, "taken" if told is not None and told["id"] == place["id"] else "kept")


class GoingLive:
    """The timer that judges a device by what it has told already, once it hangs somewhere."""

    def __init__(self, judge: Judge, store: Store) -> None:
        self._judge, self._store = judge, store

    def __call__(self, work: Work, ref: str) -> datetime | None:
        """Handler of `device.live` (ref: device): a condition that holds already fires."""
        facts = [_fact(int(ref), row) for row in work.tx.fetch(load("placings")["values"], {"device": int(ref)})]
        self._judge.judge(self._store(work), facts, round(work.now.timestamp() * 1000))
        return None


def _told_place(work: Work, row: DictRow) -> DictRow | None:
    """The one place that the gateway means; None when there is none, or more than one."""
    which = {"place": row["told_place"], "group": row["group_code"], "gateway_path": row["gateway_path"]}
    found = work.tx.fetch(load("placings")["below"], which)
    return found[0] if len(found) == 1 else None


def _hang(work: Work, row: DictRow, place: DictRow, *, how: str, trusted: bool = False) -> None:
    """It hangs there, and is what the gateway says when that is `trusted`. The judge and the audit log are told."""
    named = {"place": place["id"], "type": row["told_type"], "name": row["told_name"] or "", "device": row["id"]}
    work.tx.execute(load("placings")["hang"], named | {"trusted": trusted})
    if row["place_id"] == place["id"]:
        return
    told = {"device": row["code"], "from": row["path"], "to": place["path"], "by": how, "version": row["version"]}
    audit.record(
        work.tx, work.now, "device.place", person=work.person, subject=str(row["id"]), place=place["id"], **told
    )
    work.timer(LIVE, str(row["id"]), work.now)
    _LOG.info("device-placed device=%s/%s place=%s by=%s", row["gateway_code"], row["code"], place["path"], how)


def _mark(work: Work, row: DictRow, state: str) -> bool:
    """What became of the gateway's word; False when that is not its newest any more."""
    which = {"device": row["id"], "version": row["version"], "state": state, "person": work.person, "now": work.now}
    newest = bool(work.tx.execute(load("placings")["state"], which))
    now = work.tx.one(load("devices")["where"], {"id": row["id"]})
    assert now is not None
    data = {"id": row["id"], "online": row["online"], "placing": state}
    work.tx.publish(StreamEvent(kind="device", key=str(row["id"]), data=data, place_id=now["place_id"]))
    return newest


def _fact(device: int, row: DictRow) -> Newest:
    value: Any = row["text"] if row["text"] is not None else row["value"]
    if row["datatype"] == _BOOLEAN and isinstance(value, float):
        value = value != 0
    quality: Any = {192: "good", 64: "uncertain"}.get(row["quality"], "bad")
    at_ms = round(row["ts"].timestamp() * 1000)
    seen = Reading(device=row["code"], metric=row["metric"], value=value, at_ms=at_ms, quality=quality)
    return Newest(
        device_id=device,
        device_code=row["code"],
        device_type=row["type"],
        gateway_id=row["gateway_id"],
        place_id=row["place_id"],
        place_path=row["place_path"],
        observation=seen,
    )
