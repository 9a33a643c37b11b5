"""What is written to gateways in the host's name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import DictRow

from cloud.loop.work import Work
from protocols.sparkplug.actions import Now, Publish
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.host import command, rebirth_request
from protocols.sparkplug.payload import Metric

NO_BROKER: Final = timedelta(milliseconds=300)
"""After this long it is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes in the name of `host_id`. `send` hands to the broker connection; False when there is none."""

    host_id: str
    send: Callable[[Publish], bool]

    def write(self, work: Work, row: DictRow, metric: str, said: Mapping[str, Any]) -> bool:
        """`said` of the row's `id`, to a metric of its gateway, or of the device whose `device_code` it has."""
        now = _at(work.now)
        text = json.dumps({"host": self.host_id, "id": str(row["id"]), **said}, ensure_ascii=False)
        whole = Metric(name=metric, alias=row["alias"], datatype=DataType.STRING, value=text, timestamp_ms=now.utc_ms)
        return self.send(command(_node(row), row.get("device_code"), (whole,), now))

    def ask_rebirth(self, work: Work, row: DictRow) -> bool:
        """Ask the row's gateway for its births."""
        return self.send(rebirth_request(_node(row), _at(work.now)))


def _node(row: DictRow) -> tuple[str, str]:
    return row["group_code"], row["gateway_code"]


def _at(moment: datetime) -> Now:
    """The time of a message; nothing here asks for the monotonic one."""
    return Now(at=0.0, utc_ms=round(moment.timestamp() * 1000))
