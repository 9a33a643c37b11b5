"""Doors that were broken open while their gateway did not look: all it knows is that they were opened. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from liandong.lab.stored import UNOBSERVED, Content, Key, Row
from simulators.ledger import Observation

_SLACK_MS: Final = 5000
"""Between the reader's report and the row: the reader is asked again once it is back."""


def unobserved(content: Content, expected: Mapping[Key, Sequence[Observation]]) -> Content:
    """`content`, each unobserved opening as the forced one that the hardware showed then; without it, left out."""
    unclaimed = {key: list(shown) for key, shown in expected.items() if key[1] == "access.forced"}
    rows = (_claimed(row, unclaimed) if row.key[1] == UNOBSERVED else row for row in content.rows)
    return replace(content, rows=[row for row in rows if row is not None])


def _claimed(row: Row, unclaimed: Mapping[Key, list[Observation]]) -> Row | None:
    device, _, unseen_ms = row.key
    key = (device, "access.forced")
    for one in unclaimed.get(key, ()):
        if row.at_ms - unseen_ms - _SLACK_MS <= one.at_ms <= row.at_ms + _SLACK_MS:
            unclaimed[key].remove(one)
            return replace(row, key=key)
    return None
