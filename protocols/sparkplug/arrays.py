"""Array values as packed bytes (Sparkplug 3.0.0, chapter 6, "Array Types").

Numbers are little-endian, one after the other; DateTime is 8 bytes of milliseconds since 1970-01-01 UTC; texts end with
a zero byte each; booleans are bits, the first one the highest of its byte, after their number as a 4-byte integer. The
examples of the specification write -23 as EF, floats big-endian and DateTimes in 6 bytes; its text does not, and it is
the text that counts.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from protocols.sparkplug.datatype import DataType, Scalar

_NUMBERS: Final = {
    DataType.INT8_ARRAY: "b",
    DataType.INT16_ARRAY: "h",
    DataType.INT32_ARRAY: "i",
    DataType.INT64_ARRAY: "q",
    DataType.UINT8_ARRAY: "B",
    DataType.UINT16_ARRAY: "H",
    DataType.UINT32_ARRAY: "I",
    DataType.UINT64_ARRAY: "Q",
    DataType.FLOAT_ARRAY: "f",
    DataType.DOUBLE_ARRAY: "d",
    DataType.DATETIME_ARRAY: "Q",
}
ARRAYS: Final = frozenset((*_NUMBERS, DataType.BOOLEAN_ARRAY, DataType.STRING_ARRAY))
"""The array types."""
_COUNT: Final = struct.Struct("<I")


def pack(values: Sequence[Scalar], datatype: DataType) -> bytes:
    """The bytes of `values`. Raises ValueError for one that the type cannot hold."""
    if datatype is DataType.BOOLEAN_ARRAY:
        return _pack_booleans(values)
    if datatype is DataType.STRING_ARRAY:
        return b"".join(_text(value) for value in values)
    code = _NUMBERS[datatype]
    if any(isinstance(value, bool) or (code not in "fd" and isinstance(value, float)) for value in values):
        raise ValueError(values)
    try:
        return struct.pack(f"<{len(values)}{code}", *values)
    except (struct.error, OverflowError) as error:
        raise ValueError(str(error)) from error


def unpack(data: bytes, datatype: DataType) -> tuple[Scalar, ...]:
    """The values that `data` holds. Raises ValueError for bytes that are no such array."""
    if datatype is DataType.BOOLEAN_ARRAY:
        return _unpack_booleans(data)
    if datatype is DataType.STRING_ARRAY:
        return _unpack_texts(data)
    code = _NUMBERS[datatype]
    size = struct.calcsize(f"<{code}")
    if len(data) % size:
        raise ValueError(f"{len(data)} bytes, not a multiple of {size}")
    return struct.unpack(f"<{len(data) // size}{code}", data)


def _pack_booleans(values: Sequence[Scalar]) -> bytes:
    bits = bytearray((len(values) + 7) // 8)
    for index, value in enumerate(values):
        if not isinstance(value, bool):
            raise ValueError(value)
        bits[index // 8] |= value << (7 - index % 8)
    return _COUNT.pack(len(values)) + bits


def _unpack_booleans(data: bytes) -> tuple[bool, ...]:
    if len(data) < _COUNT.size:
        raise ValueError(f"{len(data)} bytes")
    (count,) = _COUNT.unpack_from(data)
    bits = data[_COUNT.size :]
    if len(bits) != (count + 7) // 8:
        raise ValueError(f"{count} booleans in {len(bits)} bytes")
    return tuple(bool(bits[index // 8] >> (7 - index % 8) & 1) for index in range(count))


def _text(value: Scalar) -> bytes:
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError(value)
    return value.encode("utf-8") + b"\x00"


def _unpack_texts(data: bytes) -> tuple[str, ...]:
    """Also without the zero byte after the last one."""
    whole = data if not data or data.endswith(b"\x00") else data + b"\x00"
    ends = [-1, *(index for index, byte in enumerate(whole) if not byte)]
    return tuple(whole[begin + 1 : end].decode("utf-8") for begin, end in pairwise(ends))
