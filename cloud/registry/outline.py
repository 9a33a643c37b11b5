"""Outlines as GeoJSON coordinates (RFC 7946: longitude first, WGS-84), and whether a point lies inside."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

Ring = Sequence[Sequence[float]]
Polygon = Sequence[Ring]


def geometry(coordinates: Any) -> dict[str, Any]:
    """The GeoJSON Polygon or MultiPolygon with these coordinates. Raises ValueError for anything else."""
    if _is_polygon(coordinates):
        return {"type": "Polygon", "coordinates": coordinates}
    if isinstance(coordinates, list) and coordinates and all(_is_polygon(part) for part in coordinates):
        return {"type": "MultiPolygon", "coordinates": coordinates}
    raise ValueError("GeoJSON: rings of [longitude, latitude], each closed and with at least four points")


def contains(outline: dict[str, Any], lat: float, lon: float) -> bool:
    """Whether a point lies inside a Polygon or MultiPolygon; holes are outside. Sides are straight in degrees."""
    parts = outline["coordinates"] if outline["type"] == "MultiPolygon" else [outline["coordinates"]]
    return any(_inside(part[0], lat, lon) and not any(_inside(hole, lat, lon) for hole in part[1:]) for part in parts)


def _inside(ring: Ring, lat: float, lon: float) -> bool:
    """Even-odd rule: how often a ray to the east crosses the ring."""
    odd = False
    for (lon_a, lat_a), (lon_b, lat_b) in pairwise(ring):
        if (lat_a > lat) != (lat_b > lat) and lon < (lon_b - lon_a) * (lat - lat_a) / (lat_b - lat_a) + lon_a:
            odd = not odd
    return odd


def _is_polygon(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_ring(ring) for ring in value)


def _is_ring(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= 4
        and all(_is_point(point) for point in value)
        and value[0] == value[-1]
    )


def _is_point(value: Any) -> bool:
    if not (isinstance(value, list) and len(value) == 2):
        return False
    numbers = all(isinstance(part, int | float) and not isinstance(part, bool) for part in value)
    return numbers and abs(value[0]) <= 180 and abs(value[1]) <= 90
