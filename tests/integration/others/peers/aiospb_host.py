"""A host made with aiospb, run by its own Python: PORT GROUP HOST. One JSON line for each message of a node.

The package reads every payload as text before it decodes it, and stops at a message of a device; the client here gives
it the bytes, decoded with our schema, and leaves devices out. Leaves when standard input ends.
"""

import asyncio
import json
import sys
from typing import Any

from aiospb.hosts import HostApplication  # type: ignore[import-not-found]
from aiospb.messages import Message  # type: ignore[import-not-found]
from aiospb.mqtt import MessageEncoder  # type: ignore[import-not-found]
from aiospb.mqtt.paho import PahoMqttClient  # type: ignore[import-not-found]

from protocols.sparkplug.sparkplug_b_pb2 import DataType, Payload

_HEARD = ("NBIRTH", "NDATA", "NDEATH")


def tell(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said, default=str) + "\n")
    sys.stdout.flush()


class Encoder(MessageEncoder):  # type: ignore[misc]
    """STATE as JSON; payloads come in by `Reading`."""

    def encode(self, payload: dict[str, Any]) -> bytes:
        return json.dumps({key: payload[key] for key in ("online", "timestamp")}).encode()

    def decode(self, payload: str) -> dict[str, Any]:
        raise NotImplementedError(payload)


class Reading(PahoMqttClient):  # type: ignore[misc]
    """Its client, with payloads that are bytes."""

    born: dict[int, tuple[str, str]] = {}  # noqa: RUF012 - one object per process

    async def deliver_message(self) -> Message:
        while True:
            message = await anext(self._client.messages)
            topic = message.topic.value
            if topic.split("/")[2] in _HEARD:
                return Message.from_payload({**self._said(message.payload), "topic": topic})

    def _said(self, data: bytes) -> dict[str, Any]:
        raw = Payload.FromString(data)
        metrics = [self._metric(metric) for metric in raw.metrics]
        return {"timestamp": raw.timestamp, "seq": raw.seq, "metrics": metrics}

    def _metric(self, raw: Payload.Metric) -> dict[str, Any]:
        if raw.HasField("datatype") and raw.HasField("alias"):
            self.born[raw.alias] = raw.name, DataType.Name(raw.datatype)
        kind = DataType.Name(raw.datatype) if raw.HasField("datatype") else self.born[raw.alias][1]
        said: dict[str, Any] = {"timestamp": raw.timestamp, "dataType": kind, "name": raw.name}
        if raw.HasField("alias"):
            said["alias"] = raw.alias
        which = raw.WhichOneof("value")
        said |= {"is_null": True} if which is None else {"value": getattr(raw, which)}
        return said


class Server:
    """What its application asks for a client."""

    def __init__(self, port: int) -> None:
        self._config = {"hostname": "127.0.0.1", "port": port, "username": None, "password": None}

    def create_client(self) -> Reading:
        return Reading(self._config, Encoder())


async def heard(message: Message) -> None:
    said = message.get_payload()
    values = {metric.get("name") or Reading.born[metric["alias"]][0]: metric.get("value") for metric in said["metrics"]}
    node = message.component_name.split("/")[1]
    tell({"type": message.content_type, "node": node, "device": None, "values": values})


async def main(port: int, group: str, host: str) -> None:
    """It says STATE itself."""
    application = HostApplication(host, Server(port), group)
    application.listen_nodes(heard)
    await application.establish_session()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await application.terminate_session()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
