"""Distance on the ground."""

from __future__ import annotations

from math import asin, cos, degrees, radians, sin, sqrt
from typing import Final

EARTH_RADIUS_M: Final = 6_371_008.8
"""Mean radius of the earth (IUGG)."""


def box(lat: float, lon: float, radius_m: float) -> tuple[float, float, float, float]:
    """South, north, west and east, in degrees, of a box around everything within `radius_m` (not across a pole)."""
    up = degrees(radius_m / EARTH_RADIUS_M) * 1.01
    aside = up / max(0.01, cos(radians(lat)))
    return lat - up, lat + up, lon - aside, lon + aside


def distance_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance in metres between two WGS-84 positions in degrees (haversine)."""
    phi1, phi2 = radians(lat1), radians(lat2)
    rise = sin((phi2 - phi1) / 2) ** 2
    run = cos(phi1) * cos(phi2) * sin(radians(lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(sqrt(min(1.0, rise + run)))
