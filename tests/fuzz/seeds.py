"""What fuzzing begins with, for each kind of `liandong decode`: captures from the field, and frames of our own making.

It needs neither pytest nor Hypothesis: atheris runs in an environment of its own.
"""

from __future__ import annotations

import json
from pathlib import Path

from protocols.evadts.ddcmp import control, message
from protocols.evadts.dex import Identity, data_blocks
from protocols.modbus import seal

CASES = Path(__file__).parents[1] / "cases"
KINDS = (
    "evadts",
    "dex",
    "ddcmp",
    "osdp",
    "modbus",
    "dlt645",
    "cjt188",
    "mbus",
    "gb26875",
    "chirpstack",
    "zigbee2mqtt",
    "sparkplug",
)
AUDIT = b"DXS*LIA0000001*VA*V0/6*1\r\nST*001*0001\r\nPA1*1*350\r\nPA2*1*700\r\nG85*1234\r\nSE*5*0001\r\nDXE*1*1\r\n"


def seeds(kind: str) -> list[bytes]:
    """At least one for every kind."""
    return _MADE.get(kind, []) + _collected(kind)


def _collected(kind: str) -> list[bytes]:
    found: list[bytes] = []
    for path in sorted((CASES / kind).glob("*")):
        if kind == "evadts":
            found += [path.read_bytes()[:4000]] if path.suffix in (".eva_dts", ".txt") else []
        elif path.suffix == ".txt":
            found += [_hexadecimal(line) for line in path.read_text("utf-8").splitlines()]
        elif path.suffix == ".hex":
            found.append(_hexadecimal(path.read_text("utf-8")))
        elif path.name == "events.jsonl":
            rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
            found += [f"{row['topic']} {json.dumps(row['payload'])}\n".encode() for row in rows]
        elif path.suffix == ".osdpcap":
            found.append(path.read_bytes())
    return [one for one in found if one]


def _hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex(text.partition("|")[0])
    except ValueError:
        return b""


_BLOCK = bytes([0x99, 0]) + AUDIT
_MADE = {
    "zigbee2mqtt": [
        b'zigbee2mqtt/Smoke RIGHT {"smoke":true,"battery":"78","linkquality":55}\n',
        b'{"topic": "zigbee2mqtt/a/b", "payload": {"action": "emergency", "battery": null}}\n',
        b'zigbee2mqtt/a/availability online\nzigbee2mqtt/bridge/devices [{"friendly_name":"a","definition":null}]\n',
    ],
    "dex": [b"\x05\x10\x30", Identity(id="LIA0000001").request("R"), *data_blocks(AUDIT * 12)],
    "ddcmp": [
        control(6) + control(7, parameter=4) + message(bytes.fromhex("77E0") + bytes(14), received=0, sent=1),
        control(2, received=3) + message(_BLOCK, received=1, sent=2, last=True) + control(1, received=2),
    ],
    "modbus": [
        seal(bytes([1, 3, 0, 0, 0, 2])),
        seal(bytes([1, 3, 4, 0x43, 0x66, 0x80, 0])),
        bytes(5) + b"\6\1\4\0\0\0\1",
    ],
    "osdp": [bytes.fromhex("FF530008000460EBAA")],
    "mbus": [bytes.fromhex("680F0F6808017278563412246A0107550000000313153100DA023B13018B60043718021816")],
    "sparkplug": [
        bytes.fromhex("08d0b0e3f7b233120f0a044e616d651800200a7a036162631864"),
        b'{"online":true,"timestamp":1}',
        b"",
    ],
}
