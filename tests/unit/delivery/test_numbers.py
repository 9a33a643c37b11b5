from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.delivery import NumberSet
from protocols.delivery.numbers import MAX_NUMBER
from protocols.errors import ProtocolError

RANGES = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 6)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=8
)
SETS = RANGES.map(NumberSet)


def plain(numbers: NumberSet) -> set[int]:
    return {number for first, last in numbers.ranges for number in range(first, last + 1)}


def test_text_is_that_of_postgresql() -> None:
    """``select int8multirange(int8range(1,6), int8range(8,9))`` writes {[1,6),[8,9)}."""
    assert str(NumberSet([(8, 8), (1, 5)])) == "{[1,6),[8,9)}"
    assert str(NumberSet()) == "{}"
    assert str(NumberSet([(1, 2), (3, 4)])) == "{[1,5)}"
    assert NumberSet.parse("{[1,6),[8,9)}").ranges == ((1, 5), (8, 8))
    assert NumberSet.parse("{}") == NumberSet()
    assert NumberSet.parse(str(NumberSet([(1, MAX_NUMBER)]))).ranges == ((1, MAX_NUMBER),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,2)",
        "{[1,2]}",
        "{[1,1)}",
        "{[2,1)}",
        "{[0,2)}",
        "{[1,)}",
        "{[-1,2)}",
        "{[1,3),[3,4)}",
        "{[1,5),[2,9)}",
        "{[8,9),[1,2)}",
        "{[1,9223372036854775808)}",
        "{[1,99999999999999999999)}",
        "{[1,2),}",
        "{[1,2)}\n",
        "{[١,٢)}",
    ],
)
def test_no_set(text: str) -> None:
    with pytest.raises(ProtocolError):
        NumberSet.parse(text)


@pytest.mark.parametrize("bad", [(0, 1), (2, 1), (1, MAX_NUMBER + 1)])
def test_range_that_cannot_be(bad: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=str(bad[0])):
        NumberSet([bad])


@given(RANGES)
def test_union_of_ranges(ranges: list[tuple[int, int]]) -> None:
    made = NumberSet(ranges)
    expected = {number for first, last in ranges for number in range(first, last + 1)}
    assert plain(made) == expected
    assert len(made) == len(expected)
    assert bool(made) == bool(expected)
    assert all(before[1] + 1 < after[0] for before, after in zip(made.ranges, made.ranges[1:], strict=False))
    assert NumberSet.parse(str(made)) == made
    assert hash(NumberSet.parse(str(made))) == hash(made)


@given(SETS, SETS)
def test_algebra(one: NumberSet, other: NumberSet) -> None:
    assert plain(one | other) == plain(one) | plain(other)
    assert plain(one - other) == plain(one) - plain(other)
    assert plain(one & other) == plain(one) & plain(other)
    assert NumberSet((one - other).ranges) == one - other


@given(SETS, st.integers(1, 45), st.integers(0, 6))
def test_questions(numbers: NumberSet, first: int, more: int) -> None:
    asked = set(range(first, first + more + 1))
    last = first + more
    assert numbers.contains(first, last) == (asked <= plain(numbers))
    assert numbers.contains(first) == (first in plain(numbers))
    assert numbers.overlaps(first, last) == bool(asked & plain(numbers))
    assert plain(numbers.missing(first, last)) == asked - plain(numbers)
    assert plain(numbers.add(first, last)) == asked | plain(numbers)


@given(SETS, st.integers(1, 3))
def test_split(numbers: NumberSet, size: int) -> None:
    parts = list(numbers.split(size))
    assert parts
    assert all(len(part.ranges) <= size for part in parts)
    assert NumberSet(pair for part in parts for pair in part.ranges) == numbers


@given(st.text(alphabet="{}[(),)0123456789 ", max_size=30))
def test_garbage_raises_nothing_but_protocol_error(text: str) -> None:
    with suppress(ProtocolError):
        assert str(NumberSet.parse(text)) == text or "0" in text
