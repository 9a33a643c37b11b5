"""The agent's condition for a person on the gateway, one JSON document (`edge.local` hands it out).

Parts carry a code and its values; `describe` adds the sentence in the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from edge import machine
from edge.board import Board, DeviceCondition
from edge.clock.clock import Clock
from edge.clock.values import ClockCondition
from edge.drivers.strangers import MOST, Stranger
from edge.outbox.store import Outbox
from edge.uplink.uplink import UplinkCondition
from protocols.catalog import DEVICE_TYPES
from protocols.errors import LiandongError
from protocols.events import Value
from protocols.messages import Language, sentence

Report = dict[str, Any]

_SIGNS: Final = {"Cel": "°C", "1": "", "{minor}": "", "m3": "m³", "m3/h": "m³/h", "kW.h": "kWh"} | {
    "[ppm]": "ppm",
    "%{LEL}": "%LEL",
}
"""UCUM codes that people write otherwise."""


def report(
    *,
    uplink: UplinkCondition,
    broker: str,
    outbox: Outbox,
    clock: Clock,
    board: Board,
    where: Mapping[str, str],
    acknowledged: bool,
) -> Report:
    """``{"ok", "parts": [{"name", "ok", "code", "data"}]}`` for uplink, outbox, clock, drivers and devices."""
    parts = [_uplink(uplink, broker, acknowledged=acknowledged), _outbox(outbox), _clock(clock.condition)]
    for name, driver in board.drivers().items():
        data = {"family": driver.family, "line": driver.line, "restarts": driver.restarts, **_cause(driver.error)}
        code = "running" if driver.running else "down"
        parts.append(_part(f"driver/{name}", f"edge.status.driver-{code}", data, ok=driver.running))
    parts += [_device(name, condition, board, clock, where) for name, condition in board.devices().items()]
    parts += [_stranger(driver, one, clock) for driver, listed in board.strangers().items() for one in listed]
    parts += [_unlisted(driver, refused) for driver, refused in board.unlisted().items()]
    return {"ok": all(part["ok"] for part in parts), "parts": parts}


def describe(found: Report, language: Language) -> Report:
    """`found` with `detail`, a sentence, in every part."""
    return {**found, "parts": [{**part, "detail": _detail(part, language)} for part in found["parts"]]}


def _detail(part: Mapping[str, Any], language: Language) -> str:
    return said(part["code"], part["data"], language)


def said(code: str, data: Mapping[str, Any], language: Language) -> str:
    """The sentence of a part: with its cause, and of a clock with what it was compared with."""
    cause = data.get("cause")
    more = {"error": sentence(cause["code"], cause["params"], language)} if cause else {}
    parts = [sentence(code, {**data, **more}, language)]
    if code.startswith("edge.status.clock-"):
        parts += [sentence(f"edge.status.{name}", data, language) for name in ("skew", "step") if data[name]]
    return "".join(parts)


def _cause(error: LiandongError | None) -> Report:
    """`error` as its English sentence, and as code and parameters for a reader of another language."""
    if error is None:
        return {"error": "", "cause": None}
    return {"error": str(error), "cause": {"code": error.code, "params": error.texts()}}


def shown(value: Value | None, unit: str) -> str:
    """A value for a person: three digits behind the point at most, and its unit (a UCUM code)."""
    if isinstance(value, bool):
        return str(value).lower()
    number = f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    sign = _SIGNS.get(unit, unit)
    return f"{number} {sign}" if sign else number


def _part(name: str, code: str, data: Mapping[str, Any], *, ok: bool) -> Report:
    return {"name": name, "ok": ok, "code": code, "data": dict(data)}


def _uplink(uplink: UplinkCondition, broker: str, *, acknowledged: bool) -> Report:
    data = {
        "stage": uplink.stage,
        "since_ms": uplink.since_ms,
        "broker": broker,
        "answered": uplink.answered,
        "in_flight": uplink.in_flight,
        "sent": uplink.sent,
        "again": uplink.again,
        "certificate_until_ms": uplink.certificate_until_ms,
        **_cause(uplink.error),
    }
    unanswered = uplink.stage == "born" and acknowledged and not uplink.answered
    code = "unanswered" if unanswered else uplink.stage
    return _part("uplink", f"edge.status.uplink-{code}", data, ok=code == "born")


def _outbox(outbox: Outbox) -> Report:
    totals = outbox.totals
    data = {
        "urgent": totals.waiting["urgent"],  # type: ignore[index]
        "bulk": totals.waiting["bulk"],  # type: ignore[index]
        "kept": sum(totals.kept.values()),
        "bytes": totals.size,
        "quota": outbox.quota.total,
        "used": machine.size(totals.size),
        "room": machine.size(outbox.quota.total),
        "blocks": totals.blocks,
        "lost": totals.lost,
        "thinned": totals.thinned,
        "epoch": str(outbox.epoch),
    }
    if outbox.cramped is not None:
        return _part("outbox", "edge.status.outbox-memory", {**data, **_cause(outbox.cramped.why)}, ok=False)
    code = "outbox-short" if totals.lost or totals.thinned else "outbox"
    return _part("outbox", f"edge.status.{code}", data, ok=True)


def _clock(clock: ClockCondition) -> Report:
    """Times with their sign: seconds for steps, ms for the skew."""
    step = clock.last_step
    data = {
        "known": clock.known,
        "origin": clock.origin,
        "synchronised": clock.synchronised,
        "disputed": clock.disputed,
        "apart_ms": clock.apart_ms,
        "skew_ms": clock.skew_ms,
        "last_step": None if step is None else {**asdict(step), "at_ms": clock.last_step_ms},
        "apart": f"{clock.apart_ms / 1000:+.1f} s",
        "skew": "" if clock.skew_ms is None else f"{clock.skew_ms:+d} ms",
        "step": "" if step is None else f"{step.by_ms / 1000:+.1f} s",
    }
    code = "disputed" if clock.disputed else clock.origin or "unknown"
    return _part("clock", f"edge.status.clock-{code}", data, ok=clock.known and not clock.disputed)


def _stranger(driver: str, one: Stranger, clock: Clock) -> Report:
    """A device that waits to be approved: nothing is wrong, and there is something to do."""
    data = {
        "driver": driver,
        "address": one.address,
        "name": one.name,
        "model": one.model,
        "type": one.type,
        "settings": dict(one.settings),
        "first_ms": clock.resolve(one.first_ms),
        "heard": one.heard,
        "last": one.last,
        "what": " ".join(dict.fromkeys(word for word in (one.model, one.name) if word)) or "-",
    }
    return _part(f"waiting/{one.address}", "edge.status.waiting", data, ok=True)


def _unlisted(driver: str, refused: int) -> Report:
    """Devices for which the list of those that wait has no room."""
    data = {"driver": driver, "limit": MOST, "heard": refused}
    return _part(f"unlisted/{driver}", "edge.status.unlisted", data, ok=True)


def _device(name: str, condition: DeviceCondition, board: Board, clock: Clock, where: Mapping[str, str]) -> Report:
    values = {
        metric: {"value": reading.value, "at_ms": clock.resolve(reading.at_ms), "quality": reading.quality}
        for metric, reading in board.known(name).items()
    }
    asked, failed = board.tally(name, clock.now_ms())
    jitter_s = board.jitter_s(name, clock.now_ms())
    units = {metric.name: metric.unit for metric in DEVICE_TYPES[condition.type].metrics}
    data = {
        "driver": condition.driver,
        "type": condition.type,
        "where": where.get(name, ""),
        "online": condition.online,
        "since_ms": clock.utc(condition.since_ms),
        "heard_ms": None if condition.heard_ms is None else clock.resolve(condition.heard_ms),
        "round_trip_ms": None if condition.round_trip_s is None else round(condition.round_trip_s * 1000, 1),
        "jitter_ms": None if jitter_s is None else round(jitter_s * 1000, 1),
        "asked": asked,
        "failed": failed,
        **_cause(condition.error),
        "values": values,
        "last": ", ".join(f"{name} {shown(value['value'], units.get(name, ''))}" for name, value in values.items())
        or "-",
    }
    code = {True: "online", False: "offline", None: "unknown"}[condition.online]
    if code == "online" and condition.round_trip_s is None:
        code = "heard"  # it speaks when it wants to: there is nothing to time
    return _part(f"device/{name}", f"edge.status.device-{code}", data, ok=condition.online is True)
