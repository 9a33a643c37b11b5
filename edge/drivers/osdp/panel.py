"""The OSDP control panel of one line: `libosdp` with types, its callbacks as facts to take, and its traps covered.

The library's own wrapper class is not used: it keeps every event in a queue that nobody empties, prints, and runs
threads. Everything here is called from one thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import osdp_sys

from edge.drivers.osdp.config import ReaderConfig
from edge.drivers.osdp.line import SerialLine

# Control codes of osdp_OUT (IEC 60839-11-5, 6.10): permanent off and on, and on until the timer ends.
OFF: Final = 1
ON: Final = 2
ON_TIMED: Final = 5
MAX_WAITING: Final = 32  # commands for one reader; more means that it does not keep up, and they are refused
Confirm = Callable[[bool], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRead:
    """A card: `length` bits, left-aligned in `data`. Length 0 stands for a reader that sent no bits (ASCII)."""

    length: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPressed:
    """Keys of the keypad, as they came. The digits are somebody's code: they are never shown."""

    keys: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInstalled:
    """In install mode: the reader has taken its key, and the channel stands with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Every input of the reader, True = active."""

    active: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """What the reader says about itself."""

    tamper: bool
    mains_lost: bool


Told = CardRead | KeysPressed | KeyInstalled | Inputs | Local
Colour = Literal["green", "red", "amber"]


_COLOURS: Final[dict[Colour, int]] = {
    "green": osdp_sys.LED_COLOR_GREEN,
    "red": osdp_sys.LED_COLOR_RED,
    "amber": osdp_sys.LED_COLOR_AMBER,
}


def nobody(done: bool) -> None:
    """A `Confirm` for what nobody waits for."""


