"""A meter made with dlt645, run by its own Python: PORT ADDRESS. Serves until standard input ends."""

import json
import sys

from dlt645 import MeterServerService  # type: ignore[import-not-found]


def main(port: int, address: str) -> None:
    """A meter with three values."""
    meter = MeterServerService.new_tcp_server("127.0.0.1", port, 3000)
    meter.set_address(address)
    meter.set_00(0x00010000, 123456.78)
    meter.set_02(0x02010100, 230.1)
    meter.set_02(0x02020100, 1.234)
    meter.set_02(0x02030000, 0.2839)
    meter.server.start()
    sys.stdout.write(json.dumps({"type": "serves", "values": {}}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    meter.server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
