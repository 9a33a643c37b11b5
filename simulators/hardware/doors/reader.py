"""The reader's end of an OSDP line: `libosdp`'s peripheral on a pty, with its strike, inputs, light and buzzer.

`taken` is told of a report only when the panel has asked for the next one (the sequence number of IEC 60839-11-5, 5.9
has moved on): a reply that left is not yet a reply that arrived.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import osdp_sys

from simulators.hardware.line import PtyLine

CONTACT, EXIT = 0, 1
_INPUTS: Final = 4
_OUTPUTS: Final = 3
_SOM: Final = 0x53
_HEADER: Final = 5  # start, address, length (2, low byte first), control
_WAIT_S: Final = 0.02
_DONE: Final = (0, None)
_REFUSED: Final = (-1, None)
_LIGHTS: Final = {
    osdp_sys.LED_COLOR_GREEN: "green",
    osdp_sys.LED_COLOR_RED: "red",
    osdp_sys.LED_COLOR_AMBER: "amber",
}
_KEYS: Final = {"#": 0x0D, "*": 0x7F}  # osdp_KEYPAD (IEC 60839-11-5); digits are their ASCII
Taken = Callable[[], None]

# osdp_OUT control codes: permanent off, permanent on, on until the timer ends.
_OFF, _ON, _ON_TIMED = (1, 3), (2, 4), 5


class OsdpReader:
    """A reader with one door, in a thread of its own between `start` and `stop`; methods may be called from any.

    `alive` is called in that thread about every 20 ms. Without a `key` it is fresh from the factory: it takes one from
    the first panel that knows the default key, and keeps it.
    """

    def __init__(self, line: PtyLine, address: int, key: bytes | None, alive: Callable[[float], None]) -> None:
        self._line = line
        self._address = address
        self.key = key
        self._alive = alive
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._incoming = bytearray()
        self._outgoing: deque[tuple[float, bytes]] = deque()  # (when, monotonic; what)
        self.noise = 0
        """How many of the next replies arrive with one bit turned over."""
        self.slow_s = 0.0
        """How much later than it could a reply begins."""
        self._sequence = 0
        self._submitted: list[Taken | None] = []  # in the order in which the library sends them
        self._sent: list[Taken] = []
        self._replies: dict[tuple[int, bytes], tuple[int, dict[str, Any]]] = {}
        self._strike_on = False
        self._strike_until = 0.0
        self._contact_taken: Taken | None = None
        self.inputs = [False] * _INPUTS
        self.switched = [False] * _OUTPUTS
        """Its outputs beside the strike, by number."""
        self.tamper = False
        self.mains_lost = False
        self.beeps = 0
        self.light = ""

    def start(self) -> None:
        """Take power: begin to answer."""
        osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)  # it logs to standard output
        with self._lock:
            self._submitted, self._sent, self._strike_on, self._strike_until = [], [], False, 0.0
            self._outgoing.clear()
            info = _info(self._address, self.key) | {"channel": self}
            self._osdp = osdp_sys.PeripheralDevice(info, capabilities=_CAPABILITIES)
            self._osdp.set_command_callback(self._on_command)
            self._osdp.set_event_completion_callback(self._on_completion)
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="osdp-reader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Lose power: fall silent, and forget the outputs."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2.0)
            self._thread = None
        with self._lock:
            self._osdp = None

    @property
    def secure(self) -> bool:
        """Whether a panel talks to it inside the secure channel."""
        with self._lock:
            return self._osdp is not None and bool(self._osdp.is_sc_active())

    @property
    def strike(self) -> bool:
        """Whether the strike lets the door open now."""
        return self._strike_on or time.monotonic() < self._strike_until

    @property
    def strike_held(self) -> bool:
        """Whether the strike is open without end (an emergency release)."""
        return self._strike_on

    def show_card(self, length: int, data: bytes, taken: Taken) -> bool:
        """Report a card of `length` bits. False when no panel is there: a reader keeps no cards."""
        event = {
            "event": osdp_sys.EVENT_CARDREAD,
            "reader_no": 0,
            "direction": 0,
            "format": osdp_sys.CARD_FMT_RAW_WIEGAND,
            "length": length,
            "data": data,
        }
        return self._submit(event, taken)

    def press(self, keys: str) -> bool:
        """Report keys of the keypad: digits, ``*`` and ``#``. False when no panel is there."""
        data = bytes(_KEYS.get(key, ord(key)) for key in keys)
        event = {"event": osdp_sys.EVENT_KEYPRESS, "reader_no": 0, "length": len(data), "data": data}
        return self._submit(event, None)

    def set_input(self, number: int, active: bool, taken: Taken | None = None) -> None:
        """Change an input; `taken` once a panel has heard of it, now or when it next asks."""
        with self._lock:
            self.inputs[number] = active
            if number == CONTACT:
                self._contact_taken = taken
            event = self._status(osdp_sys.STATUS_REPORT_INPUT) | {"event": osdp_sys.EVENT_STATUS}
            self._submit(event, self._contact_is_taken if number == CONTACT else None)

    def set_condition(self, *, tamper: bool | None = None, mains_lost: bool | None = None) -> None:
        """Open or close the housing, cut or restore the mains."""
        with self._lock:
            self.tamper = self.tamper if tamper is None else tamper
            self.mains_lost = self.mains_lost if mains_lost is None else mains_lost
            event = self._status(osdp_sys.STATUS_REPORT_LOCAL) | {"event": osdp_sys.EVENT_STATUS}
            self._submit(event, None)

    # The thread.

    def _run(self) -> None:
        was_secure = False
        while not self._stop.is_set():
            data = self._line.read(timeout_s=_WAIT_S)
            if not data and not self._line.plugged:
                self._stop.wait(_WAIT_S)
            with self._lock:
                self._follow(data)
                self._incoming += data
                self._osdp.refresh()
                self._send_due(time.monotonic())
                secure = bool(self._osdp.is_sc_active())
                if was_secure and not secure:
                    self._lose_panel()
                was_secure = secure
            self._alive(time.monotonic())

    def _lose_panel(self) -> None:
        self._osdp.flush_events()
        self._submitted, self._sent = [], []

    def _follow(self, data: bytes) -> None:
        """The next sequence number in a command says that the last reply arrived; 0, that the panel began anew."""
        start = data.find(_SOM)
        if start < 0 or len(data) < start + _HEADER or data[start + 1] != self._address:
            return
        sequence = data[start + 4] & 3
        if sequence != self._sequence:
            sent, self._sent = self._sent, []
            if sequence != 0:
                for taken in sent:
                    taken()
        self._sequence = sequence

    # What the library calls, inside `refresh`.

    def read(self, size: int) -> bytes:
        """The next bytes from the panel."""
        data = bytes(self._incoming[:size])
        del self._incoming[:size]
        return data

    def write(self, data: bytes) -> int:
        """Send to the panel. A cut wire takes everything."""
        if self.noise > 0:
            self.noise -= 1
            data = data[:-1] + bytes(
                [data[-1] ^ 0x10]
            )  # of the check sum: which one is turned over makes no difference
        if self.slow_s > 0 or self._outgoing:
            self._outgoing.append((time.monotonic() + self.slow_s, data))
            return len(data)
        return self._line.write(data) if self._line.plugged else len(data)

    def _send_due(self, now: float) -> None:
        while self._outgoing and self._outgoing[0][0] <= now:
            self._line.write(self._outgoing.popleft()[1])

    def flush(self) -> None:
        """Forget what came in."""
        self._incoming.clear()

    def _on_completion(self, event: dict[str, Any], status: int) -> None:
        taken = self._submitted.pop(0) if self._submitted else None
        if taken is not None and status == osdp_sys.COMPLETION_OK:
            self._sent.append(taken)

    def _on_command(self, command: dict[str, Any]) -> tuple[int, Any]:
        match command["command"]:
            case osdp_sys.CMD_OUTPUT:
                return self._switch(command)
            case osdp_sys.CMD_BUZZER:
                self.beeps += command["rep_count"]
            case osdp_sys.CMD_LED:
                self.light = _LIGHTS.get(command["on_color"], "other")
            case osdp_sys.CMD_KEYSET:
                self.key = bytes(command["data"])
            case osdp_sys.CMD_STATUS:
                return self._answer(command["type"])
        return _kept(_DONE)

    def _switch(self, command: dict[str, Any]) -> tuple[int, Any]:
        code, number = command["control_code"], command["output_no"]
        if number >= _OUTPUTS or code not in (*_OFF, *_ON, _ON_TIMED):
            return _kept(_REFUSED)
        if number:
            self.switched[number] = code not in _OFF
            return _kept(_DONE)
        if code == _ON_TIMED:
            self._strike_until = time.monotonic() + command["timer_count"] / 10
        else:
            self._strike_on, self._strike_until = code in _ON, 0.0
        return _kept(_DONE)

    def _answer(self, kind: int) -> tuple[int, Any]:
        status = self._status(kind)
        if kind == osdp_sys.STATUS_REPORT_INPUT:
            self._sent.append(self._contact_is_taken)
        return _kept(self._replies.setdefault((kind, status["report"]), (0, _as_reply(kind, status["report"]))))

    def _status(self, kind: int) -> dict[str, Any]:
        reports: dict[int, list[bool]] = {
            osdp_sys.STATUS_REPORT_INPUT: self.inputs,
            osdp_sys.STATUS_REPORT_OUTPUT: [self.strike, *self.switched[1:]],
            osdp_sys.STATUS_REPORT_LOCAL: [self.tamper, self.mains_lost],
            osdp_sys.STATUS_REPORT_REMOTE: [False],
        }
        return {"type": kind, "report": bytes(reports[kind])}

    def _contact_is_taken(self) -> None:
        taken, self._contact_taken = self._contact_taken, None
        if taken is not None:
            taken()

    def _submit(self, event: dict[str, Any], taken: Taken | None) -> bool:
        with self._lock:
            if not self.secure or not self._line.plugged or not self._osdp.submit_event(event):
                return False
            self._submitted.append(taken)
            return True


