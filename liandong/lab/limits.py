"""How much no protocol could have kept, counted from what was done to the gateways: the limits of two counts. Pure.

A device that is polled every half second shows two values a second. A kill costs what waits in RAM for the next flush
(`FLUSH_S`), one reply that is on its way, and one that its driver holds; a gateway that stands still or has no room
costs each polled device the replies that came too late, and nothing that can wait.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Final

from liandong.lab.interrupted import Cause, Interruption
from simulators.ledger import Observation

FLUSH_S: Final = 1.0
"""``uplink.flush_s`` of the estate's gateways (the default)."""
_ON_ITS_WAY: Final = 2
_LATE: Final = 2
_CARDS: Final = 1
_COMMITTED: Final = 2
"""Messages of one commit, at the pace of these devices."""


def rates(ledger: Sequence[Observation], metric: str) -> dict[str, float]:
    """Device → how often a second it shows `metric`, while nothing is wrong."""
    times: dict[str, list[int]] = defaultdict(list)
    for one in ledger:
        if one.metric == metric:
            times[one.device].append(one.at_ms)
    gaps = {device: [b - a for a, b in pairwise(at) if b > a] for device, at in times.items()}
    return {device: 1000 / median(found) for device, found in gaps.items() if found}


def limits(
    interruptions: Sequence[Interruption],
    polled: Mapping[str, float],
    doors: Sequence[str],
    gateway_of: Mapping[str, str],
) -> dict[str, int]:
    """``{"ram_bound", "before_outbox"}``. `polled`: meter → values a second; `doors`: devices that show cards."""
    ram = before = 0
    for one in interruptions:
        seconds = (one.to_ms - one.from_ms) / 1000
        mine = [rate for device, rate in polled.items() if gateway_of.get(device) == one.gateway]
        cards = _CARDS * sum(gateway_of.get(door) == one.gateway for door in doors)
        match one.cause:
            case Cause.KILLED:
                ram += sum(math.ceil(rate * FLUSH_S) + _ON_ITS_WAY for rate in mine)
                before += cards + sum(math.ceil(rate * seconds) for rate in mine if seconds)
            case Cause.STOPPED | Cause.SLOW:
                before += cards + _LATE * len(mine)
            case Cause.FULL:
                before += cards + _LATE * len(mine)
            case Cause.ABORTED:
                before += _COMMITTED
    return {"ram_bound": ram, "before_outbox": before}
