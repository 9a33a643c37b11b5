"""A door over a real pty, secure channel on: panel and reader are both libosdp, each at its own end of the line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.drivers.osdp.panel import Panel
from protocols.access.door import LATE_MS
from protocols.errors import DeviceError, LiandongError, RefusedError, StorageError, UnavailableError
from protocols.events import Reading
from tests.integration.osdp.rig import DEVICE, KEY, LATE, STRANGER, Rig, config, eventually


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    try:
        rig.up()
        yield rig
    finally:
        rig.close()


def test_a_known_card_opens_the_strike_and_is_told_once(rig: Rig) -> None:
    rig.trigger("card")
    eventually(lambda: rig.door.reader.strike, "strike open")
    rig.told("access.granted")
    assert rig.agent.event("access.granted").data == {"card": "H10301:42:12345", "holder": "wang-lan"}
    eventually(lambda: rig.agent.last("contact-open") is True, "someone walks through")
    eventually(lambda: rig.agent.last("contact-open") is False, "the door falls shut")
    eventually(lambda: rig.door.reader.light == "green", "green light")
    assert not rig.door.reader.strike
    assert rig.agent.kinds() == ["access.granted"]
    assert rig.ledger.lines == [("card", 1, "H10301:42:12345")]


@pytest.mark.parametrize(
    ("card", "reason"), [(STRANGER.text, "unknown"), (LATE.text, "expired"), ("RAW:40:DEADBEEF00", "unknown")]
)
def test_another_card_is_denied_with_the_reason(rig: Rig, card: str, reason: str) -> None:
    rig.trigger("card", card=card)
    rig.told("access.denied")
    data = rig.agent.event("access.denied").data
    assert (data["card"], data["reason"]) == (card, reason)
    eventually(lambda: rig.door.reader.light == "red", "red light")
    eventually(lambda: rig.door.reader.beeps == 2, "two beeps")
    assert not rig.door.reader.strike
    eventually(lambda: rig.ledger.lines == [("card", 1, card)], "card in the ledger")


def test_an_exit_request_opens_the_door_from_inside(rig: Rig) -> None:
    rig.trigger("exit-request")
    rig.told("access.exit-request")
    eventually(lambda: rig.agent.last("contact-open") is True, "someone leaves")
    eventually(lambda: rig.agent.last("contact-open") is False, "the door falls shut")
    assert rig.agent.kinds() == ["access.exit-request"]


def test_a_forced_door_is_told_and_closes_again(rig: Rig) -> None:
    rig.driver.act(DEVICE, "unlock", True, 5.0)  # nobody pushes before the strike has been shut for a while
    rig.trigger("door-forced", open_s=600)
    rig.told("access.forced")
    eventually(lambda: rig.ledger.lines == [("access.forced", 1, True)], "forced in the ledger")
    rig.trigger("door-closed")
    rig.told("access.forced", "access.closed")


def test_tamper_and_mains(rig: Rig) -> None:
    eventually(lambda: rig.agent.last("tamper") is False and rig.agent.last("mains-lost") is False, "quiet at first")
    rig.trigger("tamper")
    eventually(lambda: rig.agent.last("tamper") is True, "tamper")
    rig.trigger("power-cut")
    eventually(lambda: rig.agent.last("mains-lost") is True, "mains lost")
    rig.trigger("power-restore")
    eventually(lambda: rig.agent.last("mains-lost") is False, "mains back")


def test_outputs_are_confirmed_by_the_reader(rig: Rig) -> None:
    rig.driver.act(DEVICE, "beep", True, 5.0)
    assert rig.door.reader.beeps == 3
    rig.driver.act(DEVICE, "unlock", True, 5.0)
    assert rig.door.reader.strike
    assert not rig.door.reader.strike_held
    with pytest.raises(RefusedError):
        rig.driver.act(DEVICE, "sound", True, 5.0)
    with pytest.raises(RefusedError):
        rig.driver.act(DEVICE, "release", False, 5.0)


def test_an_emergency_release_stays_until_restore_whatever_restarts(rig: Rig) -> None:
    rig.driver.act(DEVICE, "release", True, 5.0)
    assert rig.door.reader.strike_held
    assert rig.agent.last("released") is True
    rig.told("access.emergency-release")

    rig.halt()
    rig.door.reader.stop()  # the reader loses power and forgets its output
    rig.door.reader.start()
    eventually(lambda: not rig.door.reader.strike_held, "forgotten")
    rig.run()
    eventually(lambda: rig.door.reader.strike_held, "released again after both restarted")
    assert rig.trigger("door-forced")["refused"] == "door-not-locked"

    rig.driver.act(DEVICE, "restore", True, 5.0)
    assert not rig.door.reader.strike
    assert rig.agent.last("released") is False
    rig.told("access.emergency-release", "access.restored")


def test_a_strike_that_the_reader_did_not_confirm_is_set_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Panel.output
    refused: list[int] = []

    def once(panel: Panel, index: int, number: int, code: int, seconds: float, confirm: Callable[[bool], None]) -> None:
        if refused:
            output(panel, index, number, code, seconds, confirm)
        else:
            refused.append(code)
            confirm(False)

    monkeypatch.setattr(Panel, "output", once)
    with pytest.raises(DeviceError):
        rig.driver.act(DEVICE, "release", True, 5.0)
    eventually(lambda: rig.door.reader.strike_held, "set again, without the reader having been away")
    eventually(lambda: rig.agent.last("released") is True, "told")
    rig.told("access.emergency-release")


def test_a_release_while_the_line_is_away_is_recorded_and_takes_effect_later(rig: Rig) -> None:
    rig.trigger("unplug")
    eventually(lambda: rig.agent.error == "edge.driver.osdp.port", "line away")
    with pytest.raises(DeviceError):
        rig.driver.act(DEVICE, "release", True, 5.0)
    with pytest.raises(DeviceError):
        rig.driver.act(DEVICE, "unlock", True, 5.0)
    rig.told("access.emergency-release")
    rig.trigger("plug")
    eventually(lambda: rig.door.reader.strike_held, "released when the line is back")


def test_unplugged_and_plugged_again_it_goes_on(rig: Rig) -> None:
    rig.trigger("unplug")
    eventually(lambda: rig.agent.error == "edge.driver.osdp.port", "line away")
    assert rig.trigger("card")["refused"] == "reader-offline"
    rig.trigger("plug")
    eventually(lambda: rig.agent.online, "online again")
    rig.trigger("card")
    rig.told("access.granted")


def insists(rig: Rig, count: int) -> None:
    """Show the card, and again after a while, until it was granted `count` times."""
    again = 0.0

    def granted() -> bool:
        nonlocal again
        if time.monotonic() > again and rig.granted() < count:
            rig.trigger("card")
            again = time.monotonic() + 1.5
        return rig.granted() >= count

    eventually(granted, f"card {count}", 40.0)


def test_noise_on_the_line_repeats_no_card_and_a_damaged_answer_is_no_outage(rig: Rig) -> None:
    """A reader drops what its panel could not read when the channel begins anew: whoever waits shows the card again."""
    before = len(rig.agent.statuses)
    for visit in range(1, 4):
        rig.trigger("noise", replies=1)
        insists(rig, visit)
        eventually(lambda: not rig.door.reader.strike, "the strike is closed again")
    assert rig.door.reader.noise == 0
    eventually(lambda: rig.granted() == [metric for metric, _, _ in rig.ledger.lines].count("card"), "once each")
    assert all(online for online, _ in rig.agent.statuses[before:])
    rig.trigger("noise", replies=1_000_000)
    eventually(lambda: not rig.agent.online, "nothing can be understood", 40.0)
    rig.trigger("noise", replies=0)
    eventually(lambda: rig.agent.online and rig.door.reader.secure, "online again", 40.0)
    insists(rig, 4)


def test_slow_answers_are_waited_for_and_too_slow_ones_are_told(rig: Rig) -> None:
    rig.trigger("slow", seconds=0.08)
    rig.trigger("card")
    rig.told("access.granted")
    assert rig.agent.online
    rig.trigger("slow", seconds=0.6)
    eventually(lambda: not rig.agent.online, "too slow to be there", 40.0)
    rig.trigger("slow", seconds=0)
    eventually(lambda: rig.agent.online and rig.door.reader.secure, "online again", 40.0)
    insists(rig, 2)


def test_a_reader_that_restarts_comes_back_by_itself(rig: Rig) -> None:
    rig.door.reader.stop()
    rig.door.reader.start()
    eventually(lambda: rig.door.reader.secure, "secure again", 40.0)
    eventually(lambda: rig.agent.online, "online again")
    eventually(lambda: "refused" not in rig.trigger("card"), "card shown")
    rig.told("access.granted")


@pytest.mark.parametrize(("exit_input", "kind"), [(None, "access.forced"), (1, "access.opened-unobserved")])
def test_a_door_opened_while_the_agent_is_down_is_told_afterwards(
    tmp_path: Path, exit_input: int | None, kind: str
) -> None:
    """Forced only where no exit button can have opened it meanwhile."""
    rig = Rig(tmp_path, exit_input=exit_input)
    try:
        rig.up()
        rig.halt()
        rig.trigger("door-forced", open_s=60.0)
        eventually(lambda: rig.door.state()["open"] is True, "door broken open")
        rig.run()
        rig.told(kind)
        unseen_s = rig.agent.event(kind).data["unseen_s"]
        assert isinstance(unseen_s, float)
        assert unseen_s > LATE_MS / 1000
        eventually(lambda: rig.ledger.lines == [("access.forced", 1, True)], "forced in the ledger")
        rig.trigger("door-closed")
        rig.told(kind, "access.closed")
    finally:
        rig.close()


@pytest.mark.parametrize(
    "refusal",
    [
        UnavailableError("edge.pipeline.behind", seconds=0.5),
        StorageError("edge.storage.unusable", file="outbox.db", why="database or disk is full"),
    ],
)
def test_an_agent_that_takes_nothing_does_not_keep_the_door_shut(rig: Rig, refusal: LiandongError) -> None:
    rig.agent.refusal = refusal
    rig.trigger("card")
    eventually(lambda: rig.door.reader.strike, "strike open")
    rig.agent.refusal = None
    rig.told("access.granted")


def test_a_door_that_is_held_open_is_told_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, held_open_s=1.0)
    rig.up()
    try:
        rig.trigger("door-held", open_s=2.5)
        rig.told("access.exit-request", "access.held-open", "access.closed")
    finally:
        rig.close()


def test_a_reader_with_another_key_is_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path, key=bytes(reversed(KEY)))
    rig.door.start()
    rig.run()
    try:
        eventually(lambda: rig.agent.error == "edge.driver.osdp.refused", "refused", 30.0)
        assert not rig.door.reader.secure
        assert rig.trigger("card")["refused"] == "reader-offline"
        with pytest.raises(DeviceError):
            rig.driver.act(DEVICE, "unlock", True, 5.0)
    finally:
        rig.close()


def test_a_missing_line_is_waited_for(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.run()
    try:
        eventually(lambda: rig.agent.error == "edge.driver.osdp.port", "line missing")
        rig.door.start()
        eventually(lambda: rig.agent.online, "online")
    finally:
        started = time.monotonic()
        rig.close()
    assert time.monotonic() - started < 4.0


def test_a_new_reader_gets_its_key_in_install_mode_only(tmp_path: Path) -> None:
    rig = Rig(tmp_path, key=None)
    rig.door.start()
    rig.run()
    try:
        eventually(lambda: rig.agent.error == "edge.driver.osdp.refused", "the default key is refused", 30.0)
        assert rig.door.reader.key is None
        rig.halt()
        rig.config = config(tmp_path, install_mode=True)
        rig.run()
        eventually(lambda: rig.door.reader.key == KEY, "the reader has the key of key_file", 30.0)
        eventually(lambda: rig.agent.online, "online")
        rig.halt()
        rig.door.reader.stop()
        rig.door.reader.start()
        rig.config = config(tmp_path)
        rig.run()
        eventually(lambda: rig.agent.online and rig.door.reader.secure, "secure with its own key", 30.0)
    finally:
        rig.close()


def test_a_door_is_asked_how_it_stands(rig: Rig) -> None:
    eventually(lambda: rig.agent.last("tamper") is False and rig.agent.last("contact-open") is False, "first states")
    told = len(rig.agent.emitted)
    rig.driver.read(DEVICE, 10)
    fresh = [one for one in rig.agent.emitted[told:] if isinstance(one, Reading)]
    assert {one.metric: one.value for one in fresh} == {
        "released": False,
        "contact-open": False,
        "tamper": False,
        "mains-lost": False,
    }
    assert not rig.door.reader.strike


def test_further_inputs_and_outputs_of_a_reader(tmp_path: Path) -> None:
    rig = Rig(tmp_path, more_inputs=[2, 3], more_outputs=[1])
    try:
        rig.up()
        eventually(lambda: (rig.agent.last("input-2"), rig.agent.last("input-3")) == (False, False), "both are told")
        rig.door.reader.set_input(3, True)
        eventually(lambda: rig.agent.last("input-3") is True, "a change is told")
        assert rig.agent.last("input-2") is False
        rig.driver.act(DEVICE, "output-1", True, 10.0)
        assert rig.door.reader.switched == [False, True, False]
        rig.driver.act(DEVICE, "output-1", False, 10.0)
        assert rig.door.reader.switched == [False, False, False]
        assert not rig.door.reader.strike_held
        for output, value in (("output-2", True), ("output-1", 3), ("unlock", False)):
            with pytest.raises(RefusedError):
                rig.driver.act(DEVICE, output, value, 10.0)
        assert rig.agent.kinds() == []
    finally:
        rig.close()
