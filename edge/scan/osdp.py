"""OSDP readers: each address is asked who it is (osdp_ID), in the clear.

Not osdp_POLL: a reader takes the answer to that as told, and a card that was just read would be lost. A reader that
talks inside its secure channel only refuses with a NAK, which is an answer, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from edge.scan.findings import Budget, Found
from edge.scan.line import ScanLine
from protocols.errors import ProtocolError
from protocols.osdp import Packet, encode, parse
from protocols.osdp.packet import MARK, measure

SPEEDS: Final = (9600, 115200, 38400, 19200, 57600)
ADDRESSES: Final = range(127)
_WAIT_S: Final = 0.2  # REPLY_DELAY: a reader begins its answer within 200 ms (5.7)
_ID: Final = 0x61
_PDID: Final = 0x45
_PDID_SIZE: Final = 12


def search(port: Path, speed: int, addresses: Sequence[int], budget: Budget) -> Iterator[Found]:
    """Readers in the order of `addresses`. Raises DeviceError for a lost line."""
    with ScanLine(port, speed) as line:
        for address in addresses:
            if budget.over:
                return
            if address not in ADDRESSES:
                continue
            budget.tell(f"{port} osdp {speed} {address}")
            reply, took = _ask(line, address)
            if reply is not None:
                took_ms = round(took * 1000, 1)
                model = _model(reply)
                yield Found(port=port, kind="osdp", baud=speed, address=address, model=model, answer_ms=took_ms)


def _ask(line: ScanLine, address: int) -> tuple[Packet | None, float]:
    packet = Packet(address=address, reply=False, sequence=0, code=_ID, data=b"\x00")
    question = bytes([MARK]) + encode(packet)
    answer, took = line.ask(question, _WAIT_S, lambda got: _reply(got, address) is not None)
    return _reply(answer, address), took


def _reply(data: bytes, address: int) -> Packet | None:
    for at in range(len(data)):
        with contextlib.suppress(ProtocolError):
            size = measure(data, at)
            packet = parse(data[at : at + size]) if size else None
            if packet is not None and packet.reply and packet.fits and packet.address == address:
                return packet
    return None


def _model(reply: Packet) -> str:
    """Maker, model, serial number and firmware, as far as the reader says them in the clear."""
    if reply.code != _PDID or len(reply.data) < _PDID_SIZE:
        return ""
    data = reply.data
    firmware = ".".join(str(part) for part in data[9:12])
    return f"{data[0:3].hex().upper()} model {data[3]} serial {int.from_bytes(data[5:9], 'little')} firmware {firmware}"
