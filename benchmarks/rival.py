"""thingsboard-gateway (PyPI) beside our agent: the same registers of the same meters, published by MQTT with QoS 1.

It lives in an environment of its own, which ``tools/others`` makes, and speaks MQTT 5 to a Mosquitto, as the embedded
broker does not; without the two nothing is measured, and that is told.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.mosquitto import mosquitto
from benchmarks.site import until
from liandong.up.broker import listening
from liandong.up.layout import free_port
from protocols.modbus.profile import Profile
from protocols.modbus.reads import FUNCTIONS

TELEMETRY: Final = "v1/gateway/telemetry"
_ASKED: Final = "v1/devices/me/rpc/request/"
_ANSWERED: Final = "v1/devices/me/rpc/response/"
_LIMITLESS: Final = {"maxPayloadSize": 65536, "maxInflightMessages": 100, "rateLimits": {}, "gatewayRateLimits": {}}
"""What a server of its own maker answers to ``getSessionLimits`` when none are set."""
_ENDS_WITHIN_S: Final = 20.0
_DEVICE: Final = {
    "type": "serial",
    "method": "rtu",
    "timeout": 1,
    "stopbits": 1,
    "bytesize": 8,
    "parity": "N",
    "byteOrder": "BIG",
    "wordOrder": "BIG",
    "retries": True,
    "retryOnEmpty": True,
    "retryOnInvalid": True,
    "connectAttemptTimeMs": 1000,
    "connectAttemptCount": 5,
    "waitAfterFailedAttemptsMs": 5000,
    "attributes": [],
    "attributeUpdates": [],
    "rpc": [],
}
_LIMITS: Final = ("rateLimits", "dpRateLimits", "messagesRateLimits", "deviceMessagesRateLimits")


def python() -> Path | None:
    """Its environment's interpreter, where ``tools/others`` made one."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    home = Path(cache) / "liandong" / "others" / "thingsboard-gateway"
    return home / "bin" / "python" if (home / "complete").exists() else None


class Heard:
    """Counts the values that it publishes, and answers in place of its server. Close it."""

    def __init__(self, port: int) -> None:
        self.values = 0
        self._lock = threading.Lock()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "bench-ear")
        self._client.on_connect = lambda client, *_: client.subscribe([(TELEMETRY, 1), (f"{_ASKED}+", 1)])
        self._client.on_message = self._count
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        """Hear no more."""
        self._client.disconnect()
        self._client.loop_stop()

    def _count(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        if message.topic.startswith(_ASKED):
            client.publish(_ANSWERED + message.topic.removeprefix(_ASKED), json.dumps(_LIMITLESS), qos=1)
            return
        devices: Mapping[str, Sequence[Mapping[str, Any]]] = json.loads(message.payload)
        with self._lock:
            self.values += sum(len(row.get("values", row)) for rows in devices.values() for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """What is read: `units` on each of `buses` every `interval_s` at `baud`, the registers of `profile`."""

    buses: Sequence[Path]
    units: Sequence[int]
    profile: Profile
    interval_s: float
    baud: int


@contextmanager
def running(interpreter: Path, broker: str, folder: Path, street: Street) -> Iterator[tuple[int, Heard]]:
    """Its process, from when its values arrive. `folder` is made."""
    folder.mkdir()
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["TB_GW_CONFIG_DIR"] = str(_configured(folder, port, street))
    words = [str(interpreter), "-c", "from thingsboard_gateway.tb_gateway import main; main()"]
    with (
        (folder / "out.log").open("wb") as log,
        _process(mosquitto(broker, folder, port).command, folder, log, None),
        closing(_listening(port)) as heard,
        _process(words, folder, log, environment) as gateway,
    ):
        until(lambda: heard.values > 0, "thingsboard-gateway")
        yield gateway, heard


def _listening(port: int) -> Heard:
    until(lambda: listening(port), "mosquitto")
    return Heard(port)


@contextmanager
def _process(words: Sequence[str], home: Path, log: IO[bytes], environment: Mapping[str, str] | None) -> Iterator[int]:
    child = subprocess.Popen(words, cwd=home, env=environment, stdout=log, stderr=log)
    try:
        yield child.pid
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _configured(home: Path, port: int, street: Street) -> Path:
    """The folder with its files, as its documentation shows them, without the rate limits of a rented server."""
    folder = home / "config"
    folder.mkdir()
    gateway = {
        "thingsboard": {
            "host": "127.0.0.1",
            "port": port,
            "remoteShell": False,
            "remoteConfiguration": False,
            "statistics": {"enable": False},
            "security": {"type": "accessToken", "accessToken": "bench"},
            "qos": 1,
            "reportStrategy": {"type": "ON_RECEIVED"},
            **dict.fromkeys(_LIMITS, "0:0,"),
        },
        "storage": {"type": "memory", "read_records_count": 100, "max_records_count": 100_000},
        "grpc": {"enabled": False},
        "connectors": [{"type": "modbus", "name": "modbus", "configuration": "modbus.json"}],
    }
    values = [
        {
            "tag": row.metric,
            "type": "32float",
            "functionCode": FUNCTIONS[row.table],
            "objectsCount": 2,
            "address": row.address,
        }
        for row in street.profile.registers
    ]
    slaves = [
        {
            **_DEVICE,
            "port": str(bus),
            "baudrate": street.baud,
            "unitId": unit,
            "deviceName": f"{bus.name}-{unit}",
            "pollPeriod": round(street.interval_s * 1000),
            "timeseries": values,
        }
        for bus in street.buses
        for unit in street.units
    ]
    logs = {"version": 1, "disable_existing_loggers": False, "root": {"level": "ERROR"}}
    for name, document in (("tb_gateway", gateway), ("modbus", {"master": {"slaves": slaves}}), ("logs", logs)):
        (folder / f"{name}.json").write_text(json.dumps(document))
    return folder
