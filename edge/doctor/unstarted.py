"""What can be looked at while no agent runs: the configuration, the clock, the ports, the broker, the certificates."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge import ports
from edge.clock.source import Machine, synchronised
from edge.config import EdgeConfig, UplinkTable
from edge.doctor.agent import certificate
from edge.doctor.certificate import valid_until
from edge.doctor.checks import Check, Grade
from edge.doctor.words import cause
from edge.uplink.link import authenticate, refused, unreachable, validity
from protocols.errors import LiandongError, UnavailableError

PATIENCE_S: Final = 8.0
_BUILT: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""No clock that is right shows an earlier time."""


def look(config: EdgeConfig) -> list[Check]:
    """All of it; at most about ten seconds, when the broker does not answer."""
    return [_clock(config), *_broker(config.uplink), *files(config.uplink), *_lines(config)]


def files(uplink: UplinkTable, now: datetime | None = None) -> Iterator[Check]:
    """This gateway's own certificate and the authority's, as far as the configuration names them."""
    tls = uplink.tls
    if tls is None:
        return
    now = datetime.now(UTC) if now is None else now
    for key, path in (("ca_file", tls.ca_file), ("cert_file", tls.cert_file)):
        if path is not None:
            yield _certificate_file(key, path, now)


def _certificate_file(key: str, path: Path, now: datetime) -> Check:
    name = f"certificate/{key}"
    try:
        until = valid_until(path)
    except OSError as error:
        data = {"file": str(path), "why": error.strerror or str(error)}
        return Check(name=name, grade=Grade.WRONG, code="edge.doctor.file-unreadable", data=data)
    if until is None:
        return Check(name=name, grade=Grade.WRONG, code="edge.doctor.certificate-none", data={"file": str(path)})
    found = certificate(int(until.timestamp() * 1000), int(now.timestamp() * 1000))
    return Check(name=name, grade=found.grade, code=found.code, data=found.data, todo=found.todo)


def _clock(config: EdgeConfig) -> Check:
    now = datetime.now(UTC)
    data = {"now": f"{now:%Y-%m-%d %H:%M:%S} UTC"}
    if now < _BUILT:
        return Check(
            name="clock", grade=Grade.WRONG, code="edge.doctor.clock-unset", data=data, todo="edge.doctor.do-clock"
        )
    if synchronised():
        return Check(name="clock", grade=Grade.WELL, code="edge.doctor.clock-server", data=data)
    kept = config.clock.trust == "system" or (config.clock.trust == "auto" and Machine().keeps_time())
    if kept:
        return Check(name="clock", grade=Grade.WELL, code="edge.doctor.clock-own", data=data)
    code = "edge.doctor.clock-unsure"
    return Check(name="clock", grade=Grade.ATTENTION, code=code, data=data, todo="edge.doctor.do-clock")


def _broker(uplink: UplinkTable) -> Iterator[Check]:
    """Connect as the agent would, under another client id and without a will, and leave at once."""
    broker = {"broker": f"{uplink.host}:{uplink.port}"}
    began = time.monotonic()
    try:
        until_ms = _greet(uplink)
    except LiandongError as error:
        data = broker | {"cause": cause(error)}
        todo = "edge.doctor.do-uplink-away"
        yield Check(name="broker", grade=Grade.WRONG, code="edge.doctor.broker-no", data=data, todo=todo)
        return
    took = broker | {"took_ms": round((time.monotonic() - began) * 1000)}
    yield Check(name="broker", grade=Grade.WELL, code="edge.doctor.broker-yes", data=took)
    if until_ms is not None:
        yield certificate(until_ms, int(time.time() * 1000))


def _greet(uplink: UplinkTable) -> int | None:
    """Until when the broker's certificate is valid (ms since 1970). Raises UnavailableError."""
    answers: queue.Queue[ReasonCode] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311, reconnect_on_failure=False)
    client.connect_timeout = PATIENCE_S
    client.on_connect = lambda client, userdata, flags, reason, properties: answers.put(reason)
    try:
        authenticate(client, uplink, by_system_clock=True)
        client.connect(uplink.host, uplink.port, uplink.keepalive_s)
    except (OSError, ValueError) as error:
        raise unreachable(uplink, error, PATIENCE_S) from error
    valid = validity(client)
    client.loop_start()
    try:
        reason = answers.get(timeout=PATIENCE_S)
        if reason.is_failure:
            raise refused(uplink.host, str(reason))
    except queue.Empty:
        raise UnavailableError("edge.uplink.no-answer", host=uplink.host, seconds=PATIENCE_S) from None
    finally:
        with suppress(OSError):
            client.disconnect()
        client.loop_stop()
    return None if valid is None else valid[1] * 1000


def _lines(config: EdgeConfig) -> Iterator[Check]:
    """Each driver: whether it can be made (its own files), and whether its port is there and free."""
    for entry in config.drivers:
        name, data = f"bus/{entry.name}", {"family": entry.family.name}
        try:
            count = len(entry.family.make(entry.settings).devices)
        except LiandongError as error:
            data_wrong = data | {"cause": cause(error)}
            yield Check(name=name, grade=Grade.WRONG, code="edge.doctor.bus-unusable", data=data_wrong)
            continue
        port = getattr(entry.settings, "port", None)
        if not isinstance(port, Path):
            found = data | {"devices": count}
            yield Check(name=name, grade=Grade.WELL, code="edge.doctor.bus-configured", data=found)
            continue
        state = ports.state(port)
        held = ports.holder(port) if state == "held" else None
        yield Check(
            name=name,
            grade=Grade.WELL if state == "free" else Grade.WRONG,
            code=f"edge.doctor.port-{state}",
            data=data | {"port": str(port), "devices": count, "holder": held or "?"},
            todo="" if state == "free" else f"edge.doctor.do-port-{state}",
        )
