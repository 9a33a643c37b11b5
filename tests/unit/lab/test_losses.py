"""What is gone is what the cloud says is gone: no number more, no number less."""

from __future__ import annotations

from liandong.lab.account import Missing
from liandong.lab.losses import compare

KEYS = [("meter-1", "energy-total", float(n)) for n in range(1, 5)]
SENDINGS = {key: [(n, f"e1/bulk/{n}-{n}")] for n, key in enumerate(KEYS, 1)}
GONE = [Missing(key=KEYS[1], counter=2, at_ms=0), Missing(key=KEYS[2], counter=3, at_ms=0)]
STORED = {KEYS[0], KEYS[3]}


def test_the_view_that_names_exactly_what_is_gone_is_right() -> None:
    found = compare(GONE, STORED, {("e1", "bulk"): [(2, 3)]}, SENDINGS)
    assert (found.told, found.untold, found.wrongly, found.numbers) == (GONE, [], [], 2)


def test_what_is_gone_and_not_told_is_lost() -> None:
    assert compare(GONE, STORED, {("e1", "bulk"): [(2, 2)]}, SENDINGS).untold == [GONE[1]]
    assert compare(GONE, STORED, {("e1", "urgent"): [(2, 3)], ("e2", "bulk"): [(2, 3)]}, SENDINGS).untold == GONE
    assert compare(GONE, STORED, {("e1", "bulk"): [(2, 3)]}, {}).untold == GONE


def test_what_is_told_and_stored_is_told_wrongly() -> None:
    assert compare(GONE, STORED, {("e1", "bulk"): [(1, 3)]}, SENDINGS).wrongly == [KEYS[0]]
