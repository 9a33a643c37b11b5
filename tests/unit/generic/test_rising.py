"""An event of a device that is asked: told when an answer first says so."""

from __future__ import annotations

from protocols.events import Event, Reading
from protocols.picking import Rising

PRESSED = Event(device="a", kind="button.pressed", at_ms=1, data={})
WARM = Reading(device="a", metric="temperature", value=20.0, at_ms=1)


def test_an_event_is_told_again_once_it_was_over() -> None:
    rising = Rising()
    told = [rising.news("a", 0, one) for one in (PRESSED, PRESSED, None, None, PRESSED, PRESSED)]
    assert told == [PRESSED, None, None, None, PRESSED, None]


def test_devices_and_values_stand_for_themselves_and_readings_are_always_news() -> None:
    rising = Rising()
    assert rising.news("a", 0, PRESSED) is PRESSED
    assert rising.news("a", 1, PRESSED) is PRESSED
    assert rising.news("b", 0, PRESSED) is PRESSED
    assert [rising.news("a", 2, WARM), rising.news("a", 2, WARM)] == [WARM, WARM]
