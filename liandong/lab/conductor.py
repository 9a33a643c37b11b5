"""Runs a plan against a site: strikes when there is something to hit, heals, and remembers what happened."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from liandong.lab.faults import KINDS, Fault, Where
from liandong.lab.interrupted import Struck
from liandong.lab.plan import Planned, Step
from liandong.lab.scenario import LabScenario, gateway_of
from liandong.lab.site import Site
from protocols.errors import LiandongError

_log = logging.getLogger("liandong.lab")

_AIM_S: Final = 1.5
"""How long a fault waits for something to hit. Then it strikes anyway, and counts only if it hits in its duration."""
_LOOK_S: Final = 0.02
_CLOUDLY: Final = frozenset({Where.CLOUD, Where.POSTGRES, Where.CLOUD_POSTGRES})


class Conductor:
    """Runs faults and activity. `run` is called once, by one thread; `struck` is complete when it has returned."""

    def __init__(
        self,
        site: Site,
        faults: Sequence[Planned],
        steps: Sequence[Step],
        say: Callable[[Struck], None],
        *,
        scenario: LabScenario,
    ) -> None:
        """`say` is called for each fault that has ended."""
        self._site = site
        self._plan = faults
        self._steps = steps
        self._say = say
        self._scenario = scenario
        self._open: list[tuple[float, int, Fault, Struck]] = []
        self.struck: list[Struck] = []
        self.not_possible: Counter[str] = Counter()

    def run(self, seconds: float, stop: threading.Event) -> None:
        """Everything of the plan within `seconds`; heals all at the end, also when `stop` is set or something fails."""
        began = time.monotonic()
        acting = threading.Thread(target=self._act, args=(began, stop), name="lab-activity", daemon=True)
        acting.start()
        try:
            for planned in self._plan:
                if self._wait(began + planned.at_s, stop):
                    break
                self._strike(planned, stop)
            self._wait(began + seconds, stop)
        finally:
            self._heal(float("inf"))
            acting.join(15)

    def _act(self, began: float, stop: threading.Event) -> None:
        for step in self._steps:
            if stop.wait(max(0.0, began + step.at_s - time.monotonic())):
                return
            try:
                self._site.trigger(step.trigger, step.at, step.params)
            except LiandongError as error:
                _log.info("trigger=%s not done: %s", step.trigger, error)

    def _wait(self, until: float, stop: threading.Event) -> bool:
        """Wait, and heal what is due meanwhile. True when the run is to end."""
        while (now := time.monotonic()) < until:
            self._heal(now)
            due = self._open[0][0] if self._open else until
            if stop.wait(max(0.0, min(until, due, now + 0.5) - now)):
                return True
        self._heal(time.monotonic())
        return stop.is_set()

    def _strike(self, planned: Planned, stop: threading.Event) -> None:
        kind = KINDS[planned.kind]
        fault = kind.make(self._site, planned)
        waiting, transactions = self._aim(planned, stop)
        start_ms, empty_ms = _now_ms(), self._empty_ms(planned.target)
        try:
            fault.start()
        except LiandongError as error:
            self.not_possible[planned.kind] += 1
            _log.info("fault=%s target=%s not possible: %s", planned.kind, planned.target, error)
            return
        struck = Struck(
            kind=planned.kind,
            target=planned.target,
            start_ms=start_ms,
            end_ms=_now_ms(),
            hit=bool(waiting or transactions),
            unacknowledged=waiting,
            transactions=transactions,
            empty_ms=empty_ms,
        )
        if planned.seconds <= 0:
            self._close(fault, struck)
        else:
            due = time.monotonic() + planned.seconds
            heapq.heappush(self._open, (due, len(self.struck) + len(self._open), fault, struck))

    def _aim(self, planned: Planned, stop: threading.Event) -> tuple[int, int]:
        """Wait until there is something to hit: unconfirmed messages, open transactions."""
        until = time.monotonic() + _AIM_S
        while True:
            waiting, transactions = self._look(planned.kind, planned.target)
            if waiting or transactions or time.monotonic() >= until or stop.wait(_LOOK_S):
                return waiting, transactions
            self._heal(time.monotonic())

    def _look(self, kind: str, target: str) -> tuple[int, int]:
        where = KINDS[kind].where
        mine = target if where is Where.GATEWAY else gateway_of(self._scenario, target)
        waiting = self._site.outboxes.waiting(self._site.gateways if mine is None else (mine,))
        return waiting, self._site.transactions() if not waiting and where in _CLOUDLY else 0

    def _empty_ms(self, target: str) -> int:
        return self._site.outboxes.empty_ms(target) if target in self._site.gateways else 0

    def _heal(self, now: float) -> None:
        while self._open and self._open[0][0] <= now:
            _, _, fault, struck = heapq.heappop(self._open)
            waiting, transactions = self._look(struck.kind, struck.target)
            most = max(waiting, struck.unacknowledged)
            hit = struck.hit or bool(waiting or transactions)
            self._close(fault, replace(struck, hit=hit, unacknowledged=most))

    def _close(self, fault: Fault, struck: Struck) -> None:
        try:
            fault.stop()
        except LiandongError as error:
            _log.warning("fault=%s target=%s not healed: %s", struck.kind, struck.target, error)
        closed = replace(struck, end_ms=_now_ms())
        self.struck.append(closed)
        self._say(closed)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
