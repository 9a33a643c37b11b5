"""Late data have a reason that was heard, or the run has failed."""

from __future__ import annotations

from liandong.lab.late import AGAIN, NOT_HEARD, OVERTAKEN, UNEXPLAINED, Late, explain

FIRST, SECOND = ("meter-1", "energy-total", 1.0), ("meter-1", "energy-total", 2.0)
LATE = Late(key=FIRST, before=SECOND, at_ms=1000, committed_ms=5000)


def reasons(sendings: dict[tuple[object, ...], list[tuple[int, str]]], *, unheard: bool = False) -> list[str]:
    return list(explain([LATE], sendings, lambda from_ms, to_ms: unheard))


def test_what_was_said_twice_may_come_late() -> None:
    assert reasons({FIRST: [(1, "a"), (9, "a")], SECOND: [(2, "b")]}) == [AGAIN]


def test_what_was_said_first_after_its_successor_was_lost_on_its_way_before() -> None:
    assert reasons({FIRST: [(9, "a")], SECOND: [(2, "b")]}) == [OVERTAKEN]


def test_what_was_said_once_and_in_order_must_be_stored_in_order() -> None:
    assert reasons({FIRST: [(1, "a")], SECOND: [(2, "b")]}) == [UNEXPLAINED]
    assert reasons({SECOND: [(2, "b")]}) == [UNEXPLAINED]


def test_what_nobody_could_hear_is_not_blamed_on_the_cloud() -> None:
    assert reasons({SECOND: [(2, "b")]}, unheard=True) == [NOT_HEARD]
