"""Writes an audit as a machine sends it: envelope, one transaction set, record count and G85."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from protocols.errors import ProtocolError
from protocols.evadts.crc import crc16

Fields = Sequence[object]


def write(records: Iterable[tuple[str, Fields]], *, communication_id: str, control: str = "0001") -> bytes:
    """`records` as (kind, fields) between DXS…ST and G85…DXE, ASCII with CRLF.

    `communication_id` is DXS01, ten characters (three of the maker, seven of the machine). None is an empty field; what
    cannot stand in a field (a star, a control character) raises ProtocolError.
    """
    body = [_line("ST", ("001", control))] + [_line(kind, fields) for kind, fields in records]
    covered = b"".join(body)
    tail = [
        _line("G85", (f"{crc16(covered):04X}",)),
        _line("SE", (len(body) + 2, control)),
        _line("DXE", (1, 1)),
    ]
    return _line("DXS", (communication_id, "VA", "V0/6", 1)) + covered + b"".join(tail)


def _line(kind: str, fields: Fields) -> bytes:
    words = ["" if field is None else str(field) for field in fields]
    for word in words:
        if "*" in word or not word.isascii() or any(ord(char) < 0x20 for char in word):
            raise ProtocolError("protocols.evadts.bad-field", record=kind, raw=word[:40])
    return "*".join([kind, *words]).encode("ascii") + b"\r\n"
