"""What follows from the past of a device: its usual day, what is out of the ordinary, demand, leaks, violations."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from fastapi import APIRouter, Query, Request

from cloud import audit
from cloud.api.history import require_device
from cloud.api.services import Given, SignedIn, address, now
from cloud.history import derived
from cloud.history.figures import as_ms, day_edges
from cloud.history.summary import Floats
from cloud.storage.chart import columns, table
from cloud.storage.database import Transaction
from cloud.storage.history import Past
from cloud.storage.kinds import Kind, kind_of
from cloud.storage.queries import load
from cloud.storage.rollups import Level, moment

router = APIRouter(prefix="/api/v1/devices", tags=["history"])

Json = dict[str, Any]
TELLING: Final = {
    "power-meter": ("energy-import", "energy-total", "power"),
    "water-meter": ("volume", "flow"),
    "motion": ("occupancy",),
    "cold-chain": ("temperature",),
    "vending": ("sales-count",),
}
"""Which metric of a type tells how people live, the first that there is."""
PAST: Final = timedelta(days=35)
DEMAND_PAST: Final = timedelta(days=91)
VIOLATIONS_PAST: Final = timedelta(days=7)
WARM: Final = 8.0
"""°C: medicines and fresh food are kept below it (the rule `cold-chain-warm`)."""


@router.get("/{device_id}/figures")
def figures(
    device_id: int,
    who: SignedIn,
    request: Request,
    given: Given,
    limit: Annotated[float, Query(ge=-100, le=100)] = WARM,
) -> Json:
    """What there is to tell of a device; a figure that would need more past is null. The view is logged."""
    moment_now = now()
    with given.database.transaction() as tx:
        row = require_device(tx, who, device_id)
        place = row["place_id"]
        whom = {"person": who.id, "subject": str(device_id), "place": place, "address": address(request)}
        audit.view(tx, moment_now, "device.figures", **whom)
        tx.execute(load("history")["bounds"])
        rows = tx.fetch(load("history")["series_of"], {"devices": [device_id], "metrics": None})
        series = {one["metric"]: one for one in rows}
        kind_of_device = rows[0]["type"] if rows else None
        told = _Teller(tx, series, ZoneInfo(given.time_zone), moment_now)
        found: Json = {"time_zone": given.time_zone}
        telling = next((name for name in TELLING.get(kind_of_device or "", ()) if name in series), None)
        if telling is not None:
            found |= {"metric": telling, "unit": series[telling]["unit"]} | told.habits(telling)
        if "sales-count" in series:
            found |= told.sales(series.get("stock"))
        if kind_of_device == "water-meter" and "volume" in series:
            found["leak"] = told.leak()
        if kind_of_device in ("cold-chain", "vending") and "temperature" in series:
            found["violations"] = told.violations(limit)
    return found


class _Teller:
    """Reads what each figure needs, inside one request's transaction."""

    def __init__(self, tx: Transaction, series: dict[str, Any], zone: ZoneInfo, at: Any) -> None:
        self._tx, self._series, self._zone, self._now = tx, series, zone, at

    def habits(self, metric: str) -> Json:
        """The usual day, and how far the last 24 hours are from it."""
        hours = self._by_hour(metric, PAST)
        usual = derived.pattern(hours[:-1])
        score = derived.anomaly(hours, usual)
        shown = None
        if usual is not None:
            quarters = {"low": columns(usual.low), "middle": columns(usual.middle), "high": columns(usual.high)}
            shown = {"days": usual.days, "today": columns(hours[-1])} | quarters
        worst = None if np.isnan(score).all() else float(f"{score[np.nanargmax(np.abs(score))]:.3g}")
        return {"pattern": shown, "anomaly": None if worst is None else {"worst": worst, "scores": columns(score)}}

    def sales(self, stock: Any) -> Json:
        """The coming week's demand, and when the stock is gone."""
        past, kind = self._past("sales-count")
        edges = self._midnights(DEMAND_PAST)
        days = table(past, kind, Level.DAY, int(edges[0]), int(edges[-1]))
        sold = np.where(days.count > 0, days.increase, np.nan)
        expected = derived.demand(sold)
        if expected is None:
            return {"demand": None, "stock_out": None}
        told = {"coming": columns(expected.coming), "error": float(f"{expected.error:.3g}"), "days": expected.days}
        left = self._tx.one(load("history")["newest"], {"series": stock["id"]}) if stock is not None else None
        if left is None or left["value"] is None:
            return {"demand": told, "stock_out": None}
        gone = derived.stock_out(left["value"], expected)
        lasts = columns(np.array([gone.days, gone.early, gone.late]))
        finite = [None if one is None or one == float("inf") else one for one in lasts]
        return {
            "demand": told,
            "stock_out": dict(zip(("days", "early", "late"), finite, strict=True)) | {"stock": left["value"]},
        }

    def leak(self) -> Json | None:
        """Whether water never stands still at night."""
        found = derived.night_leak(self._by_hour("volume", timedelta(days=14)))
        if found is None:
            return None
        return {
            "leaking": found.leaking,
            "nights": found.nights,
            "least_per_hour": float(f"{found.least_per_hour:.3g}"),
        }

    def violations(self, limit: float) -> Json:
        """How long it was too warm in the last seven days."""
        past, kind = self._past("temperature")
        end = round(self._now.timestamp() * 1000)
        begin = end - VIOLATIONS_PAST // timedelta(milliseconds=1)
        rows = np.concatenate([past.before(begin), past.readings(begin, end)])
        found = derived.time_above(rows, limit, begin, end, kind.hold_ms)
        told = {"above_s": found.above_ms // 1000, "longest_s": found.longest_ms // 1000, "times": found.times}
        known = {"known_s": found.known_ms // 1000, "limit": limit, "days": VIOLATIONS_PAST.days}
        return told | known | {"highest": columns(np.array([found.highest]))[0]}

    def _by_hour(self, metric: str, back: timedelta) -> Floats:
        """(days, 24) of the street's days up to today: use per hour of a counter, the mean of anything else."""
        past, kind = self._past(metric)
        edges = self._midnights(back, today=True)
        found = table(past, kind, Level.HOUR, int(edges[0]), int(edges[-1]))
        values = found.increase if kind is Kind.COUNTER else found.weighted
        over = found.begins + 3_600_000 <= self._now.timestamp() * 1000
        values = np.where(over & ((found.count > 0) | (found.held > 0)), values, np.nan)
        hours = np.full((len(edges) - 1, 24), np.nan)
        day = np.searchsorted(edges, found.begins, "right") - 1
        inside = (day >= 0) & (day < len(hours))
        hour = np.array([moment(int(at)).astimezone(self._zone).hour for at in found.begins[inside]], dtype=np.int64)
        hours[day[inside], hour] = values[inside]
        return hours

    def _midnights(self, back: timedelta, *, today: bool = False) -> Any:
        """Of the whole days before today; with `today` that too."""
        edges = as_ms(day_edges(self._now - back, self._now, self._zone))
        return edges if today else edges[:-1]

    def _past(self, metric: str) -> tuple[Past, Kind]:
        row = self._series[metric]
        kind = kind_of(metric, row["datatype"], row["type"])
        return Past(tx=self._tx, series=row["id"], zone=self._zone, now=self._now), kind
