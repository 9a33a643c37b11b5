"""Sets of message numbers as ranges, in the text form of PostgreSQL's int8multirange: ``{[1,6),[8,9)}``."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from protocols.errors import ProtocolError

MAX_NUMBER: Final = (1 << 63) - 2
"""The highest number: its range must still have an end in a bigint."""
_TEXT: Final = re.compile(r"\{(?:\[\d{1,19},\d{1,19}\)(?:,\[\d{1,19},\d{1,19}\))*)?\}")
_RANGE: Final = re.compile(r"(\d+),(\d+)")


class NumberSet:
    """An immutable set of whole numbers from 1 on, kept as ranges that neither touch nor overlap, in rising order.

    All operations are linear in the number of ranges (one, as long as nothing was lost), never in the numbers.
    """

    __slots__ = ("_ranges",)

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """The union of `ranges`, each (first, last), both inside. Raises ValueError outside of 1 … MAX_NUMBER."""
        merged: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if not 1 <= first <= last <= MAX_NUMBER:
                raise ValueError((first, last))
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        self._ranges = tuple(merged)

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """(first, last) of each range, both ends inside."""
        return self._ranges

    def add(self, first: int, last: int) -> NumberSet:
        """This set with `first` … `last`."""
        return NumberSet((*self._ranges, (first, last)))

    def contains(self, first: int, last: int | None = None) -> bool:
        """Whether all of `first` … `last` (or `first` alone) is inside."""
        index = bisect_right(self._ranges, first, key=lambda pair: pair[0]) - 1
        return index >= 0 and self._ranges[index][1] >= (first if last is None else last)

    def overlaps(self, first: int, last: int) -> bool:
        """Whether any of `first` … `last` is inside."""
        index = bisect_right(self._ranges, last, key=lambda pair: pair[0]) - 1
        return index >= 0 and self._ranges[index][1] >= first

    def missing(self, first: int, last: int) -> NumberSet:
        """What of `first` … `last` is not inside."""
        return NumberSet([(first, last)]) - self

    def split(self, size: int) -> Iterator[NumberSet]:
        """This set in parts of at most `size` ranges, in rising order; one empty part for the empty set."""
        for start in range(0, len(self._ranges) or 1, size):
            yield self._of(self._ranges[start : start + size])

    def __or__(self, other: NumberSet) -> NumberSet:
        return NumberSet((*self._ranges, *other._ranges))

    def __and__(self, other: NumberSet) -> NumberSet:
        return self - (self - other)

    def __sub__(self, other: NumberSet) -> NumberSet:
        left: list[tuple[int, int]] = []
        cuts = other._ranges
        start = 0
        for first, last in self._ranges:
            while start < len(cuts) and cuts[start][1] < first:
                start += 1
            at = first
            for cut_first, cut_last in cuts[start:]:
                if cut_first > last:
                    break
                if at < cut_first:
                    left.append((at, cut_first - 1))
                at = cut_last + 1
            if at <= last:
                left.append((at, last))
        return self._of(tuple(left))

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self._ranges)

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumberSet) and self._ranges == other._ranges

    def __hash__(self) -> int:
        return hash(self._ranges)

    def __repr__(self) -> str:
        return f"NumberSet({self!s})"

    def __str__(self) -> str:
        return "{" + ",".join(f"[{first},{last + 1})" for first, last in self._ranges) + "}"

    @classmethod
    def _of(cls, ranges: tuple[tuple[int, int], ...]) -> NumberSet:
        made = cls()
        made._ranges = ranges
        return made

    @classmethod
    def parse(cls, text: str) -> NumberSet:
        """The set that the canonical int8multirange `text` says. Raises ProtocolError for anything else."""
        if not _TEXT.fullmatch(text) or not text.isascii():
            raise ProtocolError("protocols.delivery.bad-number-set", text=text[:200])
        ranges = [(int(low), int(end) - 1) for low, end in _RANGE.findall(text)]
        ordered = all(after[0] > before[1] + 1 for before, after in pairwise(ranges))
        if not ordered or any(not 1 <= first <= last <= MAX_NUMBER for first, last in ranges):
            raise ProtocolError("protocols.delivery.bad-number-set", text=text[:200])
        return cls._of(tuple(ranges))
