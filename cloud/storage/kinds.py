"""What kind of series each is: how long a value of it holds, and how long it is kept."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Final

from cloud.history.summary import HOLD_MS, STATE_HOLD_MS
from cloud.storage.database import Transaction
from cloud.storage.queries import load
from protocols.catalog import DEVICE_TYPES, NODE_TYPE
from protocols.sparkplug.datatype import DataType

DIAGNOSTIC: Final = frozenset({"linkquality", "battery", *(metric.name for metric in NODE_TYPE.metrics)})


class Kind(StrEnum):
    """The classes of metrics that retention knows."""

    GAUGE = "gauge"
    COUNTER = "counter"
    STATE = "state"
    DIAGNOSTIC = "diagnostic"

    @property
    def hold_ms(self) -> int:
        """How long a value holds when nothing follows, ms."""
        return STATE_HOLD_MS if self is Kind.STATE else HOLD_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long readings and summaries are kept. What is coarser is kept at least as long as what it is made from."""

    readings: timedelta
    minutes: timedelta
    hours: timedelta
    days: timedelta

    def __post_init__(self) -> None:
        if not timedelta(days=1) <= self.readings <= self.minutes <= self.hours <= self.days:
            raise ValueError(self)


@cache
def retention() -> Mapping[Kind, Keep]:
    """How long each kind is kept (retention.toml, in days)."""
    tables = tomllib.loads((files("cloud.storage") / "retention.toml").read_text("utf-8"))
    return {
        Kind(name): Keep(**{key: timedelta(days=days) for key, days in row.items()}) for name, row in tables.items()
    }


def longest() -> Keep:
    """The kind that is kept longest: what is beyond it is nobody's."""
    return max(retention().values(), key=lambda keep: keep.readings)


def kind_of(metric: str, datatype: int, device_type: str | None) -> Kind:
    """The kind of a series; a number of an unknown device is a gauge."""
    if metric in DIAGNOSTIC:
        return Kind.DIAGNOSTIC
    if datatype == DataType.BOOLEAN:
        return Kind.STATE
    row = DEVICE_TYPES.get(device_type or "")
    spec = row.metric(metric) if row else None
    return Kind.COUNTER if spec is not None and spec.kind == "counter" else Kind.GAUGE


def kinds(tx: Transaction, ids: Iterable[int]) -> dict[int, Kind]:
    """The kinds of these series; what has no row any more is missing."""
    rows = tx.fetch(load("rollups")["kinds"], {"ids": sorted(ids)})
    return {row["id"]: kind_of(row["metric"], row["datatype"], row["type"]) for row in rows}
