"""What captured ChirpStack events say: one JSON document, or one a line as ``mosquitto_sub`` prints them."""

from __future__ import annotations

import json
from typing import Any

from protocols.bridged import captured
from protocols.capture import Report
from protocols.chirpstack import codecs
from protocols.chirpstack.events import EventKind, LoraEvent, read_event, read_topic
from protocols.errors import ProtocolError
from protocols.events import Event, Reading


def decode_chirpstack(data: bytes) -> dict[str, Any]:
    """The events in `data`, with the payload of a known model read. A topic before the JSON says which kind it is."""
    report = Report("chirpstack")
    for at, topic, text in captured(data):
        if report.full(at):
            break
        try:
            named = read_topic("", topic)
            event = read_event(named.kind if named is not None else _kind(text), text, topic)
        except ProtocolError as error:
            report.add("error", at, error.code.removeprefix("protocols.chirpstack."), topic=topic or "-")
            continue
        errors = report.errors
        frame = _frame(at, event, report)
        report.frames.append(frame | {"ok": report.errors == errors})
    return report.document(len(data))


def _kind(text: bytes) -> EventKind:
    """What an event without its topic is, by the fields that only it has."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return "up"
    keys = body.keys() if isinstance(body, dict) else ()
    marks: tuple[tuple[str, EventKind], ...] = (
        ("batteryLevel", "status"),
        ("margin", "status"),
        ("batteryLevelUnavailable", "status"),
        ("gatewayId", "txack"),
        ("gatewayID", "txack"),
        ("acknowledged", "ack"),
        ("queueItemId", "ack"),
        ("location", "location"),
        ("integrationName", "integration"),
        ("description", "log"),
        ("error", "log"),
    )
    known = next((kind for key, kind in marks if key in keys), None)
    if known is not None:
        return known
    return "up" if {"fCnt", "fPort", "data", "object", "rxInfo"} & set(keys) else "join"


def _frame(at: int, event: LoraEvent, report: Report) -> dict[str, Any]:
    frame: dict[str, Any] = {"at": at, "raw": event.data.hex(), "ok": True, "event": event.kind}
    frame |= {"devEui": event.dev_eui, "time": event.time}
    frame |= {key: value for key, value in (("name", event.name), ("profile", event.profile)) if value}
    if event.kind == "up":
        frame |= {"fPort": event.port, "fCnt": event.count}
        frame |= {"object": json.loads(json.dumps(event.object), parse_constant=str)} if event.object else {}
        frame |= {"rssi": event.rssi, "snr": event.snr} if event.rssi is not None else {}
        _payload(at, event, frame, report)
    elif event.kind == "status":
        frame["battery"] = event.battery
    elif event.kind == "ack":
        frame["acknowledged"] = event.acknowledged
    elif event.kind == "log":
        frame |= {"level": event.level or "INFO", "code": event.code or "UNKNOWN", "description": event.text}
    return frame


def _payload(at: int, event: LoraEvent, frame: dict[str, Any], report: Report) -> None:
    """What the bytes say, where the names in ChirpStack give the model away."""
    codec = codecs.guess(event)
    if not event.data or not codec:
        return
    kind = codecs.type_of(codec)
    found = codecs.decode(codec, event.port, event.data)
    told = codecs.uplink(event.dev_eui, kind, codec, (), event, 0)
    frame["codec"], frame["type"] = codec, kind
    frame["values"] = {one.metric: one.value for one in told if isinstance(one, Reading)}
    frame["events"] = [{"kind": one.kind, **one.data} for one in told if isinstance(one, Event)]
    frame |= {"about": dict(found.about)} if found.about else {}
    for byte, code, params in found.findings:
        report.add("info" if code == "history" else "error", at, code, byte=byte, **params)
