"""Which kind a series is of, and that nothing coarse is forgotten before what it is made from."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloud.history.summary import HOLD_MS, STATE_HOLD_MS
from cloud.storage.kinds import Keep, Kind, kind_of, longest, retention
from protocols.sparkplug.datatype import DataType

DOUBLE, BOOLEAN = int(DataType.DOUBLE), int(DataType.BOOLEAN)


@pytest.mark.parametrize(
    ("metric", "datatype", "device_type", "wanted"),
    [
        ("temperature", DOUBLE, "cold-chain", Kind.GAUGE),
        ("energy-import", DOUBLE, "power-meter", Kind.COUNTER),
        ("energy-import", DOUBLE, None, Kind.GAUGE),
        ("contact-open", BOOLEAN, "door", Kind.STATE),
        ("something", BOOLEAN, None, Kind.STATE),
        ("battery", DOUBLE, "smoke", Kind.DIAGNOSTIC),
        ("outbox-depth", DOUBLE, None, Kind.DIAGNOSTIC),
    ],
)
def test_kinds(metric: str, datatype: int, device_type: str | None, wanted: Kind) -> None:
    assert kind_of(metric, datatype, device_type) is wanted


def test_a_state_holds_longer_than_a_measured_value() -> None:
    assert {kind: kind.hold_ms for kind in Kind} == dict.fromkeys(Kind, HOLD_MS) | {Kind.STATE: STATE_HOLD_MS}


def test_every_kind_has_its_time_and_states_are_kept_longest() -> None:
    assert set(retention()) == set(Kind)
    assert longest() == retention()[Kind.STATE]


@pytest.mark.parametrize("days", [(30, 20, 40, 50), (30, 40, 35, 50), (30, 40, 50, 45), (0, 40, 50, 60)])
def test_what_is_coarser_is_never_forgotten_first(days: tuple[int, int, int, int]) -> None:
    readings, minutes, hours, whole = (timedelta(days=number) for number in days)
    with pytest.raises(ValueError, match="Keep"):
        Keep(readings=readings, minutes=minutes, hours=hours, days=whole)
