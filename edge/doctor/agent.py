"""What the running agent reports (`edge.status`), graded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from edge.doctor.checks import Check, Grade

Part = Mapping[str, Any]

_DAY_MS: Final = 86_400_000
_SOON_MS: Final = 30 * _DAY_MS
_FAILING: Final = 0.05
"""The share of failed questions from which a line deserves a look."""
_FULL: Final = 0.8
_SKEW_MS: Final = 5_000
_BRIDGES: Final = ("zigbee2mqtt", "chirpstack")


def look(parts: Iterable[Part], now_ms: int, *, tls: bool) -> list[Check]:
    """The checks for an agent's report; `now_ms`: UTC, to judge the broker's certificate by."""
    rows = list(parts)
    devices = [part for part in rows if part["name"].startswith("device/")]
    found = []
    for part in rows:
        match part["name"].partition("/"):
            case "clock", _, _:
                found.append(_clock(part))
            case "uplink", _, _:
                found.append(_broker(part))
                if tls:
                    found.append(certificate(part["data"]["certificate_until_ms"], now_ms))
            case "outbox", _, _:
                found.append(_outbox(part))
            case "driver", _, name:
                found.append(_bus(part, name, [one for one in devices if one["data"]["driver"] == name]))
            case "waiting", _, _:
                found.append(_unapproved(part, "edge.doctor.do-waiting"))
            case "unlisted", _, _:
                found.append(_unapproved(part, "edge.doctor.do-unlisted"))
            case _:
                found.append(_device(part))
    return found


def certificate(until_ms: int | None, now_ms: int) -> Check:
    """The broker's certificate, valid until `until_ms` (ms since 1970); None: it was not seen yet."""
    if until_ms is None:
        return Check(name="certificate", grade=Grade.ATTENTION, code="edge.doctor.certificate-unseen")
    days = (until_ms - now_ms) // _DAY_MS
    if days < 0:
        todo = "edge.doctor.do-certificate"
        return Check(name="certificate", grade=Grade.WRONG, code="edge.doctor.certificate-over", todo=todo)
    soon = until_ms - now_ms < _SOON_MS
    return Check(
        name="certificate",
        grade=Grade.ATTENTION if soon else Grade.WELL,
        code="edge.doctor.certificate",
        data={"days": days, "until_ms": until_ms},
        todo="edge.doctor.do-certificate" if soon else "",
    )


def _clock(part: Part) -> Check:
    off = not part["ok"]
    skew = part["data"]["skew_ms"]
    apart = skew is not None and abs(skew) > _SKEW_MS
    grade = Grade.WRONG if off else Grade.ATTENTION if apart else Grade.WELL
    todo = "edge.doctor.do-clock" if grade else ""
    return Check(name="clock", grade=grade, code=part["code"], data=part["data"], todo=todo)


def _broker(part: Part) -> Check:
    stage = part["code"].rpartition("-")[2]
    grade = {"born": Grade.WELL, "waiting": Grade.ATTENTION, "unanswered": Grade.ATTENTION}.get(stage, Grade.WRONG)
    todo = "" if grade is Grade.WELL else f"edge.doctor.do-uplink-{stage}"
    return Check(name="broker", grade=grade, code=part["code"], data=part["data"], todo=todo)


def _outbox(part: Part) -> Check:
    data = part["data"]
    if not part["ok"]:
        return Check(name="outbox", grade=Grade.WRONG, code=part["code"], data=data, todo="edge.doctor.do-disk")
    full = data["bytes"] > _FULL * data["quota"] and data["urgent"] + data["bulk"] > 0
    short = bool(data["lost"] or data["thinned"])
    return Check(
        name="outbox",
        grade=Grade.ATTENTION if full or short else Grade.WELL,
        code=part["code"],
        data=data,
        todo="edge.doctor.do-outbox" if full or short else "",
    )


def _bus(part: Part, name: str, devices: list[Part]) -> Check:
    data = dict(part["data"])
    asked, failed = sum(one["data"]["asked"] for one in devices), sum(one["data"]["failed"] for one in devices)
    times = [one["data"]["round_trip_ms"] for one in devices if one["data"]["round_trip_ms"] is not None]
    jitters = [one["data"]["jitter_ms"] for one in devices if one["data"]["jitter_ms"] is not None]
    away = sum(not one["ok"] for one in devices)
    data |= {"devices": len(devices), "away": away, "asked": asked, "failed": failed, "errors": _share(asked, failed)}
    data |= {"slowest_ms": max(times, default=None), "slowest": max(times, default="-")}
    data |= {"jitter_ms": max(jitters, default=None)}
    if not part["ok"]:
        return Check(name=f"bus/{name}", grade=Grade.WRONG, code="edge.doctor.bus-down", data=data)
    if devices and away == len(devices):
        return _silent(name, data)
    failing = not away and failed > _FAILING * asked
    return Check(
        name=f"bus/{name}",
        grade=Grade.ATTENTION if failing else Grade.WELL,
        code=f"edge.doctor.{'bus-paced' if jitters else 'bus-timed' if times else 'bus'}",
        data=data,
        todo="edge.doctor.do-line" if failing else "",
    )


def _silent(name: str, data: dict[str, Any]) -> Check:
    """All at once are silent: what they share is to blame."""
    line = Path(data["line"])
    if line.is_absolute() and not line.exists():
        known = data | {"port": str(line)}
        todo = "edge.doctor.do-port-missing"
        return Check(name=f"bus/{name}", grade=Grade.WRONG, code="edge.doctor.port-missing", data=known, todo=todo)
    kind = "" if line.is_absolute() else "-bridge" if data["family"] in _BRIDGES else "-network"
    todo = f"edge.doctor.do-bus-silent{kind}"
    return Check(name=f"bus/{name}", grade=Grade.WRONG, code="edge.doctor.bus-silent", data=data, todo=todo)


def _unapproved(part: Part, todo: str) -> Check:
    return Check(name=part["name"], grade=Grade.ATTENTION, code=part["code"], data=part["data"], todo=todo)


def _device(part: Part) -> Check:
    data = dict(part["data"])
    data["errors"] = _share(data["asked"], data["failed"])
    code = part["code"].rpartition("-")[2]
    if code in ("offline", "unknown"):
        grade = Grade.WRONG if code == "offline" else Grade.ATTENTION
        todo = "edge.doctor.do-device-unknown" if code == "unknown" else ""
        return Check(name=part["name"], grade=grade, code=f"edge.doctor.device-{code}", data=data, todo=todo)
    doubtful = any(value["quality"] == "bad" for value in data["values"].values())
    failing = data["failed"] > _FAILING * data["asked"]
    door = "door-" if data["type"] == "door" and code == "online" else ""
    todo = "edge.doctor.do-line" if failing else "edge.doctor.do-value" if doubtful else ""
    grade = Grade.ATTENTION if failing or doubtful else Grade.WELL
    return Check(name=part["name"], grade=grade, code=f"edge.doctor.device-{door}{code}", data=data, todo=todo)


def _share(asked: int, failed: int) -> float:
    """Failed questions in %."""
    return round(100 * failed / asked, 1) if asked else 0.0
