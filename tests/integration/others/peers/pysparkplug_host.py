"""A host made with pysparkplug, run by its own Python: PORT GROUP HOST. One JSON line for each message.

Says STATE as HOST, asks a node for a rebirth when a line of standard input names it, and leaves when that ends.
"""

import json
import sys
from typing import Any

from pysparkplug import (  # type: ignore[import-not-found]
    Client,
    DataType,
    Message,
    MessageType,
    Metric,
    NCmd,
    QoS,
    State,
    Topic,
    get_current_timestamp,
)


def tell(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said, default=str) + "\n")
    sys.stdout.flush()


def heard(_client: Client, message: Message) -> None:
    topic, payload = message.topic, message.payload
    if topic.message_type.endswith("CMD"):
        return
    metrics = getattr(payload, "metrics", ())
    said = {"type": topic.message_type, "node": topic.edge_node_id, "device": topic.device_id}
    tell({**said, "values": {metric.name: metric.value for metric in metrics}})


def state(host: str, online: bool, stamp: int) -> Message:
    topic = Topic(message_type=MessageType.STATE, sparkplug_host_id=host)
    return Message(topic=topic, payload=State(timestamp=stamp, online=online), qos=QoS.AT_LEAST_ONCE, retain=True)


def rebirth(group: str, node: str) -> Message:
    stamp: Any = get_current_timestamp()
    metric = Metric(timestamp=stamp, name="Node Control/Rebirth", datatype=DataType.BOOLEAN, value=True)
    topic = Topic(group_id=group, message_type=MessageType.NCMD, edge_node_id=node)
    payload = NCmd(timestamp=stamp, metrics=(metric,))
    return Message(topic=topic, payload=payload, qos=QoS.AT_MOST_ONCE, retain=False)


def main(port: int, group: str, host: str) -> None:
    """Listen before saying STATE, so that the births are heard."""
    began = get_current_timestamp()
    client = Client(client_id=host)
    client.set_will(state(host, False, began))
    client.subscribe(Topic(group_id=group, message_type="#"), QoS.AT_LEAST_ONCE, heard)
    client.connect(
        "127.0.0.1", port=port, blocking=False, callback=lambda connected: connected.publish(state(host, True, began))
    )
    for line in sys.stdin:
        client.publish(rebirth(group, line.strip()))
    client.publish(state(host, False, get_current_timestamp()))
    client.disconnect()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
