"""Columns of numbers as bytes that compress well: deltas, zigzag, and one plane per byte of their width."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import Final, Literal

Kind = Literal["b", "i", "0", "1", "2", "3", "4", "f", "d", "j"]
"""Bool, int64, float with 0 … 4 decimals, float32, float64, or JSON for everything else."""

_DECIMALS: Final[tuple[Kind, ...]] = ("0", "1", "2", "3", "4")
_WORD: Final = 1 << 64
_HALF: Final = 1 << 63
_EXACT: Final = 1 << 53
_SWAP: Final = sys.byteorder == "big"


def planes(values: Sequence[int]) -> tuple[bytes, int]:
    """`values` (signed 64 bits) zigzag, all lowest bytes first, then the next higher; and how many planes these are."""
    words = array("Q", [-2 * value - 1 if value < 0 else 2 * value for value in values])
    width = (max(words, default=0).bit_length() + 7) // 8
    if _SWAP:
        words.byteswap()
    raw = words.tobytes()
    return b"".join(raw[plane::8] for plane in range(width)), width


def from_planes(raw: bytes, count: int, width: int) -> list[int]:
    """What `planes` was given. Raises ValueError when `raw` has another length than it says."""
    if len(raw) != count * width or not 0 <= width <= 8:
        raise ValueError("planes")
    spread = bytearray(8 * count)
    for plane in range(width):
        spread[plane::8] = raw[plane * count : (plane + 1) * count]
    words = array("Q")
    words.frombytes(bytes(spread))
    if _SWAP:
        words.byteswap()
    return [(word >> 1) ^ -(word & 1) for word in words]


def difference(value: int, before: int) -> int:
    """`value` - `before` within signed 64 bits; `total` undoes it."""
    return (value - before + _HALF) % _WORD - _HALF


def total(before: int, step: int) -> int:
    """`before` + `step` within signed 64 bits."""
    return (before + step + _HALF) % _WORD - _HALF


def whole(values: Sequence[object]) -> tuple[Kind, list[int]]:
    """The shortest of the kinds in which every value comes back exactly, and the whole numbers that stand for them."""
    types = {type(value) for value in values}
    if types == {float}:
        return _floats([value for value in values if isinstance(value, float)])
    numbers = [value for value in values if isinstance(value, int)]
    if types == {bool}:
        return "b", [int(value) for value in numbers]
    if types == {int} and all(-_HALF <= value < _HALF for value in numbers):
        return "i", numbers
    return "j", []


def values(kind: Kind, numbers: Sequence[int]) -> list[float] | list[int] | list[bool]:
    """What `whole` was given. Raises ValueError for numbers that no value has."""
    if kind == "b":
        return [bool(number) for number in numbers]
    if kind == "i":
        return list(numbers)
    if kind in _DECIMALS:
        scale = 10 ** int(kind)
        return [number / scale for number in numbers]
    code, limit = ("i", 1 << 31) if kind == "f" else ("q", _HALF)
    try:
        bits = array(code, [number if number >= 0 else -limit - number - 1 for number in numbers])
    except OverflowError as error:
        raise ValueError("float") from error
    found = array(kind)
    found.frombytes(bits.tobytes())
    return found.tolist()


def _floats(numbers: list[float]) -> tuple[Kind, list[int]]:
    exact = array("d", numbers).tobytes()
    for kind in _DECIMALS:
        scaled = _scaled(numbers, 10 ** int(kind))
        if scaled is not None and array("d", values(kind, scaled)).tobytes() == exact:
            return kind, scaled
    single = array("f", numbers)
    if array("d", single).tobytes() == exact:
        return "f", _ordered(single.tobytes(), "i", 1 << 31)
    return "d", _ordered(exact, "q", _HALF)


def _scaled(numbers: list[float], scale: int) -> list[int] | None:
    scaled: list[int] = []
    for number in numbers:
        product = number * scale
        if not -_EXACT < product < _EXACT:
            return None
        nearest = round(product)
        if nearest / scale != number:
            return None
        scaled.append(nearest)
    return scaled


def _ordered(raw: bytes, code: str, limit: int) -> list[int]:
    """IEEE 754 bits as whole numbers in the order of the values, so that neighbours have small differences."""
    bits = array(code)
    bits.frombytes(raw)
    return [number if number >= 0 else -(number + limit) - 1 for number in bits]
