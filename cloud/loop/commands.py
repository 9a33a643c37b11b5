"""The timers that carry a command to its gateway: ask, confirm with the gateway's ticket, give up.

Sending is safe to repeat: an ask only makes the gateway give a ticket, a ticket works once, and of one command only
the first ticket is ever confirmed. So nothing acts twice, also when this process dies between sending and committing.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from psycopg.rows import DictRow

from cloud.loop.work import Work
from cloud.loop.writer import NO_BROKER, Writer
from cloud.registry import commands
from cloud.storage.queries import load
from protocols import command

_LOG: Final = logging.getLogger("liandong.cloud.commands")

ASK_AGAIN: Final = timedelta(seconds=2)
OUTCOME_WITHIN: Final = timedelta(milliseconds=command.MAX_TICKET_MS) + timedelta(seconds=7)
"""A confirmed command is carried out or refused within this time after it expires; then its answer is on its way."""
READ_WITHIN: Final = OUTCOME_WITHIN + timedelta(seconds=command.READ_S)


class Courier:
    """Sends commands."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def ask(self, work: Work, ref: str) -> datetime | None:
        """Handler of `command.ask`: until the gateway has given a ticket, or the command has expired."""
        row = _standing(work, ref)
        if row is None or row["ticket"] is not None:
            return None
        if row["output"] == commands.REBIRTH and row["device_code"] == "":
            return self._ask_rebirth(work, row)
        left_ms = max(1, round((row["expires_at"] - work.now).total_seconds() * 1000))
        said = {"value": row["value"], "ttl_ms": left_ms}
        if not self._writer.write(work, row, command.metric_name(row["output"]), said):
            return work.now + NO_BROKER
        _note_sent(work, row)
        return work.now + ASK_AGAIN

    def confirm(self, work: Work, ref: str) -> datetime | None:
        """Handler of `command.confirm`: its ticket is committed before this, so that there is never a second one."""
        row = _standing(work, ref)
        if row is None or row["ticket"] is None:
            return None
        said = {"ticket": str(row["ticket"])}
        sent = self._writer.write(work, row, command.metric_name(row["output"]), said)
        return None if sent else work.now + NO_BROKER

    def _ask_rebirth(self, work: Work, row: DictRow) -> datetime | None:
        """Once: births are heavy, and Sparkplug wants them asked for sparingly."""
        if not self._writer.ask_rebirth(work, row):
            return work.now + NO_BROKER
        _note_sent(work, row)
        return None


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


def _standing(work: Work, ref: str) -> DictRow | None:
    """The command, locked, if it may still be asked or confirmed."""
    row = work.tx.one(load("commands")["lock"], {"id": UUID(ref)})
    if row is None or row["state"] not in ("queued", "sent") or work.now >= row["expires_at"]:
        return None
    return row
