"""An edge node made with pysparkplug, run by its own Python: PORT. Leaves when standard input ends."""

import sys
import time

from pysparkplug import DataType, Device, EdgeNode, Metric, get_current_timestamp  # type: ignore[import-not-found]


def metric(name: str, datatype: DataType, value: object) -> Metric:
    return Metric(timestamp=get_current_timestamp(), name=name, datatype=datatype, value=value)


def main(port: int) -> None:
    """Born, then one value of the node and one of its device."""
    node = EdgeNode("others", "pysparkplug", (metric("Flow", DataType.INT32, -12),))
    node.register(Device("unit-1", (metric("Heat", DataType.DOUBLE, 20.5),)))
    node.connect("127.0.0.1", port=port, blocking=False)
    time.sleep(1)  # its births are published by a thread of its own
    node.update((metric("Flow", DataType.INT32, -13),))
    node.update_device("unit-1", (metric("Heat", DataType.DOUBLE, 21.5),))
    sys.stdin.read()
    node.disconnect()


if __name__ == "__main__":
    main(int(sys.argv[1]))
