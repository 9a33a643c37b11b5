"""What one Sparkplug message says, as plain JSON for a person: `decode_sparkplug`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.unknown_fields import UnknownFieldSet

from protocols.delivery.address import MessageId
from protocols.errors import ProtocolError
from protocols.messages import sentence
from protocols.sparkplug.compressed import unwrapped
from protocols.sparkplug.datatype import Scalar
from protocols.sparkplug.payload import Metric, RawMetric, RawPayload, decode_raw, read_metric
from protocols.sparkplug.plain import plain, plain_metadata, plain_properties
from protocols.sparkplug.state import decode_state

_QUALITIES: Final = {0: "bad", 192: "good", 500: "stale"}


def decode_sparkplug(data: bytes) -> dict[str, Any]:
    """One payload or STATE: ``{"kind": "sparkplug", "ok", "findings": [{"level", "at", "what", …}], "frames": [...]}``.

    `frames` is empty when nothing was recognised; `ok` is False when any finding is an error. Never raises. Bytes are
    written in hexadecimal, numbers that JSON lacks (NaN, infinities) as text.
    """
    findings: list[dict[str, Any]] = []
    frame = _state(data) if data[:1] == b"{" else None
    if frame is None:
        frame = _payload(data, findings)
    ok = frame is not None and all(finding["level"] != "error" for finding in findings)
    return {"kind": "sparkplug", "ok": ok, "findings": findings, "frames": [] if frame is None else [frame]}


def _state(data: bytes) -> dict[str, Any] | None:
    try:
        state = decode_state(data)
    except ProtocolError:
        return None
    return {"type": "STATE", "online": state.online, "timestamp": state.timestamp_ms, "time": _time(state.timestamp_ms)}


def _payload(data: bytes, findings: list[dict[str, Any]]) -> dict[str, Any] | None:
    try:
        raw = decode_raw(data)
    except ProtocolError as error:
        findings.append(_finding("error", "payload", "undecodable", **error.params))
        return None
    if not raw.ListFields():
        findings.append(_finding("error", "payload", "nothing-recognised", size=len(data)))
        return None
    if len(UnknownFieldSet(raw)):
        findings.append(_finding("warning", "payload", "unknown-fields"))
    frame = _frame(raw, findings)
    try:
        inner = unwrapped(raw)
    except ProtocolError as error:
        findings.append(_finding("error", "body", "undecodable", **error.params))
        return frame
    return frame if inner is raw else {**frame, "inside": _frame(inner, findings)}


def _frame(raw: RawPayload, findings: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "payload",
        "timestamp": raw.timestamp if raw.HasField("timestamp") else None,
        "time": _time(raw.timestamp) if raw.HasField("timestamp") else None,
        "seq": _seq(raw, findings),
        "uuid": plain(raw.uuid) if raw.HasField("uuid") else None,
        "delivery": _delivery(raw.uuid),
        "body": raw.body.hex() if raw.HasField("body") else None,
        "metrics": [_metric(index, metric, findings) for index, metric in enumerate(raw.metrics)],
    }


def _seq(raw: RawPayload, findings: list[dict[str, Any]]) -> int | None:
    if not raw.HasField("seq"):
        return None
    if raw.seq > 255:
        findings.append(_finding("error", "seq", "bad-seq", seq=raw.seq))
    return raw.seq


def _delivery(uuid: object) -> dict[str, Any] | None:
    try:
        message = MessageId.parse(uuid if isinstance(uuid, str) else "")
    except ProtocolError:
        return None
    return {"epoch": str(message.epoch), "lane": str(message.lane), "first": message.first, "last": message.last}


def _metric(index: int, raw: RawMetric, findings: list[dict[str, Any]]) -> dict[str, Any]:
    at = f"metrics[{index}]"
    which = raw.WhichOneof("value")
    field = None if which is None else {"field": which, "value": plain(_field(raw, which))}
    try:
        metric = read_metric(raw)
    except ValueError as error:
        findings.append(_finding("error", at, "bad-metric", at=at, what=str(error)))
        metric = Metric(alias=raw.alias if raw.HasField("alias") else None)
    if metric.name is None and metric.alias is None:
        findings.append(_finding("error", at, "nameless"))
    if metric.quality is not None and metric.quality not in _QUALITIES:
        findings.append(_finding("error", f"{at}.properties.Quality", "bad-quality", quality=metric.quality))
    return {
        "name": metric.name,
        "alias": metric.alias,
        "datatype": None if metric.datatype is None else metric.datatype.name,
        "value": plain(metric.value),
        "raw": field,
        "timestamp": metric.timestamp_ms,
        "time": None if metric.timestamp_ms is None else _time(metric.timestamp_ms),
        "is_null": metric.is_null,
        "is_historical": metric.is_historical,
        "is_transient": metric.is_transient,
        "quality": None if metric.quality is None else _QUALITIES.get(metric.quality, metric.quality),
        "unit": metric.unit,
        "metadata": None if metric.metadata is None else plain_metadata(metric.metadata),
        "properties": plain_properties(metric.properties),
    }


def _field(raw: RawMetric, which: str) -> Scalar:
    value: Any = getattr(raw, which)
    held: Scalar = value.SerializeToString() if hasattr(value, "SerializeToString") else value
    return held


def _time(timestamp_ms: int) -> str | None:
    try:
        return datetime.fromtimestamp(timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return None


def _finding(level: str, where: str, code: str, **params: object) -> dict[str, Any]:
    what = sentence(f"protocols.sparkplug.{code}", params)
    return {"level": level, "at": where, "what": what, "code": code, "params": params}
