"""The frames that a reader of meters and a meter send (DL/T 645-2007 and -1997, clause 7)."""

from __future__ import annotations

from protocols.dlt645.frame import BROADCAST_READ, Edition, Frame

_READ = {"1997": 0x01, "2007": 0x11}
_MORE = {"1997": 0x02, "2007": 0x12}
_REPLY = 0x80
_REFUSED = 0x40
_READ_ADDRESS = 0x13


def _identifier(identifier: int, edition: Edition) -> bytes:
    return identifier.to_bytes(2 if edition == "1997" else 4, "little")


def read_request(address: str, identifier: int, edition: Edition = "2007") -> Frame:
    """Asks the meter `address` (twelve digits) for `identifier`, as written in the standard (0x00010000, 0x9010)."""
    return Frame(address=address, control=_READ[edition], data=_identifier(identifier, edition))


def read_reply(
    address: str, identifier: int, payload: bytes, edition: Edition = "2007", *, more: bool = False
) -> Frame:
    """The answer with `payload` (low byte first, without 33H); `more` says that follow-up data wait."""
    control = _READ[edition] | _REPLY | (0x20 if more else 0)
    return Frame(address=address, control=control, data=_identifier(identifier, edition) + payload)


def more_request(address: str, identifier: int, sequence: int, edition: Edition = "2007") -> Frame:
    """Asks for the follow-up data number `sequence` (from 1) of `identifier`; the edition of 1997 has no number."""
    number = b"" if edition == "1997" else bytes([sequence])
    return Frame(address=address, control=_MORE[edition], data=_identifier(identifier, edition) + number)


def more_reply(
    address: str, identifier: int, payload: bytes, sequence: int, edition: Edition = "2007", *, more: bool = False
) -> Frame:
    """The follow-up data number `sequence`; `more` says that still more waits."""
    control = _MORE[edition] | _REPLY | (0x20 if more else 0)
    number = b"" if edition == "1997" else bytes([sequence])
    return Frame(address=address, control=control, data=_identifier(identifier, edition) + payload + number)


def refusal(address: str, reason: int, edition: Edition = "2007") -> Frame:
    """The error reply to a read: `reason` is the error byte (bit 1: no such data)."""
    return Frame(address=address, control=_READ[edition] | _REPLY | _REFUSED, data=bytes([reason]))


def address_request() -> Frame:
    """Asks the only meter on the line for its address (2007, 7.3)."""
    return Frame(address=BROADCAST_READ, control=_READ_ADDRESS)


def address_reply(address: str) -> Frame:
    """A meter says its `address`."""
    return Frame(address=address, control=_READ_ADDRESS | _REPLY, data=bytes.fromhex(address)[::-1])
