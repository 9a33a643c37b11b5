"""An edge node made with mqtt-spb-wrapper, run by its own Python: PORT. Leaves when standard input ends."""

import sys
import time

from mqtt_spb_wrapper import MqttSpbEntityDevice, MqttSpbEntityEdgeNode  # type: ignore[import-not-found]

PAUSE_S = 0.5
"""Two connections, one count of seq: without a pause their messages overtake each other."""


def main(port: int) -> None:
    """Born, then one value of the node and one of its device, which has a connection of its own."""
    node = MqttSpbEntityEdgeNode("others", "spb-wrapper")
    device = MqttSpbEntityDevice("others", "spb-wrapper", "unit-1")
    node.data.set_value("Flow", -12)
    device.data.set_value("Heat", 20.5)
    for entity in (node, device):
        entity.connect("127.0.0.1", port)
        while not entity.is_connected():
            time.sleep(0.1)
        entity.publish_birth()
        time.sleep(PAUSE_S)
    node.data.set_value("Flow", -13)
    device.data.set_value("Heat", 21.5)
    for entity in (node, device):
        entity.publish_data()
        time.sleep(PAUSE_S)
    sys.stdin.read()
    for entity in (device, node):
        entity.disconnect()
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(int(sys.argv[1]))
