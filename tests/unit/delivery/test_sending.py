"""What goes out of a gateway, in which order, when it goes again, and what of it is history."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from edge.outbox.database import open_database
from edge.outbox.gather import Gather, blocks
from edge.outbox.quota import Quota
from edge.outbox.store import Commit, Outbox
from edge.uplink.sending import History, Sending
from protocols.delivery import Acknowledgement, BirthId, BirthWatch, Lane, MessageId, NumberSet, Window
from protocols.events import Reading

QUOTA: Final = Quota(total=1 << 30, acknowledged=1 << 30)


class Gateway:
    """An outbox file, opened again and again, and what was sent from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.value = 0
        self.outbox = Outbox(path, now_ms=0, quota=QUOTA)

    def open_again(self) -> None:
        self.outbox.close()
        self.outbox = Outbox(self.path, now_ms=0, quota=QUOTA)

    def observe(self, lane: Lane) -> None:
        self.value += 1
        reading = Reading(device="meter-1", metric="power", value=float(self.value), at_ms=1_000 + self.value)
        self.outbox.append(Commit(blocks=blocks(lane, [reading])))

    def sending(self) -> Sending:
        return Sending(self.outbox, lambda block, error: pytest.fail(str(error)))


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path / "outbox.db")
    yield made
    made.outbox.close()


def everything(sending: Sending, now: float = 0.0) -> list[MessageId]:
    found = []
    while (outgoing := sending.next()) is not None:
        found.append(outgoing.block.id)
        sending.sent(outgoing, now)
    return found


def test_urgent_of_every_epoch_goes_before_bulk_of_any_and_older_epochs_first(gateway: Gateway) -> None:
    epochs = []
    for _ in range(3):
        gateway.open_again()
        epochs.append(gateway.outbox.epoch)
        gateway.observe(Lane.BULK)
        gateway.observe(Lane.URGENT)
        gateway.observe(Lane.URGENT)
    sent = everything(gateway.sending())
    assert [one.lane for one in sent] == [Lane.URGENT] * 6 + [Lane.BULK] * 3
    assert [one.epoch for one in sent if one.first == 1 and one.lane is Lane.URGENT] == epochs
    assert [one.first for one in sent if one.lane is Lane.URGENT] == [1, 2] * 3


def test_an_alarm_goes_before_a_backlog_that_is_on_its_way(gateway: Gateway) -> None:
    for _ in range(200):
        gateway.observe(Lane.BULK)
    sending = gateway.sending()
    everything(sending)
    gateway.observe(Lane.URGENT)
    (alarm,) = everything(sending)
    assert alarm.lane is Lane.URGENT


def test_what_is_not_acknowledged_in_time_goes_again(gateway: Gateway) -> None:
    gateway.observe(Lane.URGENT)
    gateway.observe(Lane.BULK)
    sending = gateway.sending()
    first = everything(sending)
    assert everything(sending) == []
    assert sending.expire(sending.window.timeout + 1) == 2
    assert everything(sending) == first


def test_what_is_older_than_the_last_one_sent_is_history(gateway: Gateway) -> None:
    for _ in range(3):
        gateway.observe(Lane.BULK)
    sending, history = gateway.sending(), History()

    def marks() -> list[bool]:
        found = []
        while (outgoing := sending.next()) is not None:
            found += [metric.is_historical for metric in history.metrics(outgoing, lambda device, metric: "Double")]
            sending.sent(outgoing, 0.0)
        return found

    assert marks() == [False, False, False]
    sending.expire(1000.0)
    assert marks() == [True, True, False], "by order of appending, in this session"
    history.begin()
    sending.expire(2000.0)
    assert marks() == [False, False, False], "a new session"


def test_bulk_is_due_after_a_second_or_with_64_kb() -> None:
    gather = Gather(flush_s=1.0, flush_bytes=1024)
    assert not len(gather)
    reading = Reading(device="meter-1", metric="power", value=1.0, at_ms=1)
    gather.add([reading], 10.0)
    gather.add([reading], 10.9)
    assert gather.due == 11.0
    gather.add([reading] * 100, 10.9)
    assert gather.due == 0.0
    assert len(gather.take()) == 102
    assert not len(gather)


def test_a_commit_is_on_the_disk_before_anybody_can_send_it(tmp_path: Path) -> None:
    with closing(open_database(tmp_path / "any.db", "CREATE TABLE t (x INTEGER);", 1)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    assert (mode, synchronous) == ("wal", 2), "2 is FULL: every commit waits for the disk"


def test_the_current_epoch_is_declared_also_when_it_is_empty_and_older_ones_while_they_are_held(
    gateway: Gateway,
) -> None:
    gateway.observe(Lane.URGENT)
    older = gateway.outbox.epoch
    gateway.open_again()
    declared = gateway.outbox.declare()
    current = gateway.outbox.epoch
    assert [(d.epoch, str(d.held), d.last_given) for d in declared.lanes[Lane.BULK]] == [(current, "{}", 0)]
    assert [(d.epoch, str(d.held), d.last_given) for d in declared.lanes[Lane.URGENT]] == [
        (older, "{[1,2)}", 1),
        (current, "{}", 0),
    ]


def test_the_next_number_does_not_depend_on_what_is_still_there(gateway: Gateway) -> None:
    gateway.observe(Lane.URGENT)
    gateway.observe(Lane.URGENT)
    (_, second) = everything(gateway.sending())
    gateway.outbox.drop(second)
    gateway.observe(Lane.URGENT)
    assert [one.first for one in everything(gateway.sending())] == [1, 3]


EPOCH: Final = uuid.UUID(int=7)
BIRTH: Final = BirthId(epoch=EPOCH, count=2)


def ack(*, host: str = "cloud", birth: BirthId = BIRTH) -> Acknowledgement:
    return Acknowledgement(host=host, birth=birth, epoch=EPOCH, lane=Lane.BULK, received=NumberSet())


def test_acknowledgements_that_name_another_birth_make_it_birth_again() -> None:
    watch = BirthWatch("cloud")
    watch.born(BIRTH, [(EPOCH, Lane.BULK)], 0.0)
    assert watch.hear(ack(), 1.0)
    assert not watch.must_repeat(100.0)
    assert not watch.hear(ack(birth=BirthId(epoch=EPOCH, count=1)), 101.0)
    assert watch.must_repeat(102.0)


def test_another_host_is_not_obeyed_whatever_birth_it_names() -> None:
    watch = BirthWatch("cloud")
    watch.born(BIRTH, [(EPOCH, Lane.BULK)], 0.0)
    assert not watch.hear(ack(host="other"), 1.0)
    assert not watch.answered


@pytest.mark.parametrize("latency_s", [0.0, 4.0])
def test_urgent_never_waits_behind_more_than_about_a_second_of_a_narrow_link(latency_s: float) -> None:
    """A link that carries eight messages of 3 KB a second, for an hour."""
    window, now, number, free_at = Window(), 0.0, 0, 0.0
    arriving: list[tuple[float, MessageId]] = []
    waits: list[float] = []
    while now < 3600:
        while window.may_send(Lane.BULK, 3000):
            number += 1
            message = MessageId(epoch=EPOCH, lane=Lane.BULK, first=number, last=number)
            window.sent(message, 3000, now)
            free_at = max(free_at, now) + 1 / 8
            arriving.append((free_at + latency_s, message))
        waits.append(free_at - now)
        now, message = arriving.pop(0)
        window.acknowledged(message, now)
    assert max(waits[len(waits) // 10 :]) < 1.6
    assert min(waits[len(waits) // 10 :]) > 0.1, "and the link is used"
