"""A device keeps its place when somebody renames it in zigbee2mqtt."""

from __future__ import annotations

from edge.drivers.zigbee2mqtt.config import ZigbeeDevice
from edge.drivers.zigbee2mqtt.names import Names
from protocols.zigbee import Row

HALL = ZigbeeDevice(id="smoke-1", type="smoke", topic="hall")
CELLAR = ZigbeeDevice(id="leak-1", type="water-leak", topic="0x00158d0000000002")


def row(name: str, number: int) -> Row:
    return Row(name=name, address=f"0x00158d000000000{number}")


def test_before_there_is_a_list_the_configuration_counts() -> None:
    names = Names([HALL, CELLAR], {})
    assert names.of("hall") is HALL
    assert names.of("kitchen") is None
    assert (names.now(HALL), names.missing(HALL), names.is_device("kitchen")) == ("hall", False, True)


def test_the_address_may_stand_for_the_name() -> None:
    names = Names([HALL, CELLAR], {})
    assert names.listed([row("hall", 1), row("cellar", 2)]) == [(CELLAR, "cellar")]
    assert names.of("cellar") is CELLAR
    assert names.now(CELLAR) == "cellar"


def test_a_renamed_device_is_known_by_its_address_also_after_a_restart() -> None:
    kept: dict[str, str] = {}
    names = Names([HALL], kept)
    assert names.listed([row("hall", 1)]) == []
    assert names.listed([row("corridor", 1)]) == [(HALL, "corridor")]
    assert names.of("corridor") is HALL
    again = Names([HALL], kept)
    again.listed([row("corridor", 1), row("kitchen", 3)])
    assert (again.of("corridor"), again.now(HALL), again.of("kitchen")) == (HALL, "corridor", None)
    assert again.listed([row("hall", 1)]) == [(HALL, "hall")]


def test_the_name_counts_before_the_address() -> None:
    kept: dict[str, str] = {}
    names = Names([HALL], kept)
    names.listed([row("hall", 1)])
    names.listed([row("hall", 9), row("old", 1)])
    assert (names.of("hall"), names.of("old"), kept) == (HALL, None, {"hall": "0x00158d0000000009"})


def test_who_is_not_listed_is_missing_and_what_is_not_listed_is_no_device() -> None:
    names = Names([HALL], {})
    names.listed([row("kitchen", 3)])
    assert names.missing(HALL)
    assert names.row(HALL) is None
    assert not names.is_device("all-lamps")
    names.joined(row("all-lamps", 4))
    assert names.is_device("all-lamps")
