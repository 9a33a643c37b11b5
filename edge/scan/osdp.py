"""OSDP readers: each address is asked who it is (osdp_ID), in the clear.

Not osdp_POLL: a reader takes the answer to that as told, and a card that was just read would be lost. A reader that
talks inside its secure channel only refuses with a NAK, which is an answer, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from edge.scan.findings import Budget, Found
from edge.scan.line import ScanLine
from edge.scan.walk import by_address, first
from protocols.osdp import Packet, encode, parse
from protocols.osdp.packet import MARK, measure

ADDRESSES: Final = range(127)
_WAIT_S: Final = 0.2  # REPLY_DELAY: a reader begins its answer within 200 ms (5.7)
_ID: Final = 0x61
_PDID: Final = 0x45
_PDID_SIZE: Final = 12


def search(line: ScanLine, addresses: Sequence[int], budget: Budget) -> Iterator[Found]:
    """Readers in the order of `addresses`. Raises DeviceError for a lost line."""

    def ask(address: int) -> tuple[Packet | None, float]:
        packet = Packet(address=address, reply=False, sequence=0, code=_ID, data=b"\x00")
        question = bytes([MARK]) + encode(packet)
        answer, took = line.ask(question, _WAIT_S, lambda got: _reply(got, address) is not None)
        return _reply(answer, address), took

    def tell(address: int, reply: Packet, took_ms: float) -> Found:
        model = _model(reply)
        return Found(
            port=line.name,
            kind="osdp",
            setting=line.setting,
            address=address,
            model=model,
            type="door",
            answer_ms=took_ms,
        )

    return by_address(line, "osdp", addresses, ADDRESSES, budget, ask, tell)


def _reply(data: bytes, address: int) -> Packet | None:
    def take(piece: bytes) -> Packet | None:
        size = measure(piece, 0)
        packet = parse(piece[:size]) if size else None
        right = packet is not None and packet.reply and packet.fits and packet.address == address
        return packet if right else None

    return first(data, take)


def _model(reply: Packet) -> str:
    """Maker, model, serial number and firmware, as far as the reader says them in the clear."""
    if reply.code != _PDID or len(reply.data) < _PDID_SIZE:
        return ""
    data = reply.data
    firmware = ".".join(str(part) for part in data[9:12])
    return f"{data[0:3].hex().upper()} model {data[3]} serial {int.from_bytes(data[5:9], 'little')} firmware {firmware}"
