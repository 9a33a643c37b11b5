"""Who is asked and when, as scripts in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import isclose
from uuid import UUID

import pytest

from cloud.dispatch.geo import box, distance_m
from cloud.dispatch.ranking import Candidate, Person, rank
from cloud.dispatch.waves import Wave, next_wave
from cloud.domain.policy import Policy, builtin

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HERE = (29.975, 122.297)
A, B, C = (builtin().of(response, "x") for response in ("A", "B", "C"))


def _person(
    number: int,
    metres: float | None = 100,
    *,
    fix_age_s: float | None = None,
    skills: Sequence[str] = (),
    here: bool = True,
    offers: int = 0,
    accepted: int = 0,
) -> Person:
    where = None if metres is None else (HERE[0] + metres / 111_195, HERE[1])
    fix = None if where is None or fix_age_s is None else (*where, NOW - timedelta(seconds=fix_age_s))
    return Person(
        id=UUID(int=number),
        name={"en": str(number)},
        skills=frozenset(skills),
        fix=fix,
        post=where if fix is None else (HERE[0] + 1, HERE[1]),
        responsible_here=here,
        offers_week=offers,
        accepted_week=accepted,
    )


def _order(*people: Person, policy: Policy = A) -> list[int]:
    return [candidate.person.id.int for candidate in rank(people, HERE, policy, NOW)]


def test_distances_are_those_of_the_sphere() -> None:
    # A degree of latitude on the mean sphere (IUGG): 2 pi R / 360.
    assert isclose(distance_m(0, 0, 1, 0), 111_195.08, abs_tol=0.5)
    assert isclose(distance_m(29.975, 122.297, 29.975, 122.298), 96.3, abs_tol=0.2)
    assert distance_m(*HERE, *HERE) == 0


def test_the_nearest_comes_first_unless_a_skill_outweighs_it() -> None:
    assert _order(_person(1, 300), _person(2, 100)) == [2, 1]
    assert _order(_person(1, 140, skills=["first-aid"]), _person(2, 100)) == [1, 2]


def test_who_did_much_this_week_is_asked_later() -> None:
    assert _order(_person(1, 100, offers=6, accepted=4), _person(2, 150), policy=B) == [2, 1]


def test_fatigue_does_not_count_where_a_life_is_in_danger() -> None:
    tired, fresh = _person(1, 100, offers=20, accepted=10), _person(2, 100, offers=0)
    (a_tired, a_fresh), (b_tired, b_fresh) = (
        [next(c.score for c in rank([tired, fresh], HERE, policy, NOW) if c.person is p) for p in (tired, fresh)]
        for policy in (A, B)
    )
    assert b_tired - b_fresh == a_tired - a_fresh + 200


def test_a_fix_counts_for_ten_minutes_then_the_post_does() -> None:
    (young,) = rank([_person(1, 200, fix_age_s=599)], HERE, A, NOW)
    assert (young.why["source"], young.why["age_s"], young.why["distance_m"]) == ("fix", 599, 200)
    assert rank([_person(1, 200, fix_age_s=601)], HERE, A, NOW) == []  # the post is a degree away


def test_nobody_from_far_away_and_nobody_without_position_who_is_not_responsible_here() -> None:
    assert _order(_person(1, 1100), _person(2, None), _person(3, None, here=False), _person(4, 900, here=False)) == [
        2,
        4,
    ]


def test_reasons_are_told() -> None:
    (candidate,) = rank([_person(1, 120, skills=["first-aid", "juggling"])], HERE, A, NOW)
    codes = [reason["code"] for reason in candidate.why["reasons"]]
    assert codes == ["near-post", "responsible-here", "skill", "rested"]


class _Search:
    """A task as time passes: whom each wave asks."""

    def __init__(self, policy: Policy, *people: Person) -> None:
        self.policy, self.people = policy, list(people)
        self.waves, self.asked, self.now = 0, 0, NOW

    def wave(self, *, waiting: int = 0) -> tuple[list[int], Wave]:
        known: Sequence[Candidate] = rank(self.people, HERE, self.policy, self.now)
        wave = next_wave(
            self.policy, known, waves=self.waves, asked=self.asked, waiting=waiting, opened_at=NOW, now=self.now
        )
        self.waves, self.asked = wave.number, self.asked + len(wave.ask)
        asked = {candidate.person.id for candidate in wave.ask}
        self.people = [person for person in self.people if person.id not in asked]
        self.now = wave.next_at or self.now
        return [candidate.person.id.int for candidate in wave.ask], wave


def test_a_life_in_danger_everyone_near_then_wider_every_half_minute() -> None:
    search = _Search(A, *(_person(n, 99 * n) for n in range(1, 11)))
    assert search.wave()[0] == [1, 2, 3, 4, 5]
    assert search.wave(waiting=5)[0] == [6, 7]
    assert search.wave(waiting=7)[0] == [8, 9, 10]
    assert search.now - NOW == timedelta(seconds=90)
    asked, wave = search.wave(waiting=10)
    assert asked == []
    assert not wave.escalate  # somebody can still answer
    assert search.wave(waiting=0)[1].escalate


def test_an_empty_ring_is_not_waited_for() -> None:
    asked, wave = _Search(A, _person(1, 950)).wave()
    assert (asked, wave.radius_m) == ([1], 1000)


def test_at_most_so_many_are_asked() -> None:
    search = _Search(A, *(_person(n, 10) for n in range(1, 41)))
    assert len(search.wave()[0]) == 30
    asked, wave = search.wave(waiting=30)
    assert asked == []
    assert wave.next_at is None


def test_routine_one_at_a_time_and_three_to_check_on_somebody() -> None:
    people = [_person(n, 50 * n) for n in range(1, 6)]
    assert _Search(C, *people).wave()[0] == [1]
    search = _Search(B, *people)
    assert search.wave()[0] == [1, 2, 3]
    assert search.wave(waiting=0)[0] == [4, 5]


def test_nobody_there_at_all_is_told_at_once_and_looked_for_until_it_is_given_up() -> None:
    search = _Search(A)
    asked, wave = search.wave()
    assert asked == []
    assert wave.escalate
    waves = 1
    while wave.next_at is not None:
        _, wave = search.wave()
        waves += 1
    assert waves == A.give_up_s / A.wave_s + 1


@pytest.mark.parametrize("lat", [0.0, 29.97, -33.9, 59.3])
def test_the_box_holds_everything_within_the_radius(lat: float) -> None:
    south, north, west, east = box(lat, 122.3, 1000)
    for edge in (distance_m(lat, 122.3, south, 122.3), distance_m(lat, 122.3, north, 122.3)):
        assert 1000 < edge < 1050
    for edge in (distance_m(lat, 122.3, lat, west), distance_m(lat, 122.3, lat, east)):
        assert 1000 < edge < 1050
