"""The timers that carry sets to their gateways: make them anew, offer a version, send the pages that are asked for.

Sending is safe to repeat: pages are called by their content, a version counts once it is whole, and numbers only grow.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from psycopg.rows import DictRow

from cloud.loop.work import Work
from cloud.registry import sets as registry
from cloud.storage.queries import load
from protocols import sets
from protocols.sets import Kind
from protocols.sparkplug.actions import Now, Publish
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.host import command as ncmd
from protocols.sparkplug.payload import Metric

_LOG: Final = logging.getLogger("liandong.cloud.sets")

OFFER_AGAIN: Final = timedelta(seconds=5)
AWAY: Final = timedelta(seconds=5)
NO_BROKER: Final = timedelta(milliseconds=300)

Send = Callable[[Publish], bool]
"""Hands a message to the broker connection; False when there is none."""


class SetCourier:
    """Delivers sets in the name of `host_id`. `time_zone`: the street's, in which hours and days are meant."""

    def __init__(self, host_id: str, send: Send, time_zone: str) -> None:
        self._host_id, self._send, self._time_zone = host_id, send, time_zone

    def build(self, work: Work, ref: str) -> datetime | None:
        """Handler of `set.build` (ref: gateway/kind)."""
        gateway, _, kind = ref.partition("/")
        made = registry.build(work.tx, int(gateway), cast(Kind, kind), time_zone=self._time_zone, now=work.now)
        if made is not None:
            _LOG.info("set-made id=%s gateway=%s kind=%s", made, gateway, kind)
        return None

    def offer(self, work: Work, ref: str) -> datetime | None:
        """Handler of `set.offer`: until the gateway works by it or refuses it. What is arriving is left alone."""
        row = _standing(work, ref)
        if row is None:
            return None
        if not row["online"]:
            return work.now + AWAY
        if row["ticket"] is not None and row["changed_at"] + OFFER_AGAIN > work.now:
            changed: datetime = row["changed_at"]
            return changed + OFFER_AGAIN
        said = {"kind": row["kind"], "number": row["number"], "pages": row["pages"]}
        if not self._publish(work, row, said):
            return work.now + NO_BROKER
        work.tx.execute(load("sets")["sent"], {"id": row["id"], "now": work.now})
        return work.now + OFFER_AGAIN

    def send(self, work: Work, ref: str) -> datetime | None:
        """Handler of `set.send`: the pages that were asked for, with the ticket that is stored by now."""
        row = _standing(work, ref)
        if row is None or row["ticket"] is None:
            return None
        names = [row["pages"][page] for page in row["wants"] if page < len(row["pages"])]
        which = {"gateway": row["gateway_id"], "kind": row["kind"], "hashes": names}
        bodies = {found["hash"]: bytes(found["body"]) for found in work.tx.fetch(load("sets")["bodies"], which)}
        messages: list[dict[str, Any]] = [
            {"page": page, "text": sets.pack(bodies[row["pages"][page]])}
            for page in row["wants"]
            if page < len(row["pages"]) and row["pages"][page] in bodies
        ]
        for said in (*messages, {"sent": True}):
            if not self._publish(work, row, {"ticket": str(row["ticket"]), **said}):
                return work.now + NO_BROKER
        return None

    def _publish(self, work: Work, row: DictRow, said: Mapping[str, Any]) -> bool:
        now = Now(at=0.0, utc_ms=round(work.now.timestamp() * 1000))
        metric = Metric(
            name=sets.METRIC,
            alias=row["alias"],
            datatype=DataType.STRING,
            value=json.dumps({"host": self._host_id, "id": str(row["id"]), **said}),
            timestamp_ms=now.utc_ms,
        )
        return self._send(ncmd((row["group_code"], row["gateway_code"]), None, (metric,), now))


def _standing(work: Work, ref: str) -> DictRow | None:
    """The version, locked, if the gateway is still to take it."""
    row = work.tx.one(load("sets")["lock"], {"id": UUID(ref), "metric": sets.METRIC})
    return row if row is not None and row["state"] in ("queued", "sent") else None
