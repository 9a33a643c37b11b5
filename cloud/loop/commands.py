"""The timers that carry a command to its gateway: ask, confirm with the gateway's ticket, give up.

Sending is safe to repeat: an ask only makes the gateway give a ticket, a ticket works once, and of one command only
the first ticket is ever confirmed. So nothing acts twice, also when this process dies between sending and committing.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from cloud.loop.configurations import ConfigurationCourier, Send
from cloud.loop.sets import SetCourier
from cloud.loop.work import Work
from cloud.registry import commands
from cloud.storage.queries import load
from protocols import command
from protocols.sparkplug.actions import Now
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.host import command as dcmd
from protocols.sparkplug.host import rebirth_request
from protocols.sparkplug.payload import Metric

_LOG: Final = logging.getLogger("liandong.cloud.commands")

ASK_AGAIN: Final = timedelta(seconds=2)
NO_BROKER: Final = timedelta(milliseconds=300)
OUTCOME_WITHIN: Final = timedelta(milliseconds=command.MAX_TICKET_MS) + timedelta(seconds=7)
"""A confirmed command is carried out or refused within this time after it expires; then its answer is on its way."""
READ_WITHIN: Final = OUTCOME_WITHIN + timedelta(seconds=command.READ_S)


class Courier:
    """Sends commands in the name of `host_id`."""

    def __init__(self, host_id: str, send: Send, *, time_zone: str = "Asia/Shanghai") -> None:
        """`time_zone`: the street's, in which hours of doors are meant."""
        self.host_id, self.send = host_id, send
        self.configurations = ConfigurationCourier(host_id, send)
        self.sets = SetCourier(host_id, send, time_zone)

    def ask(self, work: Work, ref: str) -> datetime | None:
        """Handler of `command.ask`: until the gateway has given a ticket, or the command has expired."""
        row = _standing(work, ref)
        if row is None or row["ticket"] is not None:
            return None
        if row["output"] == commands.REBIRTH and row["device_code"] == "":
            return self._ask_rebirth(work, row)
        left_ms = max(1, round((row["expires_at"] - work.now).total_seconds() * 1000))
        if not self._publish(work, row, {"value": row["value"], "ttl_ms": left_ms}):
            return work.now + NO_BROKER
        _note_sent(work, row)
        return work.now + ASK_AGAIN

    def confirm(self, work: Work, ref: str) -> datetime | None:
        """Handler of `command.confirm`: its ticket is committed before this, so that there is never a second one."""
        row = _standing(work, ref)
        if row is None or row["ticket"] is None:
            return None
        sent = self._publish(work, row, {"ticket": str(row["ticket"])})
        return None if sent else work.now + NO_BROKER

    def _ask_rebirth(self, work: Work, row: DictRow) -> datetime | None:
        """Once: births are heavy, and Sparkplug wants them asked for sparingly."""
        node = (row["group_code"], row["gateway_code"])
        if not self.send(rebirth_request(node, _at(work.now))):
            return work.now + NO_BROKER
        _note_sent(work, row)
        return None

    def _publish(self, work: Work, row: DictRow, said: dict[str, Any]) -> bool:
        metric = Metric(
            name=command.metric_name(row["output"]),
            alias=row["alias"],
            datatype=DataType.STRING,
            value=json.dumps({"host": self.host_id, "id": str(row["id"]), **said}, ensure_ascii=False),
            timestamp_ms=_at(work.now).utc_ms,
        )
        node = (row["group_code"], row["gateway_code"])
        return self.send(dcmd(node, row["device_code"], (metric,), _at(work.now)))


def expire(work: Work, ref: str) -> datetime | None:
    """Handler of `command.expire`: says whether the gateway was never reached, or only its answer is missing."""
    row = work.tx.one(load("commands")["lock"], {"id": UUID(ref)})
    if row is None or row["state"] not in ("queued", "sent"):
        return None
    within = READ_WITHIN if row["output"] == command.READ else OUTCOME_WITHIN
    until: datetime = row["expires_at"] if row["ticket"] is None else row["expires_at"] + within
    if work.now < until:
        return until
    code = "cloud.command.not-reached" if row["ticket"] is None else "cloud.command.no-answer"
    error = json.dumps({"code": code, "params": {}})
    if work.tx.fetch(load("commands")["expire"], {"id": row["id"], "error": error}):
        _LOG.info("command-expired id=%s code=%s", row["id"], code)
        commands.tell(work.tx, [row["id"]])
    return None


def _note_sent(work: Work, row: DictRow) -> None:
    if work.tx.execute(load("commands")["sent"], {"id": row["id"], "now": work.now}):
        _LOG.info("command-asked id=%s device=%s output=%s", row["id"], row["device_code"], row["output"])
        commands.tell(work.tx, [row["id"]])


def _at(moment: datetime) -> Now:
    """The time of a message; nothing here asks for the monotonic one."""
    return Now(at=0.0, utc_ms=round(moment.timestamp() * 1000))


def _standing(work: Work, ref: str) -> DictRow | None:
    """The command, locked, if it may still be asked or confirmed."""
    row = work.tx.one(load("commands")["lock"], {"id": UUID(ref)})
    if row is None or row["state"] not in ("queued", "sent") or work.now >= row["expires_at"]:
        return None
    return row
