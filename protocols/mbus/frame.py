"""Frames of the M-Bus link layer (EN 13757-2, format class FT 1.2).

``E5``; ``10 C A CS 16``; ``68 L L 68 C A CI data… CS 16`` with L bytes from C on. CS is their sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from protocols.errors import ProtocolError

ACKNOWLEDGE: Final = 0xE5
SHORT: Final = 0x10
LONG: Final = 0x68
END: Final = 0x16

Form = Literal["acknowledge", "short", "long"]

_SHORT_SIZE: Final = 5
_LONG_EXTRA: Final = 6
_LEAST: Final = 3
"""A long frame holds C, A and CI at least."""
_BEGINNINGS: Final = frozenset({ACKNOWLEDGE, SHORT, LONG})
_BEFORE: Final = frozenset({ACKNOWLEDGE, END})


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame. `said` is the check sum as it came; control, address and ci are None where a form has none."""

    form: Form
    control: int | None = None
    address: int | None = None
    ci: int | None = None
    data: bytes = b""
    said: int = 0
    computed: int = 0


def measure(data: bytes, at: int) -> int:
    """How long the frame that begins at `at` is (it may end behind the data); 0 when none begins there."""
    begin = data[at]
    if begin == ACKNOWLEDGE:
        return int(_stands_alone(data, at))
    if begin == SHORT:
        size = _SHORT_SIZE
    elif begin == LONG:
        head = data[at : at + 4]
        if (len(head) > 2 and head[1] != head[2]) or (len(head) > 3 and head[3] != LONG):
            return 0
        if len(head) < 4:
            return _LONG_EXTRA + _LEAST if at + len(head) == len(data) and len(head) > 1 else 0
        size = head[1] + _LONG_EXTRA
        if head[1] < _LEAST:
            return 0
    else:
        return 0
    if at + size <= len(data):
        return size if data[at + size - 1] == END else 0
    return size if begin == LONG else 0


def _stands_alone(data: bytes, at: int) -> bool:
    """A single byte is a frame between frames only; in noise it is noise."""
    before = at == 0 or data[at - 1] in _BEFORE
    after = at + 1 == len(data) or data[at + 1] in _BEGINNINGS
    return before and after


def parse(raw: bytes) -> Frame:
    """The frame that `raw` is; a wrong check sum is kept.

    Raises ProtocolError when `raw` is not exactly one frame.
    """
    if not raw or measure(raw, 0) != len(raw):
        raise ProtocolError("protocols.mbus.not-a-frame", size=len(raw), at=0)
    if raw[0] == ACKNOWLEDGE:
        return Frame(form="acknowledge")
    body = raw[1:-2] if raw[0] == SHORT else raw[4:-2]
    computed = sum(body) & 0xFF
    if raw[0] == SHORT:
        return Frame(form="short", control=body[0], address=body[1], said=raw[-2], computed=computed)
    return Frame(
        form="long",
        control=body[0],
        address=body[1],
        ci=body[2],
        data=bytes(body[3:]),
        said=raw[-2],
        computed=computed,
    )
