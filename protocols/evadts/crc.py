"""CRC-16/ARC: the one check sum of EVA-DTS, for DEX blocks and for record G85.

Polynomial x^16 + x^15 + x^2 + 1, reflected (A001h), start 0, no final inversion (EVA-DTS 6.1, DEX/UCS and G85).
"""

from __future__ import annotations

from typing import Final


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        rows.append(crc)
    return tuple(rows)


_TABLE: Final = _table()


def crc16(data: bytes, start: int = 0) -> int:
    """The CRC-16/ARC of `data`, 0–65535; `start` continues from the CRC of what came before."""
    crc = start
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def swapped(crc: int) -> int:
    """`crc` with its two bytes exchanged, as old machines write it into G85."""
    return (crc & 0xFF) << 8 | crc >> 8
