"""Which time is believed: starts, steps, words of the host, drift, reboots, and any sequence of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock.clock import NOT_BEFORE_MS, WORDS, Clock
from edge.clock.source import Sight
from edge.clock.values import Corrected, Known, Memory, Stepped, Trust, Word
from edge.outbox.stamp import is_unresolved, monotonic_of

S = 1_000_000_000
HOUR = 3600 * S
TRUE_NS = 1_800_000_000 * S
"""True time at the beginning (2027); the machine was started an hour before."""


@dataclass
class World:
    """A machine, and the truth."""

    true_ns: int = TRUE_NS
    booted_ns: int = TRUE_NS - HOUR
    wrong_ns: int = 0
    kernel: bool | None = False
    keeps: bool = True
    boots: int = 1
    trust: Trust = "auto"
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(self, trust=self.trust)

    def boot(self) -> str:
        return f"boot-{self.boots}"

    def steady_ns(self) -> int:
        return self.true_ns - self.booted_ns

    def look(self) -> Sight:
        return Sight(steady_ns=self.steady_ns(), wall_ns=self.true_ns + self.wrong_ns, synchronised=self.kernel)

    def keeps_time(self) -> bool:
        return self.keeps

    def reboot(self, off_s: float = 60.0) -> None:
        memory = self.clock.memory
        self.true_ns += round(off_s * S)
        self.booted_ns, self.boots = self.true_ns - 20 * S, self.boots + 1
        self.restart(memory)

    def restart(self, memory: Memory | None = None) -> None:
        self.clock = Clock(self, trust=self.trust, memory=memory or self.clock.memory)

    def word(self, *, host_wrong_ns: int = 0, trip_ns: int = S // 10) -> Word:
        asked = self.clock.steady_s()
        self.true_ns += trip_ns
        told = (self.true_ns - trip_ns // 3 + host_wrong_ns) // 1_000_000
        return Word.between(asked_s=asked, told_ms=told, heard_s=self.clock.steady_s())

    def run(self, seconds: int = 1) -> list[object]:
        told: list[object] = []
        for _ in range(seconds):
            self.true_ns += S
            told += self.clock.look()
        return told

    @property
    def error_ms(self) -> int:
        return self.clock.wall_ms() - self.true_ns // 1_000_000


def unset(**more: object) -> World:
    """A machine without a battery, after a power cut: its clock begins in 1970."""
    return World(wrong_ns=-TRUE_NS + 30 * S, keeps=False, **more)  # type: ignore[arg-type]


def test_an_ordinary_machine_is_believed_at_once_with_or_without_a_time_server() -> None:
    assert World().clock.condition.origin == "machine"
    assert World(kernel=True).clock.condition.origin == "kernel"
    assert World(kernel=None, keeps=True).clock.known


@pytest.mark.parametrize(
    "world",
    [
        unset(),
        unset(kernel=None),
        World(wrong_ns=-10 * 365 * 86400 * S),
        World(wrong_ns=73 * 365 * 86400 * S),
        World(keeps=False),
        World(trust="synchronised"),
    ],
    ids=["1970", "1970-untold", "dead-battery", "2099", "no-battery", "strict"],
)
def test_a_clock_that_nobody_vouches_for_is_not_believed(world: World) -> None:
    assert not world.clock.known
    assert is_unresolved(world.clock.stamp(world.clock.now_ms()))
    assert world.clock.now_ms() >= NOT_BEFORE_MS
    assert not world.run(5)


def test_a_clock_of_before_the_last_power_cut_is_not_believed() -> None:
    world = World()
    world.run(60)
    world.wrong_ns = -HOUR
    world.reboot()
    assert not world.clock.known
    world.run(5)
    world.wrong_ns = 0
    assert [type(news) for news in world.run()] == [Known]


def test_configuration_may_believe_the_system_always() -> None:
    world = World(trust="system", keeps=False)
    assert world.clock.condition.origin == "system"
    world.wrong_ns = HOUR
    assert [type(news) for news in world.run()] == [Stepped, Corrected]
    assert world.error_ms == 3_600_000


def test_the_kernel_makes_it_known_and_agent_time_does_not_move() -> None:
    world = unset()
    before, at = world.clock.now_ms(), world.clock.now_ms() - 5
    early = world.clock.stamp(at)
    world.wrong_ns, world.kernel = 0, True
    (known,) = world.run()
    assert isinstance(known, Known)
    assert known.origin == "kernel"
    assert world.clock.now_ms() - before == 1000
    assert world.error_ms == 0
    assert monotonic_of(early) + known.offset_ms == world.clock.stamp(at) == world.clock.resolve(early)


def test_the_host_makes_it_known_when_nobody_else_does() -> None:
    world = unset()
    (known,) = world.clock.hear(world.word())
    assert isinstance(known, Known)
    assert known.origin == "host"
    assert abs(world.error_ms) <= 100
    assert world.clock.condition.disputed
    assert not world.clock.agrees
    assert not world.run(10)


def test_what_the_host_says_after_a_long_silence_counts_for_nothing() -> None:
    world = unset()
    assert not world.clock.hear(world.word(trip_ns=60 * S))
    assert not world.clock.hear(world.word(host_wrong_ns=-TRUE_NS))
    assert not world.clock.known


def test_the_host_confirms_the_system_clock_which_is_finer() -> None:
    world = World(keeps=False)
    world.clock.hear(world.word(trip_ns=3 * S))
    assert world.error_ms == 0
    assert world.clock.agrees


@pytest.mark.parametrize("step_s", [3600, -3600, 60, -5, -1_800_000_000 + 30, 72 * 365 * 86400])
def test_a_step_that_nobody_vouches_for_changes_nothing(step_s: int) -> None:
    world = World()
    world.run(3)
    world.wrong_ns = step_s * S
    (told,) = world.run(5)
    assert isinstance(told, Stepped)
    assert (told.by_ms, told.done) == (step_s * 1000, "kept")
    assert world.error_ms == 0
    world.clock.hear(world.word())
    assert world.error_ms == 0
    world.wrong_ns = 0
    (back,) = world.run(5)
    assert isinstance(back, Stepped)
    assert (back.by_ms, back.done) == (-step_s * 1000, "returned")
    assert world.clock.agrees


def test_a_step_to_the_right_time_is_adopted_once_the_kernel_says_so() -> None:
    world = World(wrong_ns=-HOUR)
    assert world.error_ms == -3_600_000
    world.wrong_ns = 0
    (kept,) = world.run(3)
    assert isinstance(kept, Stepped)
    assert kept.done == "kept"
    world.kernel = True
    (corrected,) = world.run(3)
    assert isinstance(corrected, Corrected)
    assert (corrected.by_ms, corrected.origin) == (3_600_000, "kernel")
    assert world.error_ms == 0


def test_a_step_to_the_right_time_is_adopted_once_the_host_agrees() -> None:
    world = World(wrong_ns=-HOUR)
    world.wrong_ns = 0
    world.run(3)
    (corrected,) = world.clock.hear(world.word())
    assert isinstance(corrected, Corrected)
    assert corrected.origin == "host"
    assert world.error_ms == 0
    assert not world.run(5)


def test_a_fresh_word_of_the_host_decides_a_later_step_at_once() -> None:
    world = World(wrong_ns=-HOUR)
    world.clock.hear(world.word())
    world.wrong_ns = 0
    stepped, corrected = world.run()
    assert isinstance(stepped, Stepped)
    assert stepped.done == "adopted"
    assert isinstance(corrected, Corrected)
    assert world.error_ms == 0


def test_only_a_clock_that_nobody_ever_vouched_for_is_overruled_by_the_host_alone() -> None:
    world = World(wrong_ns=-HOUR)
    told = [news for _ in range(WORDS) for news in world.clock.hear(world.word())]
    assert [type(news) for news in told] == [Corrected]
    assert abs(world.error_ms) <= 100
    for vouched in (World(kernel=True), World()):
        vouched.clock.hear(vouched.word())
        told = [news for _ in range(9) for news in vouched.clock.hear(vouched.word(host_wrong_ns=-HOUR))]
        assert not told
        assert vouched.error_ms == 0
        skew = vouched.clock.condition.skew_ms
        assert skew is not None
        assert abs(skew + 3_600_000) < 200


def test_slow_drift_is_followed_without_a_step_backwards() -> None:
    world = World()
    stamps: list[int] = []
    for second in range(600):
        world.wrong_ns = -second * S // 1000
        assert not world.run()
        stamps += [world.clock.stamp(world.clock.now_ms() + ms) for ms in range(0, 1000, 100)]
    assert abs(world.error_ms + 599) <= 30
    assert stamps == sorted(stamps)


def test_an_agent_that_is_started_again_goes_on_with_its_boots_offset() -> None:
    world = World()
    world.wrong_ns = HOUR
    world.restart()
    assert world.error_ms == 0
    (told,) = world.run()
    assert isinstance(told, Stepped)
    assert told.done == "kept"
    world.reboot()
    assert world.error_ms == 3_600_000, "after a reboot the machine's clock is all there is"


def test_a_copied_memory_of_another_boot_is_only_a_lower_bound() -> None:
    world = World()
    memory = replace(world.clock.memory, boot="another", offset_ns=0)
    world.restart(memory)
    assert world.error_ms == 0


STEPS = [-TRUE_NS, -HOUR, -2 * S, -S // 2, S // 3, 5 * S, HOUR, 73 * 365 * 86400 * S]
ACTS = st.one_of(
    st.tuples(st.just("run"), st.integers(1, 20)),
    st.tuples(st.just("step"), st.sampled_from(STEPS)),
    st.tuples(st.just("right"), st.just(0)),
    st.tuples(st.just("kernel"), st.sampled_from([0, 1])),
    st.tuples(st.just("word"), st.sampled_from([S // 100, S, 9 * S])),
    st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("reboot"), st.integers(1, 100_000)),
    st.tuples(st.just("observe"), st.integers(0, 999)),
)


@given(st.lists(ACTS, max_size=40), st.booleans(), st.booleans())
def test_any_sequence(acts: list[tuple[str, int]], set_at_start: bool, keeps: bool) -> None:
    """Stamps follow the order of what was observed, between two corrections; agent time never steps; and whatever
    happened, the right time is found once a time server sets the clock."""
    world = World(wrong_ns=0 if set_at_start else -TRUE_NS, keeps=keeps)
    stamps: list[int] = []
    for act, much in acts:
        at, news = world.clock.now_ms(), list[object]()
        began = world.true_ns
        if act == "run":
            news = world.run(much)
        elif act == "step":
            world.wrong_ns, world.kernel = much, False
            news = list(world.clock.look())
        elif act == "right":
            world.wrong_ns = 0
        elif act == "kernel":
            world.kernel = bool(much) and world.wrong_ns == 0
        elif act == "word":
            news = list(world.clock.hear(world.word(trip_ns=much)))
        elif act == "restart":
            world.restart()
            stamps = []
        elif act == "reboot":
            world.reboot(much)
            stamps = []
        if act not in ("restart", "reboot"):
            assert abs((world.clock.now_ms() - at) - (world.true_ns - began) // 1_000_000) <= 1
        if any(isinstance(one, Corrected | Known) for one in news):
            stamps = []
        stamps += [world.clock.stamp(world.clock.now_ms() + ms) for ms in (0, 1)]
        world.true_ns += 2_000_000
        assert stamps == sorted(stamps)
    world.wrong_ns, world.kernel = 0, True
    world.run(60)
    assert world.clock.agrees
    assert abs(world.error_ms) <= 20
