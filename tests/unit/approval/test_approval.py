"""A device that waits becomes a table of its driver: in a document, in a text with its comments, and bounded lists."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files

import pytest

from edge.drivers.strangers import MOST, Stranger, Strangers
from protocols import configuration
from protocols.approval import approved, approved_text
from protocols.errors import ProtocolError, RefusedError

DEVICE = {"id": "leak-9", "type": "water-leak", "dev_eui": "24e124136b777777", "codec": "milesight-ws303"}
TEXT = """# the gateway
[gateway]
group = "g"

[[driver]]  # LoRaWAN
family = "chirpstack"
name = "lora-1"

[[driver.device]]
id = "tank"

[[driver.device.field]]
path = "/a"   # a comment

# the doors
[[driver]]
name = "doors"
family = "osdp"

[page]
port = 8790
"""


def test_the_comments_stay_and_the_table_stands_with_its_driver() -> None:
    made = approved_text(TEXT, "lora-1", DEVICE)
    assert tomllib.loads(made) == approved(tomllib.loads(TEXT), "lora-1", DEVICE)
    rest = iter(made.splitlines())
    assert all(line in rest for line in TEXT.splitlines() if line), "in their order, with nothing gone"
    assert made.index("leak-9") < made.index("# the doors")
    again = approved_text(made, "doors", {"id": "door-9", "type": "door"})
    assert [d["id"] for d in tomllib.loads(again)["driver"][1]["device"]] == ["door-9"]
    assert again.index("door-9") < again.index("[page]")


@pytest.mark.parametrize(
    "text",
    [
        '[[driver]]\nname = "lora-1"\ndevice = [ { id = "a" },\n  { id = "b" } ] # both\n',
        '[["driver"]]\nname = "lora-1"\n',
        'driver = [ { name = "lora-1" } ]\n',
        'x = """\n[[driver]]\n"""\n[[driver]]\nname = "lora-1"\n',
    ],
)
def test_whatever_the_file_looks_like_the_device_comes_in(text: str) -> None:
    assert tomllib.loads(approved_text(text, "lora-1", DEVICE)) == approved(tomllib.loads(text), "lora-1", DEVICE)


@pytest.mark.parametrize("family", ["chirpstack", "zigbee2mqtt"])
def test_the_samples_take_a_device(family: str) -> None:
    text = (files(f"edge.drivers.{family}") / "sample.toml").read_text("utf-8")
    name = tomllib.loads(text)["driver"][0]["name"]
    made = approved_text(text, name, DEVICE)
    assert made.startswith(text.rstrip("\n"))
    assert configuration.parse(made)["driver"][0]["device"][-1] == DEVICE


def test_what_cannot_be_approved() -> None:
    with pytest.raises(RefusedError, match="lora-1, doors"):
        approved_text(TEXT, "lora-2", DEVICE)
    with pytest.raises(RefusedError, match="tank"):
        approved_text(TEXT, "doors", {**DEVICE, "id": "tank"})
    with pytest.raises(ProtocolError):
        approved_text("[", "lora-1", DEVICE)


def addresses(strangers: Strangers) -> list[str]:
    return [one.address for one in strangers.listed]


def test_a_list_is_bounded_and_survives_a_restart() -> None:
    listed = Strangers((), ["known"])
    listed.meet(Stranger(address="known"), 1, "said")
    listed.meet(Stranger(address="x" * 300), 1, "said")
    assert addresses(listed) == []
    for number in range(MOST + 5):
        listed.meet(Stranger(address=f"d{number}", name="名" * 500), 1000 + number, "☃" * 5000)
    assert (len(listed.listed), listed.refused) == (MOST, 5)
    assert listed.worn
    listed.changed = False
    listed.meet(Stranger(address="one more"), 2000)
    assert listed.changed, "that there is no room is told"
    listed.leave("d0")
    assert listed.refused == 0
    listed.meet(Stranger(address="d0", name="名" * 500), 2000, "☃" * 5000)
    stored = json.dumps(listed.plain())
    assert len(stored) < 32_000, "a driver's state is bounded to 64 KB"
    again = Strangers(json.loads(stored), ["d3"])
    assert addresses(again) == [*(f"d{n}" for n in range(1, MOST) if n != 3), "d0"]
    assert again.gone == ("d3",)
    assert again.listed[0] == listed.listed[0]
    assert Strangers([{"odd": 1}, 5], ()).listed == ()
    assert Strangers("odd", ()).listed == ()


def test_what_is_known_of_a_stranger_grows_and_its_words_wear_no_flash() -> None:
    listed = Strangers((), ())
    listed.meet(Stranger(address="a"), 1000, "one")
    listed.worn = listed.changed = False
    listed.meet(Stranger(address="a", model="WS303", type="water-leak"), 2000)
    assert (listed.worn, listed.changed) == (True, True)
    listed.worn = False
    listed.meet(Stranger(address="a"), 3000, "two")
    seldom = listed.worn
    listed.meet(Stranger(address="a"), 90_000, "three")
    assert (seldom, listed.worn) == (False, True), "not every message is written to the disk"
    (one,) = listed.listed
    assert (one.model, one.heard, one.last, one.first_ms, one.last_ms) == ("WS303", 3, "three", 1000, 90_000)
    listed.leave("a")
    assert addresses(listed) == []
    assert listed._stored_ms == {}, "who comes and goes under ever new names must not fill the memory"
