"""How groups are shared out: each worker decides for itself, it comes to rest, evenly, and nothing is left over."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from cloud.ingest.sharing import share_out
from cloud.storage.workers import Share

MEMBERS = [UUID(int=number) for number in range(1, 6)]
DEAD = UUID(int=99)


def group(number: int, weight: int = 1, worker: UUID | None = None) -> Share:
    return Share(code=f"estate-{number}", weight=weight, worker=worker)


def turn(groups: list[Share], members: list[UUID]) -> list[Share]:
    """Every worker in turn looks, takes, gives up; how it stands then."""
    for me in members:
        plan = share_out(groups, members, me)
        assert not plan.take & plan.give
        given_up = dict.fromkeys(plan.give)
        after: dict[str, UUID | None] = dict.fromkeys(plan.take, me) | given_up
        groups = [replace(one, worker=after.get(one.code, one.worker)) for one in groups]
    return groups


def settled(groups: list[Share], members: list[UUID]) -> list[Share]:
    for _ in range(200):
        before, groups = groups, turn(groups, members)
        if groups == before:
            return groups
    raise AssertionError("it does not come to rest")


def loads(groups: list[Share], members: list[UUID]) -> list[int]:
    return [sum(one.weight for one in groups if one.worker == member) for member in members]


GROUPS = st.lists(st.tuples(st.integers(1, 300), st.sampled_from([None, DEAD, *MEMBERS])), min_size=0, max_size=40).map(
    lambda rows: [group(number, *row) for number, row in enumerate(rows)]
)


@given(GROUPS, st.integers(1, 5))
def test_it_comes_to_rest_with_every_group_at_one_worker_that_lives(groups: list[Share], count: int) -> None:
    members = MEMBERS[:count]
    after = settled(groups, members)
    assert all(one.worker in members for one in after)
    for me in members:
        for one in after:
            if one.worker == me:
                least = min(loads(after, members))
                assert least + one.weight >= loads(after, members)[members.index(me)], "moving it would help"


def test_a_worker_that_joins_gets_its_part_and_nothing_else_moves() -> None:
    before = settled([group(number) for number in range(12)], MEMBERS[:2])
    assert loads(before, MEMBERS[:2]) == [6, 6]
    after = settled(before, MEMBERS[:3])
    assert loads(after, MEMBERS[:3]) == [4, 4, 4]
    moved = [one.code for one, then in zip(before, after, strict=True) if one.worker != then.worker]
    assert len(moved) == 4


def test_what_a_dead_worker_carried_goes_to_the_others_and_theirs_stays() -> None:
    before = settled([group(number) for number in range(12)], MEMBERS[:3])
    after = settled(before, MEMBERS[1:3])
    assert loads(after, MEMBERS[1:3]) == [6, 6]
    assert all(one.worker == then.worker for one, then in zip(before, after, strict=True) if one.worker in MEMBERS[1:3])


def test_right_after_an_outage_nobody_is_taken_for_dead() -> None:
    groups = [group(1, worker=DEAD), group(2)]
    plan = share_out(groups, MEMBERS[:1], MEMBERS[0], from_dead=False)
    assert plan.take == {"estate-2"}
    assert share_out(groups, MEMBERS[:1], MEMBERS[0]).take == {"estate-1", "estate-2"}


def test_a_heavy_group_weighs_as_much_as_many_light_ones() -> None:
    groups = [group(0, weight=100), *(group(number, weight=10) for number in range(1, 11))]
    after = settled(groups, MEMBERS[:2])
    assert loads(after, MEMBERS[:2]) == [100, 100]
