"""What captured messages of zigbee2mqtt say.

A line is a topic and JSON, as ``mosquitto_sub -v`` prints them, one JSON object ``{"topic", "payload"}``, or a line of
zigbee2mqtt's own log; a payload alone will do. So do the files that zigbee2mqtt keeps or shows: its list of devices
and ``state.json``. Which type a device has is guessed by what it speaks of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from protocols.bridged import captured, read_json
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

_LOGGED_LINE: Final = re.compile(
    rb"^.{0,200}?MQTT publish[:,] topic:? '(?P<topic>[^'\n]{1,400})', payload:? '(?P<payload>.*)'\s*?$", re.MULTILINE
)
"""A line of zigbee2mqtt's log about what it publishes (since version 1 with one colon); its other lines say less."""
_DISCOVERY: Final = "homeassistant/"
"""Where zigbee2mqtt describes its devices to another program; no message of a device."""
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{16}")
_PLAIN: Final = frozenset({"action", "last_seen", "update", "update_available", "device", "voltage", "elapsed"})
"""What says nothing that the catalogue has a place for, and is no wonder."""


def decode_zigbee2mqtt(data: bytes) -> dict[str, Any]:
    """The messages in `data`: of devices their values and events, of the bridge what it tells of itself."""
    report = Report("zigbee2mqtt")
    for at, topic, payload in _messages(data):
        if report.full(at):
            break
        about = read_topic(topic.partition("/")[0], topic) if topic else Topic("device")
        about = Topic("other") if topic.startswith(_DISCOVERY) else about
        errors = report.errors
        try:
            frame = _frame(at, topic, about, payload, report)
        except ProtocolError as error:
            report.add("error", at, error.code.removeprefix("protocols."), **error.params)
            continue
        report.frames.append(frame | {"ok": report.errors == errors})
    return report.document(len(data))


def _messages(data: bytes) -> Iterator[tuple[int, str, bytes]]:
    """Where each message begins, its topic (empty where none stands there), and its payload."""
    start = data.lstrip()[:1]
    try:
        whole = read_json(data) if start in (b"[", b"{") else None
    except (ValueError, RecursionError):
        whole = None
    if isinstance(whole, list) and any(isinstance(row, dict) and "friendly_name" in row for row in whole):
        yield 0, "zigbee2mqtt/bridge/devices", data
    elif isinstance(whole, dict) and whole and all(_ADDRESS.fullmatch(key) for key in whole):
        yield from ((0, f"zigbee2mqtt/{address}", _compact(said)) for address, said in whole.items())
    elif _LOGGED_LINE.search(data):
        for line in _LOGGED_LINE.finditer(data):
            yield line.start(), line["topic"].decode("utf-8", "replace"), line["payload"]
    else:
        yield from ((at, *_unwrapped(topic, line)) for at, topic, line in captured(data))


def _unwrapped(topic: str, line: bytes) -> tuple[str, bytes]:
    """Topic and payload, also of an object that holds both."""
    if not line:  # plain availability: a topic and a word
        name, _, word = topic.rpartition(" ")
        return name, word.encode("ascii", "ignore")
    if topic.endswith(" ["):  # the bridge's list of devices
        return topic[:-2].rstrip(), b"[" + line
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        return topic, line
    if not topic and isinstance(body, dict) and isinstance(body.get("topic"), str) and "payload" in body:
        inner = body["payload"]
        return body["topic"], inner.encode() if isinstance(inner, str) else _compact(inner)
    return topic, line


def _compact(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


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
