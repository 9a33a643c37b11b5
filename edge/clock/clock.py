"""Whether the wall clock is believed, and what time it is: a state machine without input or output of its own.

Three times are told apart. *Steady* time counts from the boot of the machine and never steps. *Agent* time (`now_ms`)
is steady time plus what was taken for the right difference when the agent started: rules, drivers and schedules live in
it, so nothing ever steps under them. *Wall* time is UTC as far as it is known: steady time plus an offset that follows
slow drift and jumps only when a witness agrees (`look`, `hear`). `stamp` turns agent time into wall time.

unknown ──kernel, machine or host vouches──▶ known ⇄ disputed (the system clock stepped, nobody vouches for it yet)
"""

from __future__ import annotations

import threading
from typing import Final, Literal

from edge.clock.source import Sight, Source
from edge.clock.trail import Trail
from edge.clock.values import (
    STEP_NS,
    ClockCondition,
    Corrected,
    Known,
    Memory,
    News,
    Origin,
    Stepped,
    Trust,
    Word,
)
from edge.outbox.stamp import is_unresolved, monotonic_of, unresolved

WORDS: Final = 3
"""So many words of the host in a row overrule a clock that nobody else ever vouched for."""
NOT_BEFORE_MS: Final = 1_735_689_600_000
"""No release is older (2025-01-01): a wall clock that shows less is not set."""
NOT_AFTER_MS: Final = NOT_BEFORE_MS + 30 * 365 * 86_400_000
MOST_DOUBT_NS: Final = 10_000_000_000
"""A word of the host counts if the round trip leaves less doubt than this."""
FRESH_NS: Final = 3600 * 1_000_000_000
"""So long a word of the host is held against a later step; by then our steady clock may have drifted 0.4 s."""
_MS: Final = 1_000_000


