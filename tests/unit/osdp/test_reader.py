"""One reader with its door: what it is known to have told, and since when."""

from __future__ import annotations

from pathlib import Path

from edge.drivers.osdp.config import ReaderConfig
from edge.drivers.osdp.panel import Inputs
from edge.drivers.osdp.reader import Reader
from protocols.access.door import LATE_MS
from protocols.access.entry import EntryRules
from protocols.access.lockout import LockoutRules
from protocols.access.passback import Way
from protocols.events import Event

SHUT, OPEN = Inputs(active=(False, False)), Inputs(active=(True, False))
START = 1_700_000_000_000


def reader(stored: dict[str, object] | None = None, **table: object) -> Reader:
    lockout = LockoutRules(denials=0, window_ms=0, lasts_ms=0)
    rules = EntryRules(door="door-1", way=Way(enters=None, leaves=None), lockout=lockout)
    config = ReaderConfig.model_validate({"id": "door-1", "address": 1, "key_file": Path("k"), **table})
    return Reader(config, rules, stored or {})


def told(one: Reader, inputs: Inputs, now_ms: int) -> list[str]:
    return [o.kind for fact in one.facts(inputs) for o in one.take(fact, now_ms)[1] if isinstance(o, Event)]


def heard(one: Reader, from_ms: int, to_ms: int) -> None:
    for at_ms in range(from_ms, to_ms, 50):
        one.heard(at_ms)


def test_a_reader_that_was_heard_all_the_time_tells_of_force() -> None:
    one = reader()
    told(one, SHUT, START)
    heard(one, START, START + 10_000)
    assert told(one, OPEN, START + 10_000) == ["access.forced"]


def test_after_a_standstill_it_is_behind_at_first_and_then_caught_up() -> None:
    one = reader()
    told(one, SHUT, START)
    heard(one, START, START + 10_000)
    heard(one, START + 40_000, START + 40_200)  # answers, while what it tells still waits in it
    assert told(one, OPEN, START + 40_200) == ["access.opened-unobserved"]
    assert told(one, SHUT, START + 41_000) == ["access.closed"]
    heard(one, START + 40_200, START + 44_000)
    assert told(one, OPEN, START + 44_000) == ["access.forced"]


def test_the_last_look_is_known_after_a_restart() -> None:
    one = reader()
    told(one, SHUT, START)
    heard(one, START, START + 10_000)
    again = reader(one.stored())
    assert told(again, OPEN, START + 10_000 + LATE_MS // 2) == ["access.forced"]
    again = reader(one.stored())
    assert told(again, OPEN, START + 60_000) == ["access.opened-unobserved"]


def test_without_an_exit_button_a_reader_that_was_cut_does_not_hide_force() -> None:
    kinds = []
    for exit_input in (1, "none"):
        one = reader(exit_input=exit_input)
        told(one, SHUT, START)
        heard(one, START, START + 10_000)
        kinds += told(one, OPEN, START + 60_000)
    assert kinds == ["access.opened-unobserved", "access.forced"]
