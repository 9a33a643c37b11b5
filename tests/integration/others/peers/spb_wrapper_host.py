"""A SCADA application made with mqtt-spb-wrapper, run by its own Python: PORT GROUP HOST. A JSON line for each message.

It knows no aliases (its data without a name end its listening), so it is given the names that births said. Asks a node
for a rebirth when a line of standard input names it; leaves when that ends.
"""

import json
import sys
import time
from typing import Any

from mqtt_spb_wrapper import MqttSpbEntityScada  # type: ignore[import-not-found]
from mqtt_spb_wrapper.spb_protobuf.sparkplug_b_pb2 import Payload  # type: ignore[import-not-found]


def tell(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said, default=str) + "\n")
    sys.stdout.flush()


class Scada(MqttSpbEntityScada):  # type: ignore[misc]
    """With names for data."""

    born: dict[tuple[str, int], tuple[str, int]] = {}  # noqa: RUF012 - one object per process

    def _mqtt_on_message(self, client: Any, userdata: Any, msg: Any) -> None:
        whom = "/".join(msg.topic.split("/")[3:])
        if "BIRTH/" in msg.topic or "DATA/" in msg.topic:
            raw = Payload.FromString(msg.payload)
            for metric in raw.metrics:
                if metric.name and metric.HasField("alias"):
                    self.born[whom, metric.alias] = metric.name, metric.datatype
                elif not metric.name:
                    metric.name, metric.datatype = self.born[whom, metric.alias]
            msg.payload = raw.SerializeToString()
        super()._mqtt_on_message(client, userdata, msg)


def heard(topic: Any, payload: dict[str, Any]) -> None:
    values = {metric["name"]: metric.get("value") for metric in payload.get("metrics", [])}
    said = {"type": topic.message_type, "node": topic.eon_name, "device": topic.eon_device_name, "values": values}
    tell(said)


def main(port: int, group: str, host: str) -> None:
    """Its own STATE stands on another topic than 3.0.0 says; whoever starts it says a right one."""
    scada = Scada(group, host)
    scada.callback_birth = scada.callback_data = scada.callback_death = heard
    scada.connect("127.0.0.1", port)
    while not scada.is_connected():
        time.sleep(0.1)
    tell({"type": "listening"})
    for line in sys.stdin:
        scada.send_commands({"Node Control/Rebirth": True}, line.strip())
    scada.disconnect()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
