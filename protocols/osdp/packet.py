"""Packets of OSDP 2.x (IEC 60839-11-5): ``[FF] 53 address length(2) control [SCB…] code data [MAC(4)] check``.

The address of a reply has bit 7 set; 7F is the broadcast. The length counts from 53 to the end. Control: bits 0–1 the
sequence, bit 2 CRC instead of a one-byte sum, bit 3 a security control block, bit 7 more to come. The CRC is CCITT
(1021), start 1D0F, low byte first; the sum is the two's complement of all bytes before it.
"""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass
from typing import Final

from protocols.errors import ProtocolError
from protocols.osdp.codes import COMMANDS, REPLIES

START: Final = 0x53
MARK: Final = 0xFF  # driven on the line before a packet; no part of it
BROADCAST: Final = 0x7F

_MAX_SIZE: Final = 1440
_CRC_START: Final = 0x1D0F
_USES_CRC: Final = 0x04
_HAS_SCB: Final = 0x08
_MORE: Final = 0x80
_RESERVED: Final = 0x70
_MAC_BYTES: Final = 4
_WITH_MAC: Final = frozenset({0x15, 0x16, 0x17, 0x18})
_ENCRYPTED: Final = frozenset({0x17, 0x18})


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One packet. `address` is 0–127; `security` is the block's type and data; `said` is the check as it came."""

    address: int
    reply: bool
    sequence: int
    code: int
    data: bytes = b""
    crc: bool = True
    more: bool = False
    security: bytes | None = None
    mac: bytes | None = None
    said: int | None = None
    computed: int = 0

    @property
    def name(self) -> str | None:
        """The standard's name of the code: POLL, LSTATR, …; None when the standard has none."""
        return (REPLIES if self.reply else COMMANDS).get(self.code)

    @property
    def encrypted(self) -> bool:
        """True when `data` is encrypted under the secure channel."""
        return self.security is not None and self.security[:1] != b"" and self.security[0] in _ENCRYPTED

    @property
    def fits(self) -> bool:
        """True when the check that came is right."""
        return self.said is None or self.said == self.computed


def check_value(body: bytes, *, crc: bool) -> int:
    """The CRC or the sum of `body` (from 53 to the byte before the check)."""
    return crc_hqx(body, _CRC_START) if crc else -sum(body) & 0xFF


def encode(packet: Packet) -> bytes:
    """The bytes of `packet`, from 53; its MAC, if any, must be computed already.

    Raises ProtocolError when the packet is longer than 1440 bytes.
    """
    block = b"" if packet.security is None else bytes([len(packet.security) + 1]) + packet.security
    control = (
        packet.sequence & 3
        | (_USES_CRC if packet.crc else 0)
        | (_HAS_SCB if packet.security is not None else 0)
        | (_MORE if packet.more else 0)
    )
    body = block + bytes([packet.code]) + packet.data + (packet.mac or b"")
    size = 5 + len(body) + (2 if packet.crc else 1)
    if size > _MAX_SIZE:
        raise ProtocolError("protocols.osdp.too-long", size=size, limit=_MAX_SIZE)
    address = packet.address & 0x7F | (0x80 if packet.reply else 0)
    whole = bytes([START, address]) + size.to_bytes(2, "little") + bytes([control]) + body
    return whole + check_value(whole, crc=packet.crc).to_bytes(2 if packet.crc else 1, "little")


def measure(data: bytes, at: int) -> int:
    """How long the packet that begins at `at` is (it may end behind the data); 0 when none begins there.

    A packet whose check is wrong is one only where one must begin (after FF, or at the start) and its header is sound.
    """
    if data[at] != START:
        return 0
    begins = at == 0 or data[at - 1] == MARK
    if len(data) < at + 6:
        return 8 if begins else 0
    size = int.from_bytes(data[at + 2 : at + 4], "little")
    control = data[at + 4]
    check = 2 if control & _USES_CRC else 1
    if not 6 + check <= size <= _MAX_SIZE or control & _RESERVED:
        return 0
    code_at = at + 5 + (data[at + 5] if control & _HAS_SCB else 0)
    if code_at >= at + size - check or (control & _HAS_SCB and data[at + 5] < 2):
        return 0
    known = code_at >= len(data) or data[code_at] in (REPLIES if data[at + 1] & 0x80 else COMMANDS)
    if at + size > len(data):
        return size if begins and known else 0
    body = data[at : at + size - check]
    said = int.from_bytes(data[at + size - check : at + size], "little")
    return size if (begins and known) or check_value(body, crc=check == 2) == said else 0


def parse(raw: bytes) -> Packet:
    """The packet that `raw` is, from 53; a wrong check is kept (`Packet.fits`).

    Raises ProtocolError when `raw` is not exactly one packet.
    """
    if not raw or measure(raw, 0) != len(raw):
        raise ProtocolError("protocols.osdp.not-a-packet", size=len(raw), at=0)
    control = raw[4]
    crc = bool(control & _USES_CRC)
    body, said = raw[: -2 if crc else -1], int.from_bytes(raw[-2 if crc else -1 :], "little")
    security, start = None, 5
    if control & _HAS_SCB:
        start = 5 + raw[5]
        security = raw[6:start]
    mac_bytes = _MAC_BYTES if security and security[0] in _WITH_MAC and len(body) > start + _MAC_BYTES else 0
    return Packet(
        address=raw[1] & 0x7F,
        reply=bool(raw[1] & 0x80),
        sequence=control & 3,
        code=raw[start],
        data=body[start + 1 : len(body) - mac_bytes],
        crc=crc,
        more=bool(control & _MORE),
        security=security,
        mac=body[-mac_bytes:] if mac_bytes else None,
        said=said,
        computed=check_value(body, crc=crc),
    )
