"""How people in a home use electricity, water, gas and heat over a day (time zone of China)."""

from __future__ import annotations

import math
from typing import Final

_DAY_MS: Final = 86_400_000
_UTC_OFFSET_MS: Final = 8 * 3_600_000

# Use at every hour, then peaks: (hour, height, width in hours).
_DAYS: Final[dict[str, tuple[float, tuple[tuple[float, float, float], ...]]]] = {
    "power": (0.4, ((7.5, 0.9, 1.2), (12.0, 0.5, 1.0), (20.0, 2.0, 2.0))),
    "water": (0.1, ((7.0, 3.0, 0.8), (12.0, 1.0, 0.7), (20.5, 3.5, 1.5))),
    "gas": (0.0, ((6.8, 3.0, 0.5), (11.7, 5.0, 0.6), (18.0, 6.0, 0.8))),
    "heat": (0.9, ((6.0, 0.4, 2.0), (21.0, 0.3, 3.0))),
}


def use(what: str, now_ms: int) -> float:
    """How much of `what` is used now, as a multiple of the usual."""
    base, peaks = _DAYS[what]
    hour = (now_ms + _UTC_OFFSET_MS) % _DAY_MS / 3_600_000
    return base + sum(height * math.exp(-(((hour - at) / width) ** 2)) for at, height, width in peaks)
