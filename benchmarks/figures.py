"""What a benchmark is asked for, and what it gives back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How much to measure. None: the benchmark's own size. `load`: readings/s beside the alarms.

    `dsn` is another PostgreSQL than the embedded one, with an empty database; `timescale` one that the tool starts.
    """

    quick: bool
    repeats: int
    tell: Callable[..., None]
    readings: int | None = None
    gateways: int | None = None
    rows: int | None = None
    load: int | None = None
    seconds: float | None = None
    dsn: str | None = None
    timescale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`value` and `limit` are medians over `runs` and `limits`; `ratio` is the median of value / limit, run by run."""

    name: str
    value: float
    unit: str
    limit: float | None
    ratio: float | None
    runs: Sequence[float]
    limits: Sequence[float]

    def to_json(self) -> dict[str, Any]:
        """As ``liandong bench --json`` prints it, four digits each."""
        return {
            "name": self.name,
            "value": rounded(self.value),
            "unit": self.unit,
            "limit": None if self.limit is None else rounded(self.limit),
            "ratio": None if self.ratio is None else rounded(self.ratio),
            "runs": [rounded(run) for run in self.runs],
            "limits": [rounded(limit) for limit in self.limits],
        }


def figure(name: str, unit: str, runs: Sequence[float], limits: Sequence[float] = ()) -> Figure:
    """The figure of runs and of the limits taken beside them, in the same order (or one limit for all runs)."""
    beside = list(limits) * len(runs) if len(limits) == 1 else list(limits)
    ratios = [run / limit for run, limit in zip(runs, beside, strict=True)] if beside else []
    return Figure(
        name=name,
        value=median(runs),
        unit=unit,
        limit=median(limits) if limits else None,
        ratio=median(ratios) if ratios else None,
        runs=runs,
        limits=limits,
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def rounded(value: float) -> float:
    """Four significant digits."""
    return float(f"{value:.4g}")
