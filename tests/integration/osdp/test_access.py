"""Codes, duress, anti-passback, lockout, the cardholder file and the reader's key, over a real pty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.errors import ConfigError, RefusedError
from tests.integration.osdp.rig import CARDHOLDERS, DEVICE, KEY, STRANGER, Rig, eventually

PEOPLE = """
version = "2"

[[cardholder]]
id = "wang-lan"
cards = ["H10301:42:12345"]
codes = ["271828"]
duress_codes = ["271829"]
"""
GARAGE = {"area": [{"name": "garage", "passback": "hard"}]}


def write(rig: Rig, text: str) -> None:
    """As an editor or `install` does it: a new file in the place of the old one."""
    fresh = rig.directory / "fresh.toml"
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    assert rig.config.cardholders is not None
    fresh.replace(rig.config.cardholders)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A door with a keypad to a garage."""
    rig = Rig(tmp_path, line=GARAGE | {"lockout_after": 2}, entry="card-or-code", enters="garage")
    write(rig, PEOPLE)
    try:
        rig.up()
        yield rig
    finally:
        rig.close()


def test_a_duress_code_opens_as_usual_and_tells_silently(rig: Rig) -> None:
    rig.trigger("keys", keys="271829#")
    eventually(lambda: rig.door.reader.strike, "strike open")
    rig.told("access.granted", "access.duress")
    assert rig.agent.event("access.duress").data == {"by": "code", "holder": "wang-lan", "granted": True}
    eventually(lambda: rig.door.reader.light == "green" and rig.door.reader.beeps == 1, "the feedback of a grant")
    told = json.dumps([repr(one) for one in rig.agent.emitted]) + rig.agent.stored
    assert "271829" not in told


def test_wrong_codes_lock_the_keypad_and_not_the_cards(rig: Rig) -> None:
    for _ in range(2):
        rig.trigger("keys", keys="0000#")
    rig.trigger("keys", keys="271828#")
    eventually(lambda: rig.agent.denials() == ["unknown", "unknown", "lockout"], "locked out")
    assert rig.agent.kinds().count("access.lockout") == 1
    assert not rig.door.reader.strike
    rig.trigger("card")
    rig.told("access.granted")


def test_who_went_in_is_not_let_in_again_until_it_is_forgiven(rig: Rig) -> None:
    rig.trigger("card")
    eventually(lambda: rig.agent.last("contact-open") is True, "someone walks in")
    eventually(lambda: rig.agent.last("contact-open") is False, "the door falls shut")
    rig.trigger("card")
    eventually(lambda: rig.agent.denials() == ["passback"], "denied")

    rig.halt()
    rig.agent.statuses.clear()
    rig.run()  # a restart forgives nothing
    eventually(lambda: rig.agent.online, "online again", 40.0)
    rig.trigger("keys", keys="271828#")  # the code of the same person
    eventually(lambda: rig.agent.denials() == ["passback"] * 2, "still inside")

    rig.driver.act(DEVICE, "forgive", True, 5.0)
    assert rig.agent.event("access.forgiven").data == {"areas": ["garage"], "why": "command"}
    rig.trigger("card")
    rig.told("access.granted", "access.granted")


def test_who_did_not_go_through_may_come_again(rig: Rig) -> None:
    rig.door.reader.show_card(26, bytes.fromhex("95181CC0"), lambda: None)
    rig.told("access.granted")
    eventually(lambda: rig.door.reader.strike, "strike open, and nobody goes in")
    rig.door.reader.show_card(26, bytes.fromhex("95181CC0"), lambda: None)
    rig.told("access.granted", "access.granted")
    assert rig.agent.denials() == []


def test_another_cardholder_file_counts_within_seconds_and_a_broken_one_never(rig: Rig) -> None:
    rig.trigger("card", card=STRANGER.text)
    eventually(lambda: rig.agent.denials() == ["unknown"], "a stranger")
    write(rig, PEOPLE.replace("42:12345", "7:999").replace('"2"', '"3"'))
    rig.told("access.cardholders")
    assert rig.agent.event("access.cardholders").data == {"people": 1, "version": "3"}
    eventually(lambda: "refused" not in rig.trigger("card", card=STRANGER.text), "shown")
    rig.told("access.granted")

    write(rig, "[[cardholder]\n")
    rig.told("access.cardholders-refused")
    refused = rig.agent.event("access.cardholders-refused").data
    assert (refused["error"], refused["version"]) == ("edge.driver.osdp.cardholders-unreadable", "3")
    rig.halt()
    rig.driver = type(rig.driver)(rig.config)  # a restart goes on with the copy that was good
    assert rig.driver.cardholders.owner_of_card(STRANGER.identity) is not None


def test_without_a_good_copy_a_broken_file_is_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    write(rig, CARDHOLDERS + "x = 1\n")
    with pytest.raises(ConfigError):
        rig.run()


def test_a_card_alone_is_not_enough_where_a_code_belongs_to_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, entry="card-and-code")
    write(rig, PEOPLE)
    rig.up()
    try:
        rig.trigger("card")
        eventually(lambda: rig.door.reader.light == "amber", "amber: the code is wanted")
        assert rig.agent.kinds() == []
        rig.trigger("keys", keys="271828#")
        rig.told("access.granted")
        assert rig.agent.event("access.granted").data["by"] == "card-and-code"
        with pytest.raises(RefusedError):
            rig.driver.act(DEVICE, "forgive", True, 5.0)  # no area at this door
    finally:
        rig.close()


def test_an_installation_that_is_cut_off_goes_on(tmp_path: Path) -> None:
    """The reader has taken its key, its panel does not know; and what a power cut left of the key's file is no key."""
    rig = Rig(tmp_path, key=None, install_mode=True)
    key_file = rig.config.device[0].key_file
    key_file.write_text("")
    key_file.with_name(f"{key_file.name}.new").write_text("00")
    rig.door.start()
    rig.run()
    try:
        eventually(lambda: rig.door.reader.key is not None, "the reader has taken it")
        rig.trigger("unplug")
        made = bytes.fromhex(key_file.read_text())
        assert rig.door.reader.key == made
        eventually(lambda: rig.agent.error == "edge.driver.osdp.port", "the line is away")
        rig.trigger("plug")
        eventually(lambda: rig.agent.online, "it goes on with the key that the reader has")
        rig.trigger("card")
        rig.told("access.granted")
    finally:
        rig.close()


def test_install_mode_makes_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    rig = Rig(tmp_path, key=None, install_mode=True)
    key_file = rig.config.device[0].key_file
    key_file.unlink()
    rig.door.start()
    rig.run()
    try:
        rig.told("access.key-installed")
        made = bytes.fromhex(key_file.read_text())
        eventually(lambda: rig.door.reader.key == made, "the reader has it")
        assert made not in (KEY, bytes(16))
        assert key_file.stat().st_mode & 0o777 == 0o600
        eventually(lambda: rig.agent.online, "online")
        assert made.hex() not in json.dumps([repr(one) for one in rig.agent.emitted]) + rig.agent.stored
    finally:
        rig.close()
