"""The gateway and the cloud agree, with the cloud's state in the real database: one story of a cold chain."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud.alerting.builtin import builtin_rules
from edge.rules import LocalRules
from protocols.events import Quality, Reading
from tests.integration.api.conftest import Seen, Street

STORY: list[tuple[int, float | None, Quality]] = [
    (0, 9.0, "good"),  # a door was opened for ten seconds: no alarm
    (10, 5.0, "good"),
    (60, 9.0, "good"),
    (70, None, "good"),
    (75, 2.0, "bad"),
    (80, 9.5, "good"),  # half a minute is over at 90
    (100, 7.5, "good"),  # within the hysteresis
    (95, 2.0, "good"),  # older than the newest
    (120, 6.5, "good"),
]


def test_a_story_comes_to_the_same_on_both_sides_however_late_the_cloud_hears_it(street: Street) -> None:
    rule = next(rule for rule in builtin_rules() if rule.code == "cold-chain-warm")
    (row,) = street.rows(
        """
        SELECT device.id AS device_id, device.code AS device_code, device.type AS device_type,
               device.gateway_id, place.id AS place_id, place.path AS place_path
        FROM device JOIN place ON place.id = device.place_id WHERE device.code = 'coldchain-1'
        """
    )
    begin_ms = round(time.time() * 1000) - 600_000
    told = [
        Reading(device="coldchain-1", metric="temperature", value=value, at_ms=begin_ms + at_s * 1000, quality=quality)
        for at_s, value, quality in STORY
    ]
    acted: list[Any] = []
    gateway = LocalRules([rule], {"coldchain-1": "cold-chain"}, [], acted.append)
    for fact in told:
        gateway.elapse(fact.at_ms)
        gateway.judge(fact, fact.at_ms)
    (record,) = gateway.take_changes()

    for bite in (told[:1], told[1:4], told[4:]):
        with street.database.transaction() as tx:
            street.judge(tx, [Seen(**row, observation=fact) for fact in bite], round(time.time() * 1000))
    street.settle(datetime.now(UTC) + timedelta(minutes=1))
    (state,) = street.rows("SELECT phase, since_ms, at_ms FROM rule_state WHERE rule_code = 'cold-chain-warm'")
    assert (state["phase"], state["since_ms"]) == (record.state.phase, record.state.since_ms)
    assert (state["phase"], state["at_ms"] - begin_ms) == ("idle", 120_000)
    (alarm,) = street.rows("SELECT raised_at, cleared_at FROM alarm WHERE rule_code = 'cold-chain-warm'")
    seconds = [round(alarm[key].timestamp() - begin_ms / 1000) for key in ("raised_at", "cleared_at")]
    assert seconds == [90, 120]
