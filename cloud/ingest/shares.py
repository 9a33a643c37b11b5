"""A worker's part of the groups: it beats, takes what is free, gives up what is too much, and carries what is its own.

Leases spread the load and nothing else: while two workers carry the same group, each message is stored once, for the
received sets decide. So whoever is cut off from the database goes on listening, and whoever is alone hears everything.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final

from cloud.ingest.link import Broker
from cloud.ingest.lookout import Lookout
from cloud.ingest.sharing import share_out
from cloud.ingest.worker import IngestWorker
from cloud.storage import leases, workers
from cloud.storage.database import Database, Transaction
from cloud.storage.workers import LEASE_S, Member, View
from protocols.errors import UnavailableError

_LOG: Final = logging.getLogger("liandong.cloud.shares")
BEAT_S: Final = 1.0
COUNT_S: Final = 15.0
"""How often the steward compares the groups with the gateways; a changed circle of workers makes it look at once."""
_STOP_S: Final = 10.0


class Shares:
    """Keeps one worker's shares. Started once, stopped once, around the worker's own start and stop."""

    def __init__(self, database: Database, broker: Broker, host_id: str, worker: IngestWorker) -> None:
        """`database` is the worker's: its connections show others that the worker lives."""
        name = f"{socket.gethostname()}/{os.getpid()}"
        self.me = Member(id=uuid.uuid4(), host_id=host_id, name=name, connection=database.name)
        self._database = database
        self._broker = broker
        self._worker = worker
        self._lookout: Lookout | None = None
        self._known: frozenset[str] = frozenset()
        self._members: frozenset[uuid.UUID] = frozenset()
        self._others: Mapping[uuid.UUID, Mapping[str, Any]] = {}
        self._steward = False
        self._count_at = 0.0
        self._beat_at = self._broker_at = time.monotonic()
        self._calm_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shares", daemon=True)
        worker.speak_for(self._others_wait)

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def in_time(self) -> bool:
        """Whether no worker, here or elsewhere, has told that it lags behind."""
        return all(figures.get("late_s") is None for figures in self._others.values())

    def start(self) -> None:
        """Take the first share, if the database answers, and go on with it."""
        self._try()
        self._thread.start()

    def stop(self) -> None:
        """Free what is carried, and wait for the thread, bounded."""
        self._stop.set()
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        while not self._stop.wait(BEAT_S * random.uniform(0.8, 1.0)):  # noqa: S311 - jitter
            self._try()
        self._leave()

    def _try(self) -> None:
        try:
            self._beat()
        except UnavailableError as error:
            _LOG.warning("no-beat why=%s", error)
        except Exception:  # noqa: BLE001 - the thread must not die; the others take over what it cannot prolong
            _LOG.exception("beat-failed")

    def _beat(self) -> None:
        with self._database.transaction() as tx:
            figures = self._figures()
            view = workers.beat(tx, self.me, figures)
            able = not figures["cut_off"]
            self._steward = able and leases.hold(tx, self._lease, str(self.me.id), LEASE_S) is not None
            if self._steward and self._tend(tx, frozenset(view.members)):
                view = workers.look(tx, self.me)
        now = time.monotonic()
        if now - self._beat_at > LEASE_S:  # the others may not have found back yet: nobody is dead before they could
            self._calm_at = now + LEASE_S
        self._beat_at = now
        self._members, self._others = frozenset(view.members), view.members
        view = self._decide(view, calm=now >= self._calm_at)
        self._known = frozenset(group.code for group in view.groups)
        self._carry(view, calm=now >= self._calm_at)
        self._look_out(alone=view.able == {self.me.id})

    def _figures(self) -> dict[str, Any]:
        """What the worker says of itself; `cut_off`: its way to the broker has been gone for a while."""
        figures, now = self._worker.figures(), time.monotonic()
        connected = figures["connected"] or not self._worker.listens
        if connected:
            self._broker_at = now
        return figures | {"connected": connected, "cut_off": now - self._broker_at > LEASE_S}

    def _tend(self, tx: Transaction, members: frozenset[uuid.UUID]) -> bool:
        """The list of groups, kept by one worker; whether it may have changed."""
        found = self._lookout.found() if self._lookout is not None else set()
        workers.add(tx, self.me.host_id, found)
        now = time.monotonic()
        due = now >= self._count_at or members != self._members
        if due:
            workers.count(tx, self.me.host_id)
            self._count_at = now + COUNT_S
        return due or bool(found)

    def _decide(self, view: View, *, calm: bool) -> View:
        """Take and give what is to be taken and given; how it stands then."""
        plan = share_out(view.groups, view.able, self.me.id, from_dead=calm)
        if plan.take:
            with self._database.transaction() as tx:
                if workers.alone(tx, self.me):
                    view = workers.look(tx, self.me)
                    plan = share_out(view.groups, view.able, self.me.id, from_dead=calm)
                    workers.take(tx, self.me, plan.take)
                    view = workers.look(tx, self.me)
            _LOG.info("groups-taken count=%d workers=%d", len(plan.take), len(view.members))
        if plan.give and len(view.members) > 1:
            # First silence, then the word that somebody else may listen: what has no number is not stored twice.
            self._worker.carry(self._mine(view) - plan.give)
            with self._database.transaction() as tx:
                workers.give(tx, self.me, plan.give)
                view = workers.look(tx, self.me)
            _LOG.info("groups-given count=%d workers=%d", len(plan.give), len(view.members))
        return view

    def _carry(self, view: View, *, calm: bool) -> None:
        if view.able != {self.me.id}:
            self._worker.carry(self._mine(view))
        elif calm:
            self._worker.carry(None)

    def _mine(self, view: View) -> frozenset[str]:
        return frozenset(group.code for group in view.groups if group.worker == self.me.id)

    def _look_out(self, *, alone: bool) -> None:
        wanted = self._steward and not alone
        if wanted and self._lookout is None:
            self._lookout = Lookout(self._broker, lambda: self._known)
            self._lookout.start()
        elif not wanted and self._lookout is not None:
            self._lookout.stop()
            self._lookout = None

    def _others_wait(self) -> float | None:
        """How long what another worker has heard waits (s); None: another than this one speaks for all."""
        if not self._steward:
            return None
        waits = (figures.get("waiting_s", 0.0) for member, figures in self._others.items() if member != self.me.id)
        return max(waits, default=0.0)

    def _leave(self) -> None:
        if self._lookout is not None:
            self._lookout.stop()
        try:
            with self._database.transaction() as tx:
                workers.leave(tx, self.me)
                leases.release(tx, self._lease, str(self.me.id))
        except UnavailableError:
            _LOG.info("shares-expire")

    @property
    def _lease(self) -> str:
        return f"lookout/{self.me.host_id}"
