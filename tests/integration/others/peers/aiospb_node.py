"""An edge node made with aiospb, run by its own Python: PORT. Leaves when standard input ends.

The package carries a JSON encoder for tests and leaves Sparkplug's to its user; here it is made with our schema, so the
session is theirs and the bytes are ours. It knows nodes only, no devices.
"""

import asyncio
import json
import sys
from typing import Any

from aiospb import RealClock  # type: ignore[import-not-found]
from aiospb.data import DataType, Metric  # type: ignore[import-not-found]
from aiospb.mqtt import MessageEncoder  # type: ignore[import-not-found]
from aiospb.mqtt.paho import PahoMqttClient  # type: ignore[import-not-found]
from aiospb.nodes import DeviceDriver, EdgeNode  # type: ignore[import-not-found]

from protocols.sparkplug.sparkplug_b_pb2 import Payload

FIELDS = {"Double": "double_value", "Boolean": "boolean_value", "Int64": "long_value"}


class Encoder(MessageEncoder):  # type: ignore[misc]
    """Dictionaries of aiospb as Sparkplug payloads; what comes is STATE, which is JSON."""

    def encode(self, payload: dict[str, Any]) -> bytes:
        raw = Payload(timestamp=payload["timestamp"], seq=payload.get("seq"))
        for said in payload["metrics"]:
            metric = raw.metrics.add(timestamp=said["timestamp"], datatype=DataType[said["dataType"]].value)
            if "name" in said:
                metric.name = said["name"]
            if "alias" in said:
                metric.alias = said["alias"]
            metric.is_historical = said.get("is_historical", False)
            if said.get("is_null"):
                metric.is_null = True
            else:
                setattr(metric, FIELDS[said["dataType"]], said["value"])
        return raw.SerializeToString()

    def decode(self, payload: str) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(payload)
        return decoded


class Driver(DeviceDriver):  # type: ignore[misc]
    """A value that grows."""

    def __init__(self) -> None:
        self.value = 19.5

    async def load_metrics(self) -> list[Metric]:
        return [Metric("Flow", RealClock().now(), self.value, DataType.Double, alias=2)]

    async def scan_metrics(self, aliases: list[int] | None = None) -> list[Metric]:
        self.value = 21.5
        return await self.load_metrics()

    async def write_metric(self, request: Any) -> None:
        raise NotImplementedError(request)


async def main(port: int) -> None:
    """Born when a host says that it is online; scanned every second."""
    client = PahoMqttClient({"hostname": "127.0.0.1", "port": port, "username": None, "password": None}, Encoder())
    node = EdgeNode("aiospb", "others", client, Driver(), scan_rate=1000)
    await node.establish_session()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await node.terminate_session()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
