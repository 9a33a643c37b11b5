"""A control panel made with osdp, run by its own Python: PORT ADDRESS MASTER_KEY. Says what readers tell it.

It installs a key of its own in a reader that still has the default one. A line of standard input is an order: status,
inputs, outputs, open, shut, light or beep; the answer is what the library gives back.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import osdp
from osdp import _secure_channel


class Panel(osdp.ControlPanel):  # type: ignore[misc]
    """Tells what it is told."""

    def on_raw_card_data_reply_received(self, address: int, card: Any) -> None:
        """A card."""
        say("card", {"bits": card.bit_count, "data": card.data.hex()})

    def on_keypad_data_reply_received(self, address: int, keys: Any) -> None:
        """Keys."""
        say("keys", {"data": keys.data.hex()})

    def on_local_status_report_reply_received(self, address: int, status: Any) -> None:
        """The housing and the power, as the reader tells them by itself."""
        say("local", {"tamper": status.tamper, "power": status.power_failure})


def say(kind: str, values: dict[str, Any]) -> None:
    """One line for the test."""
    sys.stdout.write(json.dumps({"type": kind, "device": None, "values": values}) + "\n")
    sys.stdout.flush()


def led() -> Any:
    """Green for a second."""
    return osdp.ReaderLedControls(
        [
            osdp.ReaderLedControl(
                0,
                0,
                osdp.TemporaryReaderControlCode.SetTemporaryAndStartTimer,
                1,
                0,
                osdp.LedColor.Green,
                osdp.LedColor.Green,
                10,
                osdp.PermanentReaderControlCode.Nop,
                0,
                0,
                osdp.LedColor.Black,
                osdp.LedColor.Black,
            )
        ]
    )


def strike(code: Any) -> Any:
    """The first output, on or off for good."""
    return osdp.OutputControls([osdp.OutputControl(0, code, 0)])


def main(port: str, address: int, master: bytes) -> None:
    """Talk to one reader until standard input ends."""
    logging.getLogger("osdp").handlers.clear()
    panel = Panel(master)
    bus = panel.start_connection(osdp.SerialPortOsdpConnection(port=port, baud_rate=9600))
    panel.add_device(bus, address, use_crc=True, use_secure_channel=True)
    device = panel._buses[bus]._configured_devices[address]
    stopped = threading.Event()
    threading.Thread(target=watch, args=(device, stopped), daemon=True).start()
    on = osdp.OutputControlCode.PermanentStateOnAbortTimedOperation
    off = osdp.OutputControlCode.PermanentStateOffAbortTimedOperation
    orders: dict[str, Callable[[], dict[str, Any]]] = {
        "status": lambda: vars(panel.local_status(bus, address)),
        "inputs": lambda: {"active": list(panel.input_status(bus, address).statuses)},
        "outputs": lambda: {"active": list(panel.output_status(bus, address).statuses)},
        "identity": lambda: vars(panel.id_report(bus, address)),
        "open": lambda: {"done": panel.output_control(bus, address, strike(on))},
        "shut": lambda: {"done": panel.output_control(bus, address, strike(off))},
        "light": lambda: {"done": panel.reader_led_control(bus, address, led())},
        "beep": lambda: {"done": beep(panel, bus, address)},
    }
    for word in map(str.strip, sys.stdin):
        say(word, json.loads(json.dumps(orders[word](), default=str)))
    stopped.set()
    panel.shutdown()


def beep(panel: Any, bus: Any, address: int) -> bool:
    """Twice the default tone."""
    control = osdp.ReaderBuzzerControl(0, osdp.ToneCode.DefaultTone, 1, 1, 2)
    reply = panel.send_command(bus, osdp.ReaderBuzzerControlCommand(address, control))
    return bool(reply.type == osdp.ReplyType.Ack)


def watch(device: Any, stopped: threading.Event) -> None:
    """Tell when the secure channel stands, and with which key."""
    told = None
    while not stopped.wait(0.02):
        channel = device._secure_channel
        if channel.is_established and channel.scbk is not None:
            own = _secure_channel.calculate_scbk(channel.master_key, channel.cuid).hex()
            now = {"default": bool(channel.is_scbkd), "key": own}
            if now != told:
                say("secure", now)
                told = now


main(sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3]))
