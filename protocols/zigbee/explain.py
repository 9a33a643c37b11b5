"""What captured messages of zigbee2mqtt say.

A line is a topic and JSON, as ``mosquitto_sub -v`` prints them, or one JSON object ``{"topic", "payload"}``; a payload
alone will do. Which type a device has is guessed by what it speaks of.
"""

from __future__ import annotations

import json
from typing import Any, Final

from protocols.bridged import captured
from protocols.capture import Report
from protocols.errors import ProtocolError
from protocols.events import Event, Reading
from protocols.zigbee import (
    Topic,
    fields_of,
    observations,
    read_availability,
    read_bridge_event,
    read_devices,
    read_payload,
    read_topic,
    type_told,
)

_PLAIN: Final = frozenset({"action", "last_seen", "update", "update_available", "device", "voltage", "elapsed"})
"""What says nothing that the catalogue has a place for, and is no wonder."""


def decode_zigbee2mqtt(data: bytes) -> dict[str, Any]:
    """The messages in `data`: of devices their values and events, of the bridge what it tells of itself."""
    report = Report("zigbee2mqtt")
    for at, line_topic, line in captured(data):
        if report.full(at):
            break
        topic, payload = _unwrapped(line_topic, line)
        about = read_topic(topic.partition("/")[0], topic) if topic else Topic("device")
        errors = report.errors
        try:
            frame = _frame(at, topic, about, payload, report)
        except ProtocolError as error:
            report.add("error", at, error.code.removeprefix("protocols."), **error.params)
            continue
        report.frames.append(frame | {"ok": report.errors == errors})
    return report.document(len(data))


def _unwrapped(topic: str, line: bytes) -> tuple[str, bytes]:
    """Topic and payload, also of an object that holds both."""
    if not line:  # plain availability: a topic and a word
        name, _, word = topic.rpartition(" ")
        return name, word.encode()
    if topic.endswith(" ["):  # the bridge's list of devices
        return topic[:-2].rstrip(), b"[" + line
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        return topic, line
    if not topic and isinstance(body, dict) and isinstance(body.get("topic"), str) and "payload" in body:
        inner = body["payload"]
        return body["topic"], inner.encode() if isinstance(inner, str) else json.dumps(inner).encode()
    return topic, line


def _frame(at: int, topic: str, about: Topic, payload: bytes, report: Report) -> dict[str, Any]:
    frame: dict[str, Any] = {"at": at, "raw": payload.hex(), "ok": True, "topic": topic, "about": about.kind}
    frame |= {"name": about.name} if about.name else {}
    match about.kind:
        case "availability" | "bridge-state":
            return frame | {"online": read_availability(topic, payload)}
        case "bridge-devices":
            rows = read_devices(topic, payload)
            return frame | {"devices": [{"name": row.name, "model": row.model, "type": row.type} for row in rows]}
        case "bridge-event":
            event = read_bridge_event(topic, payload)
            return frame | ({} if event is None else {"device": event.row.name, "left": event.left})
        case "device":
            return frame | _device(at, topic, about.name, payload, report)
    return frame


def _device(at: int, topic: str, name: str, payload: bytes, report: Report) -> dict[str, Any]:
    body = read_payload(topic, payload)
    kind = type_told(body)
    told = observations(name, kind, body, at_ms=0) if kind else ()
    values = {one.metric: one.value for one in told if isinstance(one, Reading)}
    for metric, value in values.items():
        if value is None:
            report.add("error", at, "zigbee.value", metric=metric)
    if isinstance(body.get("battery"), str):
        report.add("info", at, "zigbee.text", key="battery")
    if "action" in body and not body["action"]:
        report.add("info", at, "zigbee.after")
    known = (fields_of(kind) if kind else frozenset()) | _PLAIN
    other = {key: value for key, value in body.items() if key not in known}
    return {
        "type": kind or None,
        "values": values,
        "events": [{"kind": one.kind, **one.data} for one in told if isinstance(one, Event)],
        "other": json.loads(json.dumps(other), parse_constant=str),
    }
