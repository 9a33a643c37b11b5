"""The timers that carry a configuration to its gateway: offer it, send its pieces with the gateway's ticket.

Sending is safe to repeat: an offer only makes the gateway give a ticket, and a ticket works once. A gateway that is
away is offered what is wanted when it is back, however long that takes: it is a wish for a state, not for a moment.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from cloud.loop.work import Work
from cloud.storage.queries import load
from protocols import configuration
from protocols.sparkplug.actions import Now, Publish
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.host import command as ncmd
from protocols.sparkplug.payload import Metric

_LOG: Final = logging.getLogger("liandong.cloud.configurations")

OFFER_AGAIN: Final = timedelta(seconds=5)
AWAY: Final = timedelta(seconds=10)
NO_BROKER: Final = timedelta(milliseconds=300)

Send = Callable[[Publish], bool]
"""Hands a message to the broker connection; False when there is none."""


class ConfigurationCourier:
    """Sends configurations in the name of `host_id`."""

    def __init__(self, host_id: str, send: Send) -> None:
        self._host_id, self._send = host_id, send

    def offer(self, work: Work, ref: str) -> datetime | None:
        """Handler of `configuration.offer`: until the gateway has begun to try it, or it is no longer wanted."""
        row = _standing(work, ref)
        if row is None:
            return None
        if not row["online"]:
            return work.now + AWAY
        pieces = len(configuration.to_pieces(row["text"]))
        said = {"number": row["number"], "hash": row["hash"], "pieces": pieces, "hold_s": row["hold_s"]}
        if not self._publish(work, row, said):
            return work.now + NO_BROKER
        if work.tx.execute(load("configurations")["sent"], {"id": row["id"], "now": work.now}):
            _LOG.info("configuration-offered id=%s gateway=%s number=%d", row["id"], row["gateway_code"], row["number"])
        return work.now + OFFER_AGAIN

    def send(self, work: Work, ref: str) -> datetime | None:
        """Handler of `configuration.send`: every piece, with the ticket that is stored by now."""
        row = _standing(work, ref)
        if row is None or row["ticket"] is None:
            return None
        for number, text in enumerate(configuration.to_pieces(row["text"])):
            if not self._publish(work, row, {"ticket": str(row["ticket"]), "piece": number, "text": text}):
                return work.now + NO_BROKER
        return None

    def _publish(self, work: Work, row: DictRow, said: Mapping[str, Any]) -> bool:
        now = Now(at=0.0, utc_ms=round(work.now.timestamp() * 1000))
        metric = Metric(
            name=configuration.METRIC,
            alias=row["alias"],
            datatype=DataType.STRING,
            value=json.dumps({"host": self._host_id, "id": str(row["id"]), **said}),
            timestamp_ms=now.utc_ms,
        )
        return self._send(ncmd((row["group_code"], row["gateway_code"]), None, (metric,), now))


def _standing(work: Work, ref: str) -> DictRow | None:
    """The version, locked, if the gateway is still to take it."""
    row = work.tx.one(load("configurations")["lock"], {"id": UUID(ref), "metric": configuration.METRIC})
    return row if row is not None and row["state"] in ("queued", "sent") else None
