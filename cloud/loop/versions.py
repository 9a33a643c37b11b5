"""The timers that carry versions to their gateways: offer one, send its parts with the gateway's ticket.

Sending is safe to repeat: an offer only makes the gateway give a ticket, pages are called by their content, and numbers
only grow. A gateway that is away is offered what is wanted when it is back, however long that takes: it is a wish for a
state, not for a moment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from psycopg.rows import DictRow

from cloud.loop.work import Work
from cloud.loop.writer import NO_BROKER, Writer
from cloud.registry import sets as registry
from cloud.storage.queries import load
from protocols import configuration, sets
from protocols.sets import Kind

_LOG: Final = logging.getLogger("liandong.cloud.versions")

OFFER_AGAIN: Final = timedelta(seconds=5)
AWAY: Final = timedelta(seconds=5)

Said = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Courier:
    """Delivers what `queries`.sql has versions of. `offered`, `parts`: what is said before and after a ticket."""

    writer: Writer
    queries: str
    metric: str
    offered: Callable[[DictRow], Said]
    parts: Callable[[Work, DictRow], Iterator[Said]]

    def offer(self, work: Work, ref: str) -> datetime | None:
        """Handler of `….offer`: until the gateway has taken or refused it. What is arriving is left alone."""
        row = self._standing(work, ref)
        if row is None:
            return None
        if not row["online"]:
            return work.now + AWAY
        arriving: datetime = row["changed_at"] + OFFER_AGAIN
        if row["ticket"] is not None and arriving > work.now:
            return arriving
        if not self.writer.write(work, row, self.metric, self.offered(row)):
            return work.now + NO_BROKER
        work.tx.execute(load(self.queries)["sent"], {"id": row["id"], "now": work.now})
        if row["state"] == "queued":
            _LOG.info("%s-offered id=%s gateway=%s", self.queries, row["id"], row["gateway_code"])
        return work.now + OFFER_AGAIN

    def send(self, work: Work, ref: str) -> datetime | None:
        """Handler of `….send`: the parts, with the ticket that is stored by now."""
        row = self._standing(work, ref)
        if row is None or row["ticket"] is None:
            return None
        ticket = {"ticket": str(row["ticket"])}
        sent = all(self.writer.write(work, row, self.metric, ticket | part) for part in self.parts(work, row))
        return None if sent else work.now + NO_BROKER

    def _standing(self, work: Work, ref: str) -> DictRow | None:
        """The version, locked, if the gateway is still to take it."""
        row = work.tx.one(load(self.queries)["lock"], {"id": UUID(ref), "metric": self.metric})
        return row if row is not None and row["state"] in ("queued", "sent") else None


def configurations(writer: Writer) -> Courier:
    """Delivers configurations, whole."""

    def offered(row: DictRow) -> Said:
        pieces = len(configuration.to_pieces(row["text"]))
        return {"number": row["number"], "hash": row["hash"], "pieces": pieces, "hold_s": row["hold_s"]}

    def parts(_: Work, row: DictRow) -> Iterator[Said]:
        for number, text in enumerate(configuration.to_pieces(row["text"])):
            yield {"piece": number, "text": text}

    return Courier(writer=writer, queries="configurations", metric=configuration.METRIC, offered=offered, parts=parts)


def cardholders_and_rules(writer: Writer) -> Courier:
    """Delivers sets: of their pages those that the gateway asks for."""

    def offered(row: DictRow) -> Said:
        return {key: row[key] for key in ("kind", "number", "pages")}

    def parts(work: Work, row: DictRow) -> Iterator[Said]:
        names = {page: row["pages"][page] for page in row["wants"] if page < len(row["pages"])}
        which = {"gateway": row["gateway_id"], "kind": row["kind"], "hashes": list(names.values())}
        bodies = {found["hash"]: bytes(found["body"]) for found in work.tx.fetch(load("sets")["bodies"], which)}
        for page, name in names.items():
            if name in bodies:
                yield {"page": page, "text": sets.pack(bodies[name])}
        yield {"sent": True}

    return Courier(writer=writer, queries="sets", metric=sets.METRIC, offered=offered, parts=parts)


def build_set(work: Work, ref: str, time_zone: str) -> None:
    """For `set.build` (ref: gateway/kind): make a set anew. `time_zone`: in which hours and days are meant."""
    gateway, _, kind = ref.partition("/")
    made = registry.build(work.tx, int(gateway), cast(Kind, kind), time_zone=time_zone, now=work.now)
    if made is not None:
        _LOG.info("set-made id=%s gateway=%s kind=%s", made, gateway, kind)
