"""The order in which units are asked: a script in seconds."""

from __future__ import annotations

import pytest

from edge.drivers.schedule import Turn, answered, choose, failed, spread


def turn(unit: int = 1, interval_s: float = 10.0, due_s: float = 0.0, failures: int = 0) -> Turn:
    return Turn(unit=unit, interval_s=interval_s, due_s=due_s, failures=failures)


def test_a_living_unit_keeps_its_period_whatever_an_answer_takes() -> None:
    after = answered(turn(due_s=100), 100.4)
    assert after.due_s == 110


def test_those_of_one_period_are_spread_by_their_first_turns() -> None:
    first, second = turn(unit=1, due_s=100), turn(unit=2, due_s=100)
    assert answered(spread(first, 100, 100.0), 101.6).due_s == 110
    second = answered(spread(second, 100, 101.6), 103.2)
    assert second.due_s == pytest.approx(111.6)
    assert spread(second, 100, 115.0).due_s == pytest.approx(111.6), "only the first turn"


def test_missed_turns_are_not_made_up_for() -> None:
    assert answered(turn(due_s=100), 135).due_s == 145


def test_one_failure_is_tried_again_soon_the_second_is_reported() -> None:
    once = failed(turn(), 0, retry_max_s=60, chance=0.5)
    assert (once.dead, once.due_s) == (False, 2.0)
    twice = failed(once, once.due_s, retry_max_s=60, chance=0.5)
    assert twice.dead
    assert twice.due_s <= 2 * 10 + 2, "reported within two periods"


def test_a_dead_unit_is_asked_ever_more_seldom_up_to_the_limit() -> None:
    pauses = []
    now, state = 0.0, turn()
    for _ in range(8):
        state = failed(state, now, retry_max_s=60, chance=0.5)
        pauses.append(state.due_s - now)
        now = state.due_s
    assert pauses == pytest.approx([2, 10, 20, 40, 60, 60, 60, 60])


def test_chance_spreads_the_attempts() -> None:
    dead = turn(failures=5)
    assert failed(dead, 0, retry_max_s=60, chance=0).due_s == pytest.approx(48)
    assert failed(dead, 0, retry_max_s=60, chance=1).due_s == pytest.approx(72)


def test_a_slow_unit_is_not_asked_more_often_because_it_is_dead() -> None:
    assert failed(turn(interval_s=3600, failures=4), 0, retry_max_s=60, chance=0.5).due_s == 3600


def test_an_answer_ends_the_penalty() -> None:
    back = answered(turn(failures=6, due_s=50), 50.3)
    assert (back.failures, back.due_s) == (0, 60.3)


def test_the_living_go_first() -> None:
    dead, living = turn(unit=1, due_s=1, failures=3), turn(unit=2, due_s=5)
    assert choose([dead, living], 6) == (living, 0.0)
    assert choose([dead, living], 2) == (dead, 0.0)
    assert choose([dead, living], 0.5) == (None, 0.5)
