"""A reader of M-Bus made with pyMeterBus, run by its own Python: PORT PRIMARY SECONDARY, then telegrams on its input.

Says what it read on the line (once by each address), then what each telegram says, as it understood them.
"""

import json
import sys
from typing import Any

import meterbus  # type: ignore[import-not-found]
import serial

ACKNOWLEDGED = b"\xe5"


def told(frame: Any) -> list[Any]:
    """The values of a telegram; None when it cannot read it."""
    return [record["value"] for record in json.loads(frame.to_JSON())["body"]["records"]]


def telegram(line: serial.Serial, address: int) -> list[Any]:
    """Ask for data, and read the answer."""
    meterbus.send_request_frame_multi(line, address)
    return told(meterbus.load(meterbus.recv_frame(line, 255)))


def say(kind: str, values: Any) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps({"type": kind, "values": values}) + "\n")
    sys.stdout.flush()


def main(port: str, primary: int, secondary: str) -> None:
    """First the meter on the line, then telegrams until the input ends."""
    with serial.Serial(port, 2400, parity=serial.PARITY_EVEN, timeout=1.0) as line:
        meterbus.send_ping_frame(line, primary)
        acknowledged = line.read(1) == ACKNOWLEDGED
        say("primary", {"acknowledged": acknowledged, "values": telegram(line, primary)})
        meterbus.send_ping_frame(line, primary)
        line.read(1)
        meterbus.send_select_frame(line, secondary)
        acknowledged = line.read(1) == ACKNOWLEDGED
        say("secondary", {"acknowledged": acknowledged, "values": telegram(line, meterbus.ADDRESS_NETWORK_LAYER)})
    for text in sys.stdin:
        try:
            values = told(meterbus.load(bytes.fromhex(text)))
        except (meterbus.MBusFrameDecodeError, KeyError):
            values = None
        say("telegram", values)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
