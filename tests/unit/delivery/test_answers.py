"""A birth that is not answered for everything it declares is repeated; scripts in time."""

from __future__ import annotations

from uuid import UUID

from protocols.delivery import Acknowledgement, BirthId, BirthWatch, Lane, NumberSet

E1, E2 = UUID(int=1), UUID(int=2)
FIRST, SECOND = BirthId(epoch=E2, count=1), BirthId(epoch=E2, count=2)
DECLARED = [(E2, Lane.URGENT), (E2, Lane.BULK), (E1, Lane.BULK)]


def answer(birth: BirthId, epoch: UUID, lane: Lane, *, host: str = "us", received: str = "{}") -> Acknowledgement:
    return Acknowledgement(host=host, birth=birth, epoch=epoch, lane=lane, received=NumberSet.parse(received))


def test_answered_in_full() -> None:
    watch = BirthWatch("us")
    assert not watch.must_repeat(1e9)
    watch.born(FIRST, DECLARED, 0)
    for epoch, lane in DECLARED:
        assert watch.hear(answer(FIRST, epoch, lane), 1)
    assert watch.answered
    assert not watch.must_repeat(1e9)


def test_repeated_with_doubling_pause() -> None:
    watch = BirthWatch("us")
    moments: list[float] = []
    now = 0.0
    watch.born(FIRST, DECLARED, now)
    while len(moments) < 8:
        now += 1
        if watch.must_repeat(now):
            moments.append(now)
            watch.born(FIRST, DECLARED, now)
    pauses = [after - before for before, after in zip([0.0, *moments], moments, strict=False)]
    assert pauses == [10, 20, 40, 80, 160, 320, 600, 600]


def test_one_lane_missing_is_not_answered() -> None:
    watch = BirthWatch("us")
    watch.born(FIRST, DECLARED, 0)
    watch.hear(answer(FIRST, E2, Lane.URGENT), 1)
    watch.hear(answer(FIRST, E2, Lane.BULK), 1)
    assert not watch.must_repeat(9)
    assert watch.must_repeat(10)


def test_only_our_host_is_obeyed() -> None:
    """A second cloud on the broker must not make an agent delete."""
    watch = BirthWatch("us")
    watch.born(FIRST, DECLARED, 0)
    assert not watch.hear(answer(FIRST, E2, Lane.BULK, host="other"), 1)
    assert not watch.answered


def test_another_birth_named_means_birth_again() -> None:
    watch = BirthWatch("us")
    watch.born(SECOND, DECLARED, 0)
    for epoch, lane in DECLARED:
        watch.hear(answer(SECOND, epoch, lane), 1)
    assert not watch.hear(answer(FIRST, E2, Lane.BULK), 2)
    assert not watch.must_repeat(9)
    assert watch.must_repeat(10)
    watch.hear(answer(SECOND, E2, Lane.BULK), 11)  # the stale one was only late
    assert not watch.must_repeat(12)


def test_fragments_answer_when_they_reach_the_end() -> None:
    watch = BirthWatch("us")
    watch.born(FIRST, [(E1, Lane.BULK)], 0)
    first, second, third = answer(FIRST, E1, Lane.BULK, received="{[2,3),[5,6),[9,10)}").parts(ranges=1)
    assert watch.hear(third, 1)
    assert watch.hear(first, 1)
    assert not watch.answered
    watch.hear(second, 2)
    assert not watch.answered  # the third came before the hole was closed
    watch.hear(third, 2)
    assert watch.answered


def test_quiet_time_takes_the_pause_back() -> None:
    watch = BirthWatch("us")
    for now in (0, 10, 30):
        watch.born(FIRST, [(E1, Lane.BULK)], now)
    watch.hear(answer(FIRST, E1, Lane.BULK), 31)
    watch.hear(answer(FIRST, E1, Lane.BULK), 80)
    watch.born(SECOND, [(E1, Lane.BULK)], 100)
    assert watch.must_repeat(110)


def test_nothing_is_waited_for_without_a_session() -> None:
    watch = BirthWatch("us")
    watch.born(FIRST, DECLARED, 0)
    watch.disconnected()
    assert not watch.must_repeat(1e9)
    assert not watch.hear(answer(FIRST, E2, Lane.BULK), 1)


def test_sessions_that_break_in_a_row_do_not_make_the_pause_longer() -> None:
    """Found by the fault lab: after a storm of reconnects a birth that nobody heard was not repeated for minutes."""
    watch = BirthWatch("us")
    for moment in range(0, 60, 5):
        watch.born(FIRST, DECLARED, moment)
        watch.disconnected()
    watch.born(SECOND, DECLARED, 60)
    assert watch.must_repeat(70)


def test_births_that_the_host_asks_for_do_not_make_the_pause_longer() -> None:
    watch = BirthWatch("us")
    for moment in range(8):
        watch.born(FIRST, DECLARED, moment)
    assert watch.must_repeat(17)
