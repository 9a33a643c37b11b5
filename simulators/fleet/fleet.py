"""Plays a part of a fleet in this process: connects everybody, lets them measure at the rate that was asked for, stops.

One task paces all gateways; a connection costs no task. Whoever loses the broker comes back after a pause that grows
and has jitter.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from protocols.sparkplug.actions import Now
from simulators.fleet.connection import Connection
from simulators.fleet.plan import Plan
from simulators.fleet.session import Counts, Session, Told
from simulators.ledger import LedgerFile

_LOG: Final = logging.getLogger("simulators.fleet")
_BEAT_S: Final = 0.05
_CONNECT_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.5
_MOST_PAUSE_S: Final = 20.0
_CALM_S: Final = 10.0
_BORN_WITHIN_S: Final = 300.0
_LEAVE_S: Final = 5.0
_WAITS: Final = 20_000
"""The newest waits for an acknowledgement, from which its quantiles are taken."""


class _Member:
    """A gateway, its present connection, and when it tries again."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.connection: Connection | None = None
        self.pause_s = _FIRST_PAUSE_S
        self.up_at = 0.0
        self.trying: asyncio.Task[None] | None = None


class Fleet:
    """A part of a fleet, from `run` to its end."""

    def __init__(
        self, plan: Plan, enough: asyncio.Event, leave: asyncio.Event, said: Callable[[dict[str, Any]], None]
    ) -> None:
        """`enough`: measure no more, but wait for what is on its way; `leave`: do not wait for it either.

        `said` gets the figures about once a second.
        """
        self._plan, self._enough, self._leave_now, self._said = plan, enough, leave, said
        self._counts = Counts()
        self._waits: deque[float] = deque(maxlen=_WAITS)
        numbers = range(plan.first, plan.last)
        self._members = [_Member(Session(plan, number, self._counts, self._waits)) for number in numbers]
        self._ledger = None
        if plan.ledger is not None:
            self._ledger = LedgerFile(Path(plan.ledger) / f"ledger-{plan.first:05}.jsonl")
        self._leaving = False
        self._seconds = 0.0

    async def run(self) -> dict[str, Any]:
        """The whole life; the last figures. Bounded by the plan's times."""
        ticking = asyncio.create_task(self._tick())
        try:
            await self._connect_all()
            await self._wait(
                lambda: self._enough.is_set() or all(one.session.born for one in self._members), _BORN_WITHIN_S
            )
            # What is measured while births still wait for the cloud waits behind them, and says nothing of the cloud.
            await self._wait(
                lambda: self._enough.is_set() or all(one.session.settled for one in self._members),
                self._plan.patience_s,
            )
            await self._measure()
            await self._wait(lambda: all(one.session.settled for one in self._members), self._plan.patience_s)
            return self.figures()
        finally:
            ticking.cancel()
            await self._leave()
            if self._ledger is not None:
                self._ledger.close()

    def figures(self) -> dict[str, Any]:
        """How it stands."""
        counts, waits = self._counts, sorted(self._waits)
        return {
            "gateways": len(self._members),
            "born": sum(one.session.born for one in self._members),
            "births": counts.births,
            "messages": counts.messages,
            "readings": counts.readings,
            "events": counts.events,
            "acknowledged": counts.acknowledged,
            "unacknowledged": counts.messages - counts.acknowledged,
            "sent_again": counts.again,
            "held_back": counts.held_back,
            "reconnects": counts.reconnects,
            "seconds": round(self._seconds, 2),
            "ack_ms": {name: _quantile_ms(waits, share) for name, share in (("p50", 0.5), ("p99", 0.99))},
        }

    async def _connect_all(self) -> None:
        """At `ramp` connections a second over the whole fleet."""
        pause = 1 / max(1.0, self._plan.ramp * self._plan.share)
        began = time.monotonic()
        for index, one in enumerate(self._members):
            self._try(one, 0.0)
            ahead = (index + 1) * pause - (time.monotonic() - began)
            if ahead > _BEAT_S or index % 50 == 49:
                await self._rest(max(0.0, ahead))
            if self._enough.is_set():
                return

    async def _measure(self) -> None:
        """Everybody in turn, evenly over the time. What the machine cannot make in time is left out, not made up."""
        plan = self._plan
        per_second = plan.rate * plan.share / plan.batch
        began = time.monotonic()
        made, order = 0, random.Random(plan.first).sample(self._members, len(self._members))
        while not self._enough.is_set() and (elapsed := time.monotonic() - began) < plan.seconds:
            due = min(int(elapsed * per_second), made + max(1, int(per_second * 1.0)))
            for number in range(made, due):
                self._one(order[number % len(order)])
            made = max(made, due)
            self._seconds = elapsed
            await self._rest(_BEAT_S)
        self._seconds = time.monotonic() - began

    def _one(self, member: _Member) -> None:
        now = _now()
        self._file(member.session.measure(now))
        if member.connection is not None:
            member.connection.do(member.session.send(now))

    def _file(self, told: list[Told]) -> None:
        if self._ledger is not None:
            for one in told:
                self._ledger.observed(one.device, one.metric, one.number, one.value, one.at_ms)

    async def _tick(self) -> None:
        """Once a second for everybody, a slice of them at a time."""
        slices = 20
        while True:
            for part in range(slices):
                for one in self._members[part::slices]:
                    if one.connection is not None:
                        one.connection.tick()
                await asyncio.sleep(1 / slices)
            self._said(self.figures())

    def _try(self, member: _Member, pause_s: float) -> None:
        member.trying = asyncio.create_task(self._connect(member, pause_s))

    async def _connect(self, member: _Member, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        plan, loop = self._plan, asyncio.get_running_loop()
        host, port = random.choice(plan.brokers)
        connection = Connection(member.session, plan.user, plan.password, _now, lambda: self._lost(member))
        try:
            async with asyncio.timeout(_CONNECT_S):
                await loop.create_connection(lambda: connection, host, port)
        except (OSError, TimeoutError) as error:
            _LOG.debug("gateway=%s broker-away why=%s", member.session.name, error)
            self._lost(member)
            return
        member.connection, member.up_at = connection, time.monotonic()

    def _lost(self, member: _Member) -> None:
        if member.up_at and time.monotonic() - member.up_at > _CALM_S:
            member.pause_s = _FIRST_PAUSE_S
        member.connection, member.up_at = None, 0.0
        if self._leaving:
            return
        self._counts.reconnects += 1
        self._try(member, member.pause_s * random.uniform(0.2, 1.0))
        member.pause_s = min(_MOST_PAUSE_S, member.pause_s * 2)

    async def _wait(self, holds: Callable[[], bool], within_s: float) -> None:
        until = time.monotonic() + within_s
        while not holds() and not self._leave_now.is_set() and time.monotonic() < until:
            await self._rest(_BEAT_S)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.001, seconds)):
                await self._leave_now.wait()
        except TimeoutError:
            return

    async def _leave(self) -> None:
        """NDEATH and DISCONNECT from everybody, and no connection left behind."""
        self._leaving = True
        for one in self._members:
            if one.trying is not None:
                one.trying.cancel()
            if one.connection is not None:
                one.connection.do(one.session.node.stop(_now()))
        for _ in range(round(_LEAVE_S / _BEAT_S)):
            if all(one.connection is None for one in self._members):
                return
            await asyncio.sleep(_BEAT_S)
        for one in self._members:
            if one.connection is not None:
                one.connection.drop()


def _now() -> Now:
    return Now(at=time.monotonic(), utc_ms=time.time_ns() // 1_000_000)


def _quantile_ms(ordered: list[float], share: float) -> float | None:
    return None if not ordered else round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)
