"""Which type a device is taken for whose birth names its metrics, and nobody has said its type."""

from __future__ import annotations

import pytest

from protocols.catalog import DEVICE_TYPES, likely_type

ALIKE = {"sos-button", "button"}


@pytest.mark.parametrize("code", [code for code in DEVICE_TYPES if code not in ALIKE])
def test_every_type_is_known_by_its_metrics(code: str) -> None:
    names = [metric.name for metric in DEVICE_TYPES[code].metrics]
    assert likely_type([*names, "Event", "Output/sound", "vendor-temperature"]) == code


def test_what_two_types_have_or_none_is_for_a_person_to_say() -> None:
    (button,) = {frozenset(metric.name for metric in DEVICE_TYPES[code].metrics) for code in ALIKE}
    assert likely_type(button) == ""
    assert likely_type(["smoke"]) == ""
    assert likely_type([]) == ""
