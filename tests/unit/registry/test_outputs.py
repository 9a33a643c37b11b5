"""What pages are told of a device's outputs."""

from __future__ import annotations

from cloud.registry import outputs
from protocols.catalog import DEVICE_TYPES


def test_an_output_is_written_as_its_metric_is_read() -> None:
    told = {"temperature", "setpoint", "switched-on"}
    assert outputs.shown("thermostat", told) == [
        {"name": "setpoint", "form": "number", "metric": "setpoint", "unit": "Cel", "low": 0, "high": 60},
        {"name": "switched-on", "form": "switch", "metric": "switched-on"},
    ]


def test_what_the_device_never_told_of_it_does_not_have() -> None:
    assert [one["name"] for one in outputs.shown("relay", {"relay-2", "relay-7"})] == ["relay-2", "relay-7"]
    assert outputs.shown("smoke", {"smoke"}) == outputs.shown(None, {"smoke"}) == []


def test_each_output_of_the_catalogue_has_a_form_and_what_reads_it_back_is_a_metric() -> None:
    forms = {"tap", "switch", "number", "text"}
    for code, row in DEVICE_TYPES.items():
        shown = outputs.shown(code, {spec.name for spec in row.metrics})
        assert [one["name"] for one in shown] == list(row.outputs)
        assert {one["form"] for one in shown} <= forms
        assert all(row.metric(one["metric"]) for one in shown if "metric" in one), code