class Clock:
    """One agent's time. Every method may be called from any thread."""

    def __init__(self, source: Source, *, trust: Trust = "auto", memory: Memory | None = None) -> None:
        """`memory`: what an agent before this one left (see `memory`); None on a new gateway."""
        self._source, self._trust = source, trust
        self._lock = threading.Lock()
        self._boot = source.boot()
        self._newest_ms = max(NOT_BEFORE_MS, memory.newest_ms if memory is not None else 0)
        self._origin: Origin | None = None
        self._confirmed = False
        self._disputed = False
        self._words = 0
        self._word: Word | None = None
        self._heard_ns = 0
        self._skew_ns: int | None = None
        self._learned_ms: int | None = None
        self._step: tuple[Stepped, int] | None = None
        self._sight = source.look()
        self._seen_ns = self._sight.wall_ns - self._sight.steady_ns
        self._base_ms = self._begin(memory)
        self._trail = Trail(self._sight.steady_ns, self._base_ms * _MS)

    def _begin(self, memory: Memory | None) -> int:
        """The offset (ms) to begin with: this boot's, if it was known before; else the system's, or an estimate."""
        sight = self._sight
        if memory is not None and memory.boot == self._boot and memory.offset_ns is not None:
            self._origin, self._confirmed = memory.origin, memory.confirmed
            self._learned_ms = memory.offset_ns // _MS
            self._seen_ns = memory.offset_ns  # a step while no agent ran is told by the first look
            return memory.offset_ns // _MS
        self._origin = self._vouched(sight)
        if self._origin is None and not self._newest_ms <= sight.wall_ns // _MS < NOT_AFTER_MS:
            return self._newest_ms - sight.steady_ns // _MS
        self._learned_ms = None if self._origin is None else self._seen_ns // _MS
        return self._seen_ns // _MS

    @property
    def boot(self) -> str:
        """Which boot of the machine this is."""
        return self._boot

    @property
    def known(self) -> bool:
        """Whether the wall time is known."""
        return self._origin is not None

    @property
    def learned_ms(self) -> int | None:
        """Wall minus steady time when this agent learned it; None before. What was stamped until then goes by it."""
        return self._learned_ms

    @property
    def agrees(self) -> bool:
        """Whether the system clock shows the time as it is known: programs that go by it are right."""
        return self._origin is not None and not self._disputed

    @property
    def memory(self) -> Memory:
        """What the next agent on this machine must know, as of now."""
        with self._lock:
            steady = self._source.steady_ns()
            offset = None if self._origin is None else self._trail.offset_ns(steady)
            if offset is not None:
                self._newest_ms = (steady + offset) // _MS
            return Memory(
                boot=self._boot,
                offset_ns=offset,
                origin=self._origin,
                confirmed=self._confirmed,
                newest_ms=self._newest_ms,
            )

    @property
    def condition(self) -> ClockCondition:
        """How it stands."""
        with self._lock:
            apart = self._seen_ns - self._trail.offset_ns(self._sight.steady_ns)
            return ClockCondition(
                known=self._origin is not None,
                origin=self._origin,
                synchronised=self._sight.synchronised,
                disputed=self._disputed,
                apart_ms=round(apart / _MS),
                skew_ms=None if self._skew_ns is None else round(self._skew_ns / _MS),
                last_step=None if self._step is None else self._step[0],
                last_step_ms=None if self._step is None else self._step[1],
            )

    def steady_s(self) -> float:
        """Seconds since the boot, time asleep included: for what must not outlive its time."""
        return self._source.steady_ns() / 1e9

    def now_ms(self) -> int:
        """Agent time, ms: near UTC, and never steps."""
        return self._source.steady_ns() // _MS + self._base_ms

    def wall_ms(self) -> int:
        """UTC in ms since 1970 as well as it is known; an estimate while it is not."""
        with self._lock:
            steady = self._source.steady_ns()
            return (steady + self._trail.offset_ns(steady)) // _MS

    def utc_ms(self) -> int:
        """UTC in ms since 1970; 0 while it is not known."""
        return self.wall_ms() if self.known else 0

    def system_ms(self) -> int:
        """What other programs on this machine take for UTC at this moment, ms since 1970, right or wrong."""
        return self._source.look().wall_ns // _MS

    def utc(self, at_ms: int) -> int:
        """The agent time `at_ms` as UTC, ms since 1970, as well as it is known now."""
        with self._lock:
            return at_ms + self._correction_ms(at_ms)

    def stamp(self, at_ms: int) -> int:
        """The agent time `at_ms` as a stamp: UTC in ms since 1970 or, while that is not known, `unresolved`."""
        with self._lock:
            if self._origin is None:
                return unresolved(at_ms - self._base_ms)
            return at_ms + self._correction_ms(at_ms)

    def resolve(self, stamp: int) -> int:
        """A stamp of this boot as UTC, ms since 1970: what `learned_ms` makes of it or, before, an estimate."""
        if not is_unresolved(stamp):
            return stamp
        return monotonic_of(stamp) + (self._base_ms if self._learned_ms is None else self._learned_ms)

    def look(self) -> list[News]:
        """Compare with the system clock; to be called about once a second. What there is to tell."""
        sight = self._source.look()
        with self._lock:
            self._sight = sight
            before, self._seen_ns = self._seen_ns, sight.wall_ns - sight.steady_ns
            if self._origin is None:
                vouched = self._vouched(sight)
                return [] if vouched is None else [self._learn(self._seen_ns, vouched)]
            return self._compare(sight, self._seen_ns - before)

    def hear(self, word: Word) -> list[News]:
        """The primary host told its time. What there is to tell."""
        with self._lock:
            steady = self._source.steady_ns()
            offset = self._trail.offset_ns(steady)
            set_at_all = NOT_BEFORE_MS <= (steady + word.middle_ns) // _MS < NOT_AFTER_MS
            if word.high_ns - word.low_ns > MOST_DOUBT_NS or not set_at_all:
                return []
            self._skew_ns = word.middle_ns - offset
            if self._trust == "system":
                return []
            if self._origin is None:
                system = word.allows(self._seen_ns)
                return [self._learn(self._seen_ns if system else word.middle_ns, "host")]
            before, self._word, self._heard_ns = self._word, word, steady
            return self._weigh(word, before, offset)

    def _vouched(self, sight: Sight) -> Origin | None:
        """Who says that the system clock is right, if anybody does."""
        wall_ms = sight.wall_ns // _MS
        if self._trust == "system":
            return "system"
        if not NOT_BEFORE_MS <= wall_ms < NOT_AFTER_MS:
            return None
        if sight.synchronised:
            return "kernel"
        if self._trust == "auto" and wall_ms >= self._newest_ms and self._source.keeps_time():
            return "machine"
        return None

    def _learn(self, offset_ns: int, origin: Origin) -> Known:
        steady = self._source.steady_ns()
        jump = offset_ns - self._trail.offset_ns(steady)
        self._origin, self._confirmed = origin, origin == "host"
        self._disputed = abs(self._seen_ns - offset_ns) > STEP_NS
        self._trail.jump(steady, offset_ns)
        self._learned_ms = offset_ns // _MS
        return Known(origin=origin, offset_ms=offset_ns // _MS, jump_ms=round(jump / _MS))

    def _compare(self, sight: Sight, by_ns: int) -> list[News]:
        """The system clock moved by `by_ns` since the last look, beside what it ran."""
        apart = self._seen_ns - self._trail.offset_ns(sight.steady_ns)
        stepped = abs(by_ns) > STEP_NS
        if abs(apart) <= STEP_NS:
            returned = stepped or self._disputed
            self._disputed = False
            self._trail.lean(sight.steady_ns, apart)
            if self._vouched(sight) == "kernel":
                self._origin = "kernel"
            return [self._told(by_ns, apart, "returned")] if returned else []
        witness = self._witness(sight)
        if witness is None:
            told = stepped or not self._disputed
            self._disputed = True
            return [self._told(by_ns, apart, "kept")] if told else []
        step: list[News] = [self._told(by_ns, apart, "adopted")] if stepped else []
        return [*step, self._adopt(self._seen_ns, witness)]

    def _witness(self, sight: Sight) -> Origin | None:
        """Who says that the system clock is right and ours is not, if anybody does."""
        vouched = self._vouched(sight)
        if vouched in ("system", "kernel"):
            return vouched
        if self._word is None or sight.steady_ns - self._heard_ns > FRESH_NS:
            return None
        ours = self._trail.offset_ns(sight.steady_ns)
        return "host" if self._word.allows(self._seen_ns) and not self._word.allows(ours) else None

    def _weigh(self, word: Word, before: Word | None, offset: int) -> list[News]:
        """Hold a word of the host against a known time."""
        apart = word.apart_ns(offset)
        if abs(apart) <= STEP_NS:
            self._words, self._confirmed = 0, True
            if self._disputed and self._origin == "host":
                self._trail.lean(self._source.steady_ns(), apart)
            return []
        if self._disputed and word.allows(self._seen_ns):
            return [self._adopt(self._seen_ns, "host")]
        alone = self._origin == "host" and self._disputed
        if not alone and (self._origin != "machine" or self._confirmed):
            return []
        consistent = before is not None and abs(before.apart_ns(word.middle_ns)) <= STEP_NS
        self._words = self._words + 1 if consistent else 1
        return [self._adopt(word.middle_ns, "host")] if self._words >= WORDS else []

    def _adopt(self, offset_ns: int, origin: Origin) -> Corrected:
        steady = self._source.steady_ns()
        by = offset_ns - self._trail.offset_ns(steady)
        self._trail.jump(steady, offset_ns)
        self._origin, self._words = origin, 0
        self._confirmed = self._confirmed or origin == "host"
        self._disputed = abs(self._seen_ns - offset_ns) > STEP_NS
        if self._skew_ns is not None:
            self._skew_ns -= by
        return Corrected(by_ms=round(by / _MS), origin=origin)

    def _told(self, by_ns: int, apart_ns: int, done: Literal["adopted", "kept", "returned"]) -> Stepped:
        told = Stepped(by_ms=round(by_ns / _MS), apart_ms=round(apart_ns / _MS), done=done)
        self._step = told, self._source.steady_ns() // _MS + self._base_ms
        return told

    def _correction_ms(self, at_ms: int) -> int:
        steady = (at_ms - self._base_ms) * _MS
        return self._trail.offset_ns(steady) // _MS - self._base_ms
