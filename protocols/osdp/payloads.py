"""What the data of the common commands and replies say (IEC 60839-11-5, clauses 6 and 7). Times are in 100 ms steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from protocols.access.wiegand import decode as decode_card
from protocols.errors import ProtocolError
from protocols.osdp.codes import CAPABILITIES, LED_COLOURS, NAK_REASONS

Told = dict[str, Any]
_STEP_S: Final = 0.1


def _seconds(steps: int) -> float:
    return round(steps * _STEP_S, 1)


def _nak(data: bytes) -> Told:
    return {"reason": NAK_REASONS.get(data[0]), "reason_code": data[0]}


def _local(data: bytes) -> Told:
    return {"tamper": bool(data[0]), "power_fault": bool(data[1])}


def _points(name: str) -> Callable[[bytes], Told]:
    return lambda data: {name: list(data)}


def _identity(data: bytes) -> Told:
    return {
        "vendor": data[0:3].hex().upper(),
        "model": data[3],
        "version": data[4],
        "serial": int.from_bytes(data[5:9], "little"),
        "firmware": ".".join(str(part) for part in data[9:12]),
    }


def _capabilities(data: bytes) -> Told:
    rows = [data[at : at + 3] for at in range(0, len(data) - 2, 3)]
    return {"capabilities": [{"name": CAPABILITIES.get(r[0], r[0]), "level": r[1], "count": r[2]} for r in rows]}


def _raw_card(data: bytes) -> Told:
    bits = int.from_bytes(data[2:4], "little")
    told: Told = {"reader": data[0], "bits": bits, "card_raw": data[4:].hex().upper(), "card": None}
    try:
        card = decode_card(bits, data[4:])
    except ProtocolError:
        return told
    return told | {"card": card.text, "format": card.format, "facility": card.facility, "number": card.number}


def _formatted_card(data: bytes) -> Told:
    direction = {1: "forward", 2: "backward"}.get(data[1], data[1])
    return {"reader": data[0], "direction": direction, "text": data[3 : 3 + data[2]].decode("ascii", "replace")}


def _keypad(data: bytes) -> Told:
    keys = "".join(chr(key) if chr(key).isprintable() else {0x7F: "*", 0x0D: "#"}.get(key, "?") for key in data[2:])
    return {"reader": data[0], "count": data[1], "keys": keys}


def _communication(data: bytes) -> Told:
    return {"new_address": data[0], "baud": int.from_bytes(data[1:5], "little")}


def _led(data: bytes) -> Told:
    rows = [data[at : at + 14] for at in range(0, len(data) - 13, 14)]
    return {"leds": [_one_led(row) for row in rows]}


def _colour(number: int) -> str | int:
    return LED_COLOURS[number] if number < len(LED_COLOURS) else number


def _one_led(row: bytes) -> Told:
    told: Told = {"reader": row[0], "led": row[1]}
    if row[2]:
        told["temporary"] = {
            "action": {1: "cancel", 2: "set"}.get(row[2], row[2]),
            "on_s": _seconds(row[3]),
            "off_s": _seconds(row[4]),
            "on": _colour(row[5]),
            "off": _colour(row[6]),
            "for_s": _seconds(int.from_bytes(row[7:9], "little")),
        }
    if row[9]:
        told["permanent"] = {
            "on_s": _seconds(row[10]),
            "off_s": _seconds(row[11]),
            "on": _colour(row[12]),
            "off": _colour(row[13]),
        }
    return told


def _buzzer(data: bytes) -> Told:
    tones = {0: "none", 1: "off", 2: "default"}
    return {
        "reader": data[0],
        "tone": tones.get(data[1], data[1]),
        "on_s": _seconds(data[2]),
        "off_s": _seconds(data[3]),
        "times": data[4],
    }


def _outputs(data: bytes) -> Told:
    rows = [data[at : at + 4] for at in range(0, len(data) - 3, 4)]
    timer = [_seconds(int.from_bytes(row[2:4], "little")) for row in rows]
    return {"outputs": [{"output": row[0], "action": row[1], "for_s": s} for row, s in zip(rows, timer, strict=True)]}


def _text(data: bytes) -> Told:
    shown = data[6 : 6 + data[5]].decode("ascii", "replace")
    return {"reader": data[0], "for_s": data[2], "row": data[3], "column": data[4], "text": shown}


def _key(data: bytes) -> Told:
    return {"key_type": data[0], "key_bytes": data[1]}


def _maker(data: bytes) -> Told:
    return {"vendor": data[:3].hex().upper(), "body": data[3:].hex().upper()}


def _cryptogram(data: bytes) -> Told:
    return {"client": data[:8].hex().upper()}


def _number(name: str) -> Callable[[bytes], Told]:
    return lambda data: {name: int.from_bytes(data[:2], "little")}


# Name of the code -> how many bytes it must have at least, and what they say.
PAYLOADS: Final[dict[str, tuple[int, Callable[[bytes], Told]]]] = {
    "NAK": (1, _nak),
    "LSTATR": (2, _local),
    "ISTATR": (1, _points("inputs")),
    "OSTATR": (1, _points("outputs")),
    "RSTATR": (1, _points("readers")),
    "PDID": (12, _identity),
    "PDCAP": (3, _capabilities),
    "RAW": (4, _raw_card),
    "FMT": (3, _formatted_card),
    "KEYPAD": (2, _keypad),
    "COM": (5, _communication),
    "COMSET": (5, _communication),
    "LED": (14, _led),
    "BUZ": (5, _buzzer),
    "OUT": (4, _outputs),
    "TEXT": (6, _text),
    "KEYSET": (2, _key),
    "MFG": (3, _maker),
    "MFGREP": (3, _maker),
    "CCRYPT": (32, _cryptogram),
    "ACURXSIZE": (2, _number("bytes")),
    "KEEPACTIVE": (2, _number("milliseconds")),
}
