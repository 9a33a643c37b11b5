"""The schedule of a run: the same for the same seed, every kind as often, nothing broken twice at once."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from liandong.lab import plan
from liandong.lab.faults import KINDS
from liandong.lab.scenario import names, read
from protocols.errors import ConfigError

GATEWAYS = ("gw-1", "gw-2", "gw-3")


@pytest.mark.parametrize("name", names())
def test_the_same_seed_gives_the_same_run_and_another_seed_another(name: str) -> None:
    scenario = read(name)
    first = plan.faults(scenario, GATEWAYS, 7, 300)
    assert first == plan.faults(scenario, GATEWAYS, 7, 300)
    assert first != plan.faults(scenario, GATEWAYS, 8, 300)
    steps = plan.activity(scenario, 7, 300)
    assert steps == plan.activity(scenario, 7, 300)
    assert steps != plan.activity(scenario, 8, 300)


@pytest.mark.parametrize("name", names())
def test_a_part_has_one_fault_at_a_time_and_rests_after_it(name: str) -> None:
    planned = plan.faults(read(name), GATEWAYS, 3, 900)
    for target in {one.target for one in planned}:
        mine = [one for one in planned if one.target == target]
        for before, after in pairwise(mine):
            assert after.at_s >= before.at_s + before.seconds + plan.REST_S - 0.01


@pytest.mark.parametrize("name", names())
def test_every_kind_comes_as_often_as_its_weight_says_and_ends_with_the_run(name: str) -> None:
    scenario = read(name)
    planned = plan.faults(scenario, GATEWAYS, 1, 1800)
    made = Counter(one.kind for one in planned)
    share = {table.kind: made[table.kind] / table.weight for table in scenario.fault if not table.at}
    assert min(share.values()) >= max(share.values()) - 3
    assert all(made[table.kind] == len(table.at) for table in scenario.fault if table.at)
    assert all(one.at_s + one.seconds <= 1800.01 for one in planned)
    assert set(made) <= set(KINDS)


@pytest.mark.parametrize("seed", range(1, 21))
def test_every_kind_comes_twice_in_three_minutes_of_everything(seed: int) -> None:
    scenario = read("mixed")
    made = Counter(one.kind for one in plan.faults(scenario, GATEWAYS, seed, 180))
    assert set(made) == {table.kind for table in scenario.fault}
    assert set(made.values()) == {2}
    assert sum(made.values()) >= 70


def test_what_has_its_time_comes_at_its_share_of_the_run() -> None:
    times = {one.kind: one.at_s for one in plan.faults(read("restore"), GATEWAYS, 1, 100)}
    assert [times[f"database-{what}"] for what in ("backup", "restored", "wiped")] == [15, 50, 80]


def test_an_unknown_scenario_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(ConfigError) as refused:
        read("nothing")
    assert refused.value.params["known"] == ", ".join(names())
