"""When gateways that lost the same broker come back."""

from __future__ import annotations

from edge.uplink.uplink import MOST_PAUSE_S, pause_before

GATEWAYS = 1000


def test_a_thousand_gateways_do_not_return_as_one() -> None:
    pauses = sorted(pause_before(0, 5.0) for _ in range(GATEWAYS))
    assert 0 <= pauses[0] <= pauses[-1] <= 5.0
    in_a_tenth = max(sum(begin <= pause < begin + 0.5 for pause in pauses) for begin in pauses)
    assert in_a_tenth < GATEWAYS / 4


def test_the_pauses_grow_up_to_a_bound() -> None:
    longest = [max(pause_before(attempt, 5.0) for _ in range(GATEWAYS)) for attempt in range(8)]
    assert longest[0] <= 5.0 < longest[1] <= 10.0 < longest[2] <= 20.0 < longest[3]
    assert max(longest) <= MOST_PAUSE_S