class Panel:
    """Readers are named by their index in `readers`."""

    def __init__(self, line: SerialLine, readers: Sequence[tuple[ReaderConfig, bytes]]) -> None:
        osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)  # it logs to standard output, which belongs to the program
        self._told: list[tuple[int, Told]] = []
        self._queues: list[deque[tuple[dict[str, Any], Confirm]]] = [deque() for _ in readers]
        self._flying: dict[int, Confirm] = {}
        self._completed: list[tuple[Confirm, bool]] = []
        self._reviving: set[int] = set()
        self._secured: list[int] = []
        self._installing: set[int] = set()  # inside a channel with the key that everybody knows
        self._open = {index for index, (reader, _) in enumerate(readers) if reader.install_mode}
        self._osdp = osdp_sys.ControlPanel([_info(line, reader, key) for reader, key in readers])
        self._osdp.set_event_callback(self._on_event)
        self._osdp.set_command_completion_callback(self._on_completion)

    def refresh(self) -> list[tuple[int, Told]]:
        """Let the library work; what the readers told. The next call sends the poll that acknowledges it."""
        for index in tuple(self._reviving):
            if not self._osdp.is_pd_enabled(index):
                self._osdp.enable_pd(index)
                self._reviving.discard(index)
        for index, queue in enumerate(self._queues):
            if queue and index not in self._flying:
                self._give(index, *queue.popleft())
        self._osdp.refresh()
        for index in self._secured:  # from here on its own key or nothing, whatever install_mode says
            self._osdp.set_flag(index, osdp_sys.FLAG_ENFORCE_SECURE)
        self._secured.clear()
        self._confirm_completed()
        told, self._told = self._told, []
        return told

    def online(self, index: int) -> bool:
        """Whether the reader answers inside the secure channel, with a key of its own."""
        return index not in self._installing and bool(self._osdp.status() & self._osdp.sc_status() & (1 << index))

    def firmware(self, index: int) -> str:
        """What the reader said of itself (osdp_PDID): ``1.2.3``; empty when it has not."""
        said = self._osdp.get_pd_id(index)
        number = int(said["firmware_version"]) if said else 0
        return ".".join(str(number >> shift & 0xFF) for shift in (16, 8, 0)) if number else ""

    def revive(self, index: int) -> None:
        """Begin anew with a reader that is away: by itself the library tries again after five minutes."""
        self._reviving.add(index)
        self._osdp.disable_pd(index)

    def forget(self, index: int) -> None:
        """Drop what waits for a reader that went away: a strike must not open minutes later."""
        self._osdp.flush_commands(index)
        self._confirm_completed()
        waiting, self._queues[index] = self._queues[index], deque()
        flying = self._flying.pop(index, None)
        for confirm in ([flying] if flying else []) + [confirm for _, confirm in waiting]:
            confirm(False)

    def close(self) -> None:
        """Let the library go; every command that still waits is told to have failed."""
        for index in range(len(self._queues)):
            self.forget(index)
        del self._osdp

    def output(self, index: int, number: int, code: int, seconds: float, confirm: Confirm) -> None:
        """Switch an output: `code` is OFF, ON or ON_TIMED, `seconds` (at most 25.5) the time of the last."""
        command = {
            "command": osdp_sys.CMD_OUTPUT,
            "output_no": number,
            "control_code": code,
            "timer_count": round(seconds * 10),
        }
        self._submit(index, command, confirm)

    def ask(self, index: int, confirm: Confirm = nobody) -> None:
        """Ask for the inputs and the reader's own condition; they come as `Inputs` and `Local`, before `confirm`."""
        local = {"command": osdp_sys.CMD_STATUS, "type": osdp_sys.STATUS_REPORT_LOCAL}
        if self._can(index, osdp_sys.CAP_CONTACT_STATUS_MONITORING):
            inputs = {"command": osdp_sys.CMD_STATUS, "type": osdp_sys.STATUS_REPORT_INPUT}
            self._submit(index, local, lambda done: None if done else confirm(False))
            self._submit(index, inputs, confirm)
        else:
            self._submit(index, local, confirm)

    def light(self, index: int, colour: Colour, seconds: float) -> None:
        """Show a colour for a while, where the reader has a light (a refused command costs the channel)."""
        if not self._can(index, osdp_sys.CAP_READER_LED_CONTROL):
            return
        command = {
            "command": osdp_sys.CMD_LED,
            "reader": 0,
            "led_number": 0,
            "temporary": True,
            "control_code": 2,  # set the temporary state, and its timer
            "on_color": _COLOURS[colour],
            "off_color": _COLOURS[colour],
            "on_count": 1,
            "off_count": 0,
            "timer_count": round(seconds * 10),
        }
        self._submit(index, command, nobody)

    def beep(self, index: int, times: int, confirm: Confirm) -> None:
        """Sound the buzzer; confirmed as failed where the reader has none."""
        if not self._can(index, osdp_sys.CAP_READER_AUDIBLE_OUTPUT):
            confirm(False)
            return
        command = {
            "command": osdp_sys.CMD_BUZZER,
            "reader": 0,
            "control_code": 2,  # the default tone
            "on_count": 1,
            "off_count": 1,
            "rep_count": times,
        }
        self._submit(index, command, confirm)

    def _can(self, index: int, capability: int) -> bool:
        compliance, items = self._osdp.check_capability(index, capability)
        return bool(compliance and items)

    def _submit(self, index: int, command: dict[str, Any], confirm: Confirm) -> None:
        if self.online(index) and len(self._queues[index]) < MAX_WAITING:
            self._queues[index].append((command, confirm))
        else:
            confirm(False)

    def _give(self, index: int, command: dict[str, Any], confirm: Confirm) -> None:
        # One at a time: the library may have room for four, and drops its queue without a word.
        self._flying[index] = confirm
        if not self._osdp.submit_command(index, command):
            del self._flying[index]
            confirm(False)

    def _on_completion(self, index: int, command: dict[str, Any], status: int) -> None:
        confirm = self._flying.pop(index, None)
        if confirm is not None:
            self._completed.append((confirm, status == osdp_sys.COMPLETION_OK))

    def _confirm_completed(self) -> None:
        # Not inside the library's callback, where an exception would be lost.
        completed, self._completed = self._completed, []
        for confirm, done in completed:
            confirm(done)

    def _on_event(self, index: int, event: dict[str, Any]) -> int:
        if event["event"] == osdp_sys.EVENT_NOTIFICATION:
            self._on_notification(index, event)
        elif self.online(index):  # what comes in the clear (install mode) opens no door
            told = _translate(event)
            if told is not None:
                self._told.append((index, told))
        event.clear()  # the library (3.2.9) never releases the dictionary; emptied, it is a few bytes
        return 0

    def _on_notification(self, index: int, event: dict[str, Any]) -> None:
        if event["type"] != osdp_sys.EVENT_NOTIFICATION_SC_STATUS or not event["arg0"]:
            return
        if event["arg1"]:  # the default key
            self._installing.add(index)
        elif index in self._open:
            # Also when it took its key in an earlier session, of which the end was cut off.
            self._open.discard(index)
            self._secured.append(index)
            if index in self._installing:
                self._installing.discard(index)
                self._told.append((index, KeyInstalled()))


def _info(line: SerialLine, reader: ReaderConfig, key: bytes) -> dict[str, Any]:
    # Without ENFORCE_SECURE the library falls back to the default key and then sets ours: that is installing.
    return {
        "name": reader.id[:15],
        "address": reader.address,
        "flags": osdp_sys.FLAG_ENABLE_NOTIFICATION | (0 if reader.install_mode else osdp_sys.FLAG_ENFORCE_SECURE),
        "scbk": key,
        "channel": line,
    }


def _translate(event: dict[str, Any]) -> Told | None:
    if event["event"] == osdp_sys.EVENT_CARDREAD:
        bits = event.get("length", 0)
        return CardRead(length=bits, data=bytes(event["data"]))
    if event["event"] == osdp_sys.EVENT_KEYPRESS:
        return KeysPressed(keys=bytes(event["data"]))
    if event["event"] == osdp_sys.EVENT_STATUS:
        report = bytes(event["report"])
        if event["type"] == osdp_sys.STATUS_REPORT_INPUT:
            return Inputs(active=tuple(value != 0 for value in report))
        if event["type"] == osdp_sys.STATUS_REPORT_LOCAL and len(report) >= 2:
            return Local(tamper=report[0] != 0, mains_lost=report[1] != 0)
    return None
