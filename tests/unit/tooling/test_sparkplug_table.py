"""docs/sparkplug.md says what is true."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tools.sparkplug_table import PAGE, Entry, judged, page, read

BOOK: Final = read()
RULES_OF_3_0_0: Final = 299
LEVELS: Final = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"}


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(BOOK), "run tools/sparkplug_table.py"


def test_no_rule_is_missing() -> None:
    assert len(BOOK.entries) == RULES_OF_3_0_0
    assert {entry.level for entry in BOOK.entries} == LEVELS
    assert {entry.who for entry in BOOK.entries} == {"node", "host", "node host", *BOOK.reasons}


@pytest.mark.parametrize("entry", [e for e in BOOK.entries if e.who not in BOOK.reasons], ids=lambda entry: entry.id)
def test_what_binds_us_has_a_test(entry: Entry) -> None:
    """Cited by one, or judged by the monitor, which then is held against our own traffic."""
    assert entry.id in BOOK.cited or entry.id in BOOK.monitored


def test_every_id_that_is_cited_or_judged_exists() -> None:
    known = {entry.id for entry in BOOK.entries}
    assert set(BOOK.cited) | BOOK.monitored <= known


def test_the_monitor_calls_a_must_a_must() -> None:
    level = {entry.id: entry.level for entry in BOOK.entries}
    for rule in judged():
        assert {level[name].startswith("MUST") for name in rule.ids} == {rule.must}, rule.ids


def test_a_declared_deviation_is_a_sentence() -> None:
    for entry in BOOK.entries:
        if entry.deviation is not None:
            assert re.fullmatch(r"[A-Z].{20,}\.", entry.deviation)
