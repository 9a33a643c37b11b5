"""QR codes (ISO/IEC 18004:2015): bytes, versions 1 to 10, error correction level M.

A code is a square of modules; True is dark. Level M stands 15 % of damage, which a label in a meter cabinet needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from protocols.errors import ProtocolError

Matrix = list[list[bool]]

_BLOCKS: Final = (
    (10, (16,)),
    (16, (28,)),
    (26, (44,)),
    (18, (32, 32)),
    (24, (43, 43)),
    (16, (27, 27, 27, 27)),
    (18, (31, 31, 31, 31)),
    (22, (38, 38, 39, 39)),
    (22, (36, 36, 36, 37, 37)),
    (26, (43, 43, 43, 43, 44)),
)
"""Per version: error correction codewords of a block, and the data codewords of each block (table 9, level M)."""
_ALIGNED: Final[tuple[tuple[int, ...], ...]] = (
    *((), (6, 18), (6, 22), (6, 26), (6, 30)),
    *((6, 34), (6, 22, 38), (6, 24, 42), (6, 26, 46), (6, 28, 50)),
)
"""Centres of the alignment patterns (annex E)."""
_BYTES: Final = 0b0100
_LEVEL_M: Final = 0b00
_FORMAT_POLYNOMIAL, _FORMAT_MASK = 0x537, 0x5412
_VERSION_POLYNOMIAL: Final = 0x1F25
_FIELD_POLYNOMIAL: Final = 0x11D
_LONG_COUNT: Final = 10  # from this version on the count of bytes has 16 bits
_TOLD_VERSION: Final = 7  # from this version on the code says its version

_MASKS: Final[tuple[Callable[[int, int], bool], ...]] = (
    lambda y, x: (y + x) % 2 == 0,
    lambda y, x: y % 2 == 0,
    lambda y, x: x % 3 == 0,
    lambda y, x: (y + x) % 3 == 0,
    lambda y, x: (y // 2 + x // 3) % 2 == 0,
    lambda y, x: y * x % 2 + y * x % 3 == 0,
    lambda y, x: (y * x % 2 + y * x % 3) % 2 == 0,
    lambda y, x: ((y + x) % 2 + y * x % 3) % 2 == 0,
)
_FINDER_LIKE: Final = (
    (True, False, True, True, True, False, True, False, False, False, False),
    (False, False, False, False, True, False, True, True, True, False, True),
)


def encode(text: str, mask: int | None = None) -> Matrix:
    """The code of `text` (UTF-8), with the mask that reads best unless one is given.

    Raises ProtocolError when it does not fit version 10 (213 bytes).
    """
    data = text.encode()
    version = _version(len(data))
    words = _interleaved(version, _codewords(version, data))
    masks = range(len(_MASKS)) if mask is None else (mask,)
    return min((_drawn(version, words, one) for one in masks), key=penalty)


def _version(size: int) -> int:
    for version, (_, blocks) in enumerate(_BLOCKS, 1):
        if 4 + _count_bits(version) + 8 * size <= 8 * sum(blocks):
            return version
    raise ProtocolError("edge.page.qr-too-long", size=size)


def _count_bits(version: int) -> int:
    return 16 if version >= _LONG_COUNT else 8


def _codewords(version: int, data: bytes) -> list[int]:
    """Mode, count, the bytes, a terminator, and padding (7.4)."""
    room = sum(_BLOCKS[version - 1][1])
    bits = f"{_BYTES:04b}{len(data):0{_count_bits(version)}b}" + "".join(f"{byte:08b}" for byte in data)
    bits += "0" * min(4, 8 * room - len(bits))
    bits += "0" * (-len(bits) % 8)
    words = [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
    return words + [0xEC if number % 2 == 0 else 0x11 for number in range(room - len(words))]


def _interleaved(version: int, words: Sequence[int]) -> list[int]:
    """One word of each block in turn, and then the same with the words for correction (7.6)."""
    size, blocks = _BLOCKS[version - 1]
    parts, at = [], 0
    for count in blocks:
        parts.append(list(words[at : at + count]))
        at += count
    checks = [_correction(part, size) for part in parts]
    longest = max(blocks)
    mixed = [part[n] for n in range(longest) for part in parts if n < len(part)]
    return mixed + [check[n] for n in range(size) for check in checks]


def _times(a: int, b: int) -> int:
    """The product in the field of 256 elements."""
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = a << 1 ^ (_FIELD_POLYNOMIAL if a & 0x80 else 0)
        b >>= 1
    return product


def _correction(words: Sequence[int], size: int) -> list[int]:
    """The Reed-Solomon remainder (7.5.2)."""
    generator, root = [1], 1
    for _ in range(size):
        generator = [a ^ _times(b, root) for a, b in zip([*generator, 0], [0, *generator], strict=True)]
        root = _times(root, 2)
    rest = [0] * size
    for word in words:
        factor = word ^ rest[0]
        rest = [r ^ _times(g, factor) for r, g in zip([*rest[1:], 0], generator[1:], strict=True)]
    return rest


def _drawn(version: int, words: Sequence[int], mask: int) -> Matrix:
    side = 17 + 4 * version
    fixed: list[list[bool | None]] = [[None] * side for _ in range(side)]
    _draw_patterns(fixed, version)
    _draw_format(fixed, mask)
    bits = (bool(word >> shift & 1) for word in words for shift in range(7, -1, -1))
    for y, x in _path(side):
        if fixed[y][x] is None:
            fixed[y][x] = next(bits, False) ^ _MASKS[mask](y, x)
    return [[bool(module) for module in row] for row in fixed]


def _path(side: int) -> Iterator[tuple[int, int]]:
    """Where the bits go: two columns at a time from the right, up and down in turn, without column 6 (7.7.3)."""
    up = True
    for right in (*range(side - 1, 6, -2), 5, 3, 1):
        for y in range(side - 1, -1, -1) if up else range(side):
            yield y, right
            yield y, right - 1
        up = not up


def _draw_patterns(fixed: list[list[bool | None]], version: int) -> None:
    side = len(fixed)
    for at in range(side):
        fixed[6][at] = fixed[at][6] = at % 2 == 0
    for top, left in ((0, 0), (0, side - 7), (side - 7, 0)):
        for y in range(max(0, top - 1), min(side, top + 8)):
            for x in range(max(0, left - 1), min(side, left + 8)):
                fixed[y][x] = max(abs(y - top - 3), abs(x - left - 3)) not in (2, 4)
    centres = _ALIGNED[version - 1]
    for y0 in centres:
        for x0 in centres:
            if (y0, x0) in ((6, 6), (6, centres[-1]), (centres[-1], 6)):
                continue
            for y in range(y0 - 2, y0 + 3):
                for x in range(x0 - 2, x0 + 3):
                    fixed[y][x] = max(abs(y - y0), abs(x - x0)) != 1
    if version >= _TOLD_VERSION:
        told = version << 12 | _remainder(version << 12, _VERSION_POLYNOMIAL, 12)
        for bit in range(18):
            y, x = bit // 3, side - 11 + bit % 3
            fixed[y][x] = fixed[x][y] = bool(told >> bit & 1)


def _draw_format(fixed: list[list[bool | None]], mask: int) -> None:
    """Level and mask, twice, and the module that is always dark (7.9)."""
    side = len(fixed)
    data = (_LEVEL_M << 3 | mask) << 10
    told = (data | _remainder(data, _FORMAT_POLYNOMIAL, 10)) ^ _FORMAT_MASK
    around = [(y, 8) for y in (0, 1, 2, 3, 4, 5, 7, 8)] + [(8, x) for x in (7, 5, 4, 3, 2, 1, 0)]
    beside = [(8, side - 1 - n) for n in range(8)] + [(side - 7 + n, 8) for n in range(7)]
    for bit in range(15):
        for y, x in (around[bit], beside[bit]):
            fixed[y][x] = bool(told >> bit & 1)
    fixed[side - 8][8] = True


def _remainder(value: int, polynomial: int, bits: int) -> int:
    """The remainder of a BCH code: `value` modulo `polynomial`, whose degree is `bits`."""
    while value.bit_length() > bits:
        value ^= polynomial << value.bit_length() - bits - 1
    return value


def penalty(matrix: Matrix) -> int:
    """How hard a code is to read; the four rules of 7.8.3.1."""
    side = len(matrix)
    lines = [*matrix, *([row[x] for row in matrix] for x in range(side))]
    blocks = sum(
        matrix[y][x] == matrix[y][x + 1] == matrix[y + 1][x] == matrix[y + 1][x + 1]
        for y in range(side - 1)
        for x in range(side - 1)
    )
    dark = sum(map(sum, matrix))
    return sum(map(_runs, lines)) + 3 * blocks + 40 * sum(map(_finders, lines)) + 10 * _uneven(dark, side * side)


def _runs(line: Sequence[bool]) -> int:
    points, run = 0, 1
    for before, module in zip(line, [*line[1:], None], strict=True):
        if module == before:
            run += 1
            continue
        points += run - 2 if run >= 5 else 0
        run = 1
    return points


def _finders(line: Sequence[bool]) -> int:
    return sum(tuple(line[at : at + 11]) in _FINDER_LIKE for at in range(len(line) - 10))


def _uneven(dark: int, all_of_them: int) -> int:
    """Each full 5 % away from half dark counts."""
    return abs(20 * dark - 10 * all_of_them) // all_of_them


def svg_path(matrix: Matrix) -> str:
    """The dark modules as the `d` of an SVG path, one unit a module: a run of a row is one stroke."""
    strokes = []
    for y, row in enumerate(matrix):
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end]:
                end += 1
            if end > x:
                strokes.append(f"M{x} {y}h{end - x}v1H{x}z")
            x = end + 1
    return "".join(strokes)
