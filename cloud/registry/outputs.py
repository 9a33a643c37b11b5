"""What the outputs of a device are to a page: how each is written, and which metric reads it back.

It follows from the catalogue: an output with the name of a metric is written as that metric is read, in its unit and
within its limits; `_OTHERS` are those without one.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Final

from protocols.catalog import DEVICE_TYPES, DeviceType

Json = dict[str, Any]

_OTHERS: Final[dict[str, Json]] = {
    "unlock": {"form": "tap", "metric": "released", "while": False},
    "release": {"form": "tap", "metric": "released", "while": False},
    "restore": {"form": "tap", "metric": "released", "while": True},
    "sound": {"form": "switch", "metric": "sounding"},
    "beep": {"form": "tap"},
    "forgive": {"form": "tap"},
    "price": {"form": "text"},
}
"""`while`: the state of the metric in which a person is offered it."""


def shown(kind: str | None, told: Container[str]) -> list[Json]:
    """The outputs of a device of this type that has told of these metrics.

    An output that would be read back and never was is none that this device has. `form` is tap (true is written),
    switch, number (`unit`, `low`, `high`) or text.
    """
    row = DEVICE_TYPES.get(kind or "")
    if row is None:
        return []
    return [{"name": name} | _how(row, name) for name in row.outputs if row.metric(name) is None or name in told]


def _how(row: DeviceType, name: str) -> Json:
    spec = row.metric(name)
    if spec is None:
        return _OTHERS.get(name, {"form": "switch"})
    if spec.datatype == "Boolean":
        return {"form": "switch", "metric": name}
    return {"form": "number", "metric": name, "unit": spec.unit, "low": spec.low, "high": spec.high}