def _kept(result: tuple[int, Any]) -> tuple[int, Any]:
    """`result`, safe to hand to the library.

    Version 3.2.9 gives back a reference to the second item that it never took, and keeps one to the tuple. So the
    tuples are few and long-lived, and the item gets one reference more.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(result[1]))
    return result


def _as_reply(kind: int, report: bytes) -> dict[str, Any]:
    """A status report for the library to send.

    Version 3.2.9 has no way to hand over the report itself: of a status dictionary it takes the type only. But a
    manufacturer's command lies at the same place of its union of commands, with the vendor where the type is, and its
    data where the count and the report are.
    """
    data = len(report).to_bytes(4, sys.byteorder) + report
    return {"command": osdp_sys.CMD_MFG, "vendor_code": kind, "data": data}


def _info(address: int, key: bytes | None) -> dict[str, Any]:
    secured = (
        {"flags": osdp_sys.FLAG_INSTALL_MODE} if key is None else {"flags": osdp_sys.FLAG_ENFORCE_SECURE, "scbk": key}
    )
    return secured | {
        "name": f"PD-{address}",
        "address": address,
        "version": 1,
        "model": 1,
        "vendor_code": 0x4C4400,
        "serial_number": address,
        "firmware_version": 0x010000,
    }


def _capability(code: int, items: int = 1) -> dict[str, int]:
    return {"function_code": code, "compliance_level": 1, "num_items": items}


_CAPABILITIES: Final = [
    _capability(osdp_sys.CAP_CONTACT_STATUS_MONITORING, _INPUTS),
    _capability(osdp_sys.CAP_OUTPUT_CONTROL, _OUTPUTS),
    _capability(osdp_sys.CAP_READER_LED_CONTROL),
    _capability(osdp_sys.CAP_READER_AUDIBLE_OUTPUT),
    _capability(osdp_sys.CAP_COMMUNICATION_SECURITY),
]
