"""From a driver's hands to the disk: normalise, judge the local rules, then store. One thread, woken by what arrives.

Telemetry waits in RAM for the next flush; what is urgent, or awaited by its driver, is stored at once.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace
from typing import Any, Final

from edge.actions import Task
from edge.board import Board
from edge.last_values import LastValues
from edge.log import Log
from edge.normalise import Normaliser
from edge.outbox.gather import Gather, blocks
from edge.outbox.losses import Loss
from edge.outbox.news import news_of
from edge.outbox.store import Commit, Outbox
from edge.outputs import Wish
from edge.rules import LocalRules
from protocols.delivery import Lane
from protocols.errors import LiandongError, RefusedError, StorageError, UnavailableError
from protocols.events import Event, Observation

MAX_WAITING: Final = 512
"""Emissions that may wait for the pipeline; then drivers wait."""
MAX_UNSTORED: Final = 5000
"""Observations kept in RAM while the disk refuses them; then the oldest are lost, and counted."""
RETRY_S: Final = 1.0
MOVE_S: Final = 10.0
"""How often a full disk is tried again while the outbox is in memory."""
_GROUP: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class _Emission:
    observations: Sequence[Observation] = ()
    driver: str = ""
    state: Mapping[str, Any] | None = None
    stored: Future[None] | None = None
    settled: Task | None = None
    resumed: str | None = None
    overruled: Wish | None = None
    between: Callable[[], None] | None = None


class Pipeline:
    """Takes what drivers emit. `emit`, `tell`, `settle` and `resume` may be called from any thread."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        gather: Gather,
        normaliser: Normaliser,
        rules: LocalRules,
        board: Board,
        now_ms: Callable[[], int],
        stamp: Callable[[int], int] = lambda at_ms: at_ms,
    ) -> None:
        """`now_ms` is agent time, in which observations come; `stamp` makes of it what is stored (`edge.clock`)."""
        self._stamp = stamp
        self._outbox, self._gather, self._normaliser = outbox, gather, normaliser
        self._rules, self._board, self._now_ms = rules, board, now_ms
        self._log = Log("pipeline")
        self._queue: queue.Queue[_Emission | None] = queue.Queue(MAX_WAITING)
        self._urgent: list[Observation] = []
        self._retry_at: float | None = None
        self._move_at = 0.0
        self._unstored = 0
        self._told: list[Loss] = []
        self._last = LastValues(board)
        self._odd_told: set[tuple[str, str, str]] = set()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)

    def start(self) -> None:
        """Begin to work, with what firing rules still owe from before the start."""
        self._rules.resume()
        self._thread.start()

    def close(self, timeout_s: float = 10.0) -> None:
        """Store everything that was emitted, then end. Later emissions are refused."""
        self._closed.set()
        self._queue.put(None, timeout=timeout_s)
        self._thread.join(timeout_s)

    def emit(
        self,
        driver: str,
        observations: Sequence[Observation],
        *,
        state: Mapping[str, Any] | None = None,
        durable: bool = False,
        timeout_s: float = 10.0,
    ) -> None:
        """As `DriverContext.emit`. Raises UnavailableError (nothing was taken) or StorageError (the disk refused)."""
        deadline = time.monotonic() + timeout_s
        stored: Future[None] | None = Future() if durable or state is not None else None
        self._put(_Emission(observations=observations, driver=driver, state=state, stored=stored), timeout_s)
        if stored is None:
            return
        try:
            stored.result(max(0.0, deadline - time.monotonic()))
        except FutureTimeoutError:
            if stored.cancel():
                raise UnavailableError("edge.pipeline.behind", seconds=timeout_s) from None
            stored.result(timeout_s)  # it is being written at this moment

    def tell(self, event: Event) -> None:
        """Store an event of the agent itself; it is logged if even that is not possible."""
        self._put_or_log(_Emission(observations=(event,)), event.kind)

    def settle(self, task: Task, error: LiandongError | None) -> None:
        """The outcome of a local rule's action: an event, and no longer owed once the device has confirmed it."""
        cleared = error is not None and error.code == "edge.rules.cleared"
        kind = "rule.acted" if error is None else "rule.action-ended" if cleared else "rule.action-failed"
        data = _about(task)
        if error is not None:
            data |= error.data()
        event = Event(device="", kind=kind, at_ms=self._now_ms(), data=data)
        self._log.info(kind.replace(".", "-"), **{**data, "params": None, "error": error})
        self._put_or_log(_Emission(observations=(event,), settled=task if error is None else None), kind)

    def resume(self, device: str) -> None:
        """`device` answers again: firing rules do what they still owe it."""
        self._put_or_log(_Emission(resumed=device), "resume")

    def overruled(self, wish: Wish) -> None:
        """Somebody wrote an output: rules owe nothing any more that it contradicts. Told, and stored with that."""
        self._put_or_log(_Emission(overruled=wish), "overruled")

    def between(self, act: Callable[[], None], timeout_s: float = 10.0) -> None:
        """Let the pipeline's own thread run `act` between two observations, and wait for it.

        Raises UnavailableError when the pipeline is behind or stopping, and what `act` raises.
        """
        done: Future[None] = Future()

        def run() -> None:
            try:
                act()
            except Exception as error:  # noqa: BLE001 - it belongs to whoever waits
                done.set_exception(error)
            else:
                done.set_result(None)

        self._put(_Emission(between=run), timeout_s)
        try:
            done.result(timeout_s)
        except FutureTimeoutError:
            raise UnavailableError("edge.pipeline.behind", seconds=timeout_s) from None

    def forget(self, device: str) -> None:
        """Whatever `device` tells next is stored, also what is no news. Only from `between`."""
        self._normaliser.forget_device(device)

    def judge_by(self, make: Callable[[LocalRules], LocalRules]) -> None:
        """Replace the local rules by what `make` makes of those that are in force. Only from `between`."""
        self._rules = make(self._rules)
        self._rules.resume()

    def _put(self, emission: _Emission, timeout_s: float) -> None:
        if self._closed.is_set():
            raise UnavailableError("edge.pipeline.stopped")
        try:
            self._queue.put(emission, timeout=timeout_s)
        except queue.Full:
            raise UnavailableError("edge.pipeline.behind", seconds=timeout_s) from None

    def _put_or_log(self, emission: _Emission, what: str) -> None:
        try:
            self._put(emission, 5.0)
        except UnavailableError as error:
            self._log.error("not-taken", what=what, error=error)

    def _run(self) -> None:
        ended = False
        while not ended:
            group, ended = self._next()
            taken = [e for e in group if e.stored is None or e.stored.set_running_or_notify_cancel()]
            try:
                self._work(taken, flush=ended)
            except Exception as error:  # noqa: BLE001 - one bad observation must not end the gateway's work
                self._log.error("pipeline-crashed", trace=True)
                _fail(taken, StorageError("edge.pipeline.crashed", why=repr(error)))

    def _next(self) -> tuple[list[_Emission], bool]:
        group: list[_Emission] = []
        try:
            item = self._queue.get(timeout=self._pause())
            while item is not None:
                group.append(item)
                if len(group) >= _GROUP:
                    return group, False
                item = self._queue.get_nowait()
        except queue.Empty:
            return group, False
        return group, True

    def _pause(self) -> float | None:
        """Seconds until something is due without anything arriving; None for never."""
        now = time.monotonic()
        dues = [self._gather.due] if self._gather.due is not None else []
        if self._retry_at is not None:
            dues = [self._retry_at]
        elif self._urgent:
            return 0.0
        rule_due = self._rules.due_ms()
        if rule_due is not None:
            dues.append(now + (rule_due - self._now_ms()) / 1000)
        if self._outbox.cramped is not None:
            dues.append(self._move_at)
        return max(0.0, min(dues) - now) if dues else None

    def _work(self, group: Sequence[_Emission], *, flush: bool) -> None:
        self._leave_memory()
        now_ms = self._now_ms()
        waited: list[tuple[_Emission, list[Observation]]] = []
        for emission in group:
            if emission.settled is not None:
                self._rules.settled(emission.settled)
            if emission.resumed is not None:
                self._rules.resume(emission.resumed)
            if emission.overruled is not None:
                self._rules.overruled(emission.overruled)
            if emission.between is not None:
                emission.between()
            kept = self._judge(emission.observations, now_ms)
            if emission.stored is not None:
                waited.append((emission, kept))
            else:
                self._sort_in(kept)
        self._rules.elapse(now_ms)
        self._tell_ended(now_ms)
        now = time.monotonic()
        if self._retry_at is not None:
            if waited or flush or now >= self._retry_at:
                self._store(waited, flush=True)
        else:
            due = self._gather.due
            self._store(waited, flush=flush or bool(waited) or (due is not None and due <= now))
        self._tell_odd()

    def _judge(self, observations: Iterable[Observation], now_ms: int) -> list[Observation]:
        """What of `observations` is worth storing. The rules see all of them, first."""
        facts = [self._normaliser.take(observation) for observation in observations]
        for fact in facts:
            self._rules.judge(fact, now_ms)
        return [fact for fact in facts if self._normaliser.worth_storing(fact)]

    def _sort_in(self, observations: Iterable[Observation]) -> None:
        bulk: list[Observation] = []
        for observation in observations:
            (self._urgent if self._normaliser.urgent(observation) else bulk).append(observation)
        self._gather.add(bulk, time.monotonic())

    def _store(self, waited: Sequence[tuple[_Emission, list[Observation]]], *, flush: bool) -> None:
        urgent, self._urgent = self._urgent, []
        bulk = self._gather.take() if flush else []
        awaited = [observation for _, kept in waited for observation in kept]
        awaited_urgent = [o for o in awaited if self._normaliser.urgent(o)]
        awaited_bulk = [o for o in awaited if not self._normaliser.urgent(o)]
        told_urgent, told_bulk = self._stamped([*urgent, *awaited_urgent]), self._stamped([*bulk, *awaited_bulk])
        commit = Commit(
            blocks=blocks(Lane.URGENT, told_urgent) + blocks(Lane.BULK, told_bulk),
            driver_states={e.driver: e.state for e, _ in waited if e.state is not None}
            | self._last.rows(told_urgent, told_bulk, ending=self._closed.is_set()),
            rules=self._rules.take_changes(),
            told=self._told,
        )
        try:
            losses = self._commit(commit)
        except StorageError as error:
            self._rules.put_back(commit.rules)
            self._put_back(urgent, bulk, awaited, error)
            _fail([emission for emission, _ in waited], error)
            return
        if self._retry_at is not None:
            self._log.info("storing-again")
            self._retry_at = None
        self._told = []
        self._board.stored([*told_urgent, *told_bulk])
        for emission, _ in waited:
            assert emission.stored is not None
            emission.stored.set_result(None)
        self._tell_losses(losses)

    def _tell_ended(self, now_ms: int) -> None:
        for task, wish in self._rules.take_ended():
            data = _about(task) | {"by": wish.by, "instead": {"output": wish.output, "value": wish.value}}
            self._log.info("rule-action-ended", **data)
            self.tell_from_inside(Event(device="", kind="rule.action-ended", at_ms=now_ms, data=data))

    def _stamped(self, observations: Iterable[Observation]) -> list[Observation]:
        """`observations` with the times that are stored and sent, as late as possible: by now the time may be known."""
        told: list[Observation] = []
        for observation in observations:
            at_ms = self._stamp(observation.at_ms)
            told.append(observation if at_ms == observation.at_ms else replace(observation, at_ms=at_ms))
        return told

    def _commit(self, commit: Commit) -> list[Loss]:
        if not commit:
            return []
        try:
            return self._outbox.append(commit)
        except StorageError as error:
            if error.code != "edge.storage.corrupt":
                raise
            self._log.error("outbox-set-aside", error=error)
            self._outbox.reopen(error, self._now_ms())
            self._urgent += news_of(self._outbox, self._now_ms())
            return self._outbox.append(commit)

    def _leave_memory(self) -> None:
        if self._outbox.cramped is None or time.monotonic() < self._move_at:
            return
        self._move_at = time.monotonic() + MOVE_S
        if self._outbox.move_to_disk(self._now_ms()):
            self._log.info("outbox-on-disk", epoch=self._outbox.epoch)
            self._urgent += news_of(self._outbox, self._now_ms(), moved=True)

    def _put_back(
        self, urgent: list[Observation], bulk: list[Observation], refused: list[Observation], error: StorageError
    ) -> None:
        """The disk refused: keep what nobody will tell again, within bounds."""
        if self._retry_at is None:
            self._log.error("storing-failed", error=error)
        self._retry_at = time.monotonic() + RETRY_S
        for observation in refused:
            self._normaliser.forget(observation)
        bulk += self._gather.take()
        surplus = max(0, len(urgent) + len(bulk) - MAX_UNSTORED)
        lost_bulk = min(surplus, len(bulk))
        self._unstored += surplus
        self._urgent = urgent[surplus - lost_bulk :] + self._urgent
        self._gather.add(bulk[lost_bulk:], time.monotonic())

    def _tell_losses(self, losses: Iterable[Loss]) -> None:
        for loss in losses:
            data = {
                "epoch": str(loss.epoch),
                "lane": str(loss.lane),
                "first": loss.first,
                "last": loss.last,
                "count": loss.count,
                "reason": loss.reason,
            }
            self._lost(data)
            self._told.append(loss)
        if self._unstored:
            self._lost({"count": self._unstored, "reason": "storage"})
            self._unstored = 0

    def _lost(self, data: dict[str, Any]) -> None:
        self._log.warning("outbox-lost", **data)
        self.tell_from_inside(Event(device="", kind="outbox.lost", at_ms=self._now_ms(), data=data))

    def tell_from_inside(self, event: Event) -> None:
        """Store `event` with the next commit. Only from the pipeline's own thread, or before `start`."""
        self._urgent.append(event)

    def _tell_odd(self) -> None:
        for odd in self._normaliser.odd.keys() - self._odd_told:
            self._odd_told.add(odd)
            device, what, why = odd
            self._log.warning("odd-observation", device=device or "-", what=what, why=why)


def _about(task: Task) -> dict[str, Any]:
    about = {"rule": task.rule, "cause": task.cause, "device": task.device, "output": task.output}
    return {**about, "value": task.value}


def check_devices(observations: Iterable[Observation], devices: Iterable[str]) -> None:
    """Raise RefusedError for an observation of a device that a driver does not carry."""
    known = set(devices)
    for observation in observations:
        if observation.device not in known:
            raise RefusedError("edge.driver.not-its-device", device=observation.device)


def _fail(group: Iterable[_Emission], error: LiandongError) -> None:
    for emission in group:
        if emission.stored is not None and not emission.stored.done():
            emission.stored.set_exception(error)
