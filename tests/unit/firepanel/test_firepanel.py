"""The sample of the fire panel's driver, frames out of a broken line, and what is told of the panel itself."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.firepanel import FAMILY
from edge.drivers.firepanel.config import FireDevice
from edge.drivers.firepanel.meaning import Meaning, PanelMemory
from protocols.errors import ConfigError
from protocols.events import Event, Reading
from protocols.gb26875 import SEND, Frame, Inbox, decode_gb26875, encode

PANEL = FireDevice(id="panel", type="fire-panel")


def sample() -> dict[str, Any]:
    document = tomllib.loads((files("edge.drivers.firepanel") / "sample.toml").read_text("utf-8"))
    (table,) = document["driver"]
    assert isinstance(table, dict)
    return table


def test_the_sample_makes_a_driver_and_shows_every_key() -> None:
    table = sample()
    driver = FAMILY.make(FAMILY.config.model_validate(table))
    assert [d.id for d in driver.devices] == ["fire-panel-1", "fire-3-502"]
    assert set(FAMILY.config.model_fields) == set(table)
    assert {key for device in table["device"] for key in device} == set(FireDevice.model_fields)


@pytest.mark.parametrize(
    ("device", "change", "code"),
    [
        (0, {"type": "door"}, "type"),
        (0, {"component": 3}, "place"),
        (1, {"panel": ""}, "place"),
        (1, {"panel": "nobody"}, "component"),
        (1, {"id": "b", "type": "fire-panel", "panel": "", "system": None, "component": None}, None),
    ],
)
def test_each_fault_has_its_sentence(device: int, change: dict[str, Any], code: str | None) -> None:
    table = sample()
    table["device"][device] |= change
    if code is None:
        table["device"][1]["source"] = table["device"][0]["source"]
        code = "source-twice"
    with pytest.raises(ConfigError) as wrong:
        FAMILY.config.model_validate(table)
    assert wrong.value.code == f"edge.driver.gb26875.{code}"
    assert not str(wrong.value).startswith("edge."), "the catalogue has a sentence for it"


def told(data: str) -> dict[str, Any]:
    frame = decode_gb26875(encode(Frame(sequence=1, command=SEND, time=bytes(6), data=bytes.fromhex(data))))
    one = frame["frames"][0]
    assert isinstance(one, dict)
    return one


def states(observations: list[Any]) -> set[str]:
    return {one.metric for one in observations if isinstance(one, Reading) and one.value is True}


def test_the_panel_is_what_any_of_its_parts_is() -> None:
    meaning, memory = Meaning(PANEL, [PANEL]), PanelMemory()
    time = "00" * 6
    assert states(meaning.observations(told(f"01010101 0101 {time}"), memory, 0)) == {"mains-lost"}
    assert states(meaning.observations(told(f"01010102 0300 {time}"), memory, 0)) == {"fire", "mains-lost"}
    assert states(meaning.observations(told(f"1501 11 {time}"), memory, 0)) == {"fire", "mains-lost", "battery-low"}
    assert states(meaning.observations(told(f"01010102 0000 {time}"), memory, 0)) == {
        "test",
        "mains-lost",
        "battery-low",
    }
    again = PanelMemory.from_json(memory.to_json())
    assert states(meaning.observations(told(f"01010101 0100 {time}"), again, 0)) == {"test", "battery-low"}


@pytest.mark.parametrize("data", ["05010101 0102", "060101010341424300", "1c01000102030405", "51010000"])
def test_information_is_kept_as_events(data: str) -> None:
    (event,) = Meaning(PANEL, [PANEL]).observations(told(data), PanelMemory(), 7)
    assert isinstance(event, Event)
    assert (event.device, event.kind, event.at_ms) == ("panel", "fire.information", 7)


@given(st.lists(st.binary(max_size=40), max_size=6), st.binary(max_size=60), st.integers(0, 60))
def test_no_frame_is_lost_behind_a_broken_one(noise: list[bytes], data: bytes, cut: int) -> None:
    """However the bytes are cut into pieces and whatever stands before them."""
    whole = encode(Frame(sequence=7, command=SEND, time=bytes(6), data=data))
    before = b"".join(noise).replace(b"@", b"") + whole[:cut].replace(b"##", b"")
    inbox, found = Inbox(), list[bytes]()
    for at in range(0, len(before + whole), 7):
        found += [one.raw for one in inbox.feed((before + whole)[at : at + 7])]
    assert whole in found or cut >= len(whole)


@given(st.binary(max_size=300))
def test_whatever_a_sound_report_holds(data: bytes) -> None:
    raw = encode(Frame(sequence=1, command=SEND, time=bytes(6), data=data))
    document = decode_gb26875(raw)
    if document["ok"]:
        for one in Meaning(PANEL, [PANEL]).observations(document["frames"][0], PanelMemory(), 0):
            assert one.device == "panel"
