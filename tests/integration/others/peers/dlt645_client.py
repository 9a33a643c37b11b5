"""A reader of meters made with dlt645, run by its own Python: PORT ADDRESS. Says what it read, as it understood it."""

import json
import sys

from dlt645 import MeterClientService  # type: ignore[import-not-found]


def main(port: int, address: str) -> None:
    """Energy, voltage, current and power, by its own decoding."""
    client = MeterClientService.new_tcp_client("127.0.0.1", port, timeout=10.0)
    client.set_address(address)
    values = {}
    for name, read, identifier in (
        ("energy", client.read_00, 0x00010000),
        ("voltage", client.read_02, 0x02010100),
        ("current", client.read_02, 0x02020100),
        ("power", client.read_02, 0x02030000),
    ):
        item = read(identifier)
        values[name] = None if item is None else float(item.value)
    sys.stdout.write(json.dumps({"type": "read", "values": values}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    client.disconnect()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
