"""What waits, in which order it is taken, and what happens when there is too much of it."""

from __future__ import annotations

import uuid
from dataclasses import replace

from cloud.ingest.channels import Session, Station, Table
from cloud.ingest.link import Heard, Inbox
from cloud.ingest.work import GROUP_BYTES, GROUP_MESSAGES, Backlog, Born, Died, Message, Unread
from protocols.delivery import Lane, MessageId
from protocols.sparkplug.payload import RawPayload
from protocols.sparkplug.topics import MessageType

NODE = ("estate", "gw-1")
EPOCH = uuid.uuid4()
SESSION = Session(node=NODE, bdseq=0, birth=None, declared={})
STATION = Station(node=NODE, code="")


def message(number: int, lane: Lane | None, size: int = 100) -> Message:
    return Message(
        session=SESSION,
        table=Table(station=STATION),
        kind=MessageType.NDATA,
        payload=RawPayload(),
        size=size,
        id=None if lane is None else MessageId(epoch=EPOCH, lane=lane, first=number, last=number),
        received_ms=number,
        arrived=0.0,
    )


def born() -> Born:
    return Born(session=SESSION, table=Table(station=STATION), at_ms=1)


def died() -> Died:
    return Died(node=NODE, device=None, at_ms=1, reason="death", plain=False)


def test_urgent_and_plain_messages_overtake_bulk() -> None:
    backlog = Backlog()
    for lane in (Lane.BULK, Lane.BULK, Lane.URGENT, None):
        backlog.message(message(len(backlog) + 1, lane))
    assert [item.received_ms for item in backlog.take().messages] == [3, 4], "in a transaction of their own"
    assert [item.received_ms for item in backlog.take().messages] == [1, 2]
    assert not backlog


def test_a_quarter_of_a_group_is_much_bulk_by_number_or_by_size() -> None:
    for much, size in ((GROUP_MESSAGES // 4, 100), (4, GROUP_BYTES // 16)):
        backlog = Backlog()
        for number in range(1, much + 1):
            assert not backlog.has_much_bulk
            backlog.message(message(number, Lane.BULK, size))
        assert backlog.has_much_bulk
    backlog = Backlog()
    backlog.message(message(1, Lane.URGENT, GROUP_BYTES))
    assert not backlog.has_much_bulk
    assert not backlog.has_plain
    backlog.message(message(2, None))
    assert backlog.has_plain


def test_a_group_has_a_size() -> None:
    backlog = Backlog()
    for number in range(1, GROUP_MESSAGES + 11):
        backlog.message(message(number, Lane.BULK))
    assert len(backlog.take().messages) == GROUP_MESSAGES
    assert len(backlog.take().messages) == 10


def test_a_full_backlog_forgets_only_what_comes_again_and_then_takes_no_more() -> None:
    backlog = Backlog(limit=1000)
    backlog.message(message(1, Lane.URGENT, 400))
    backlog.message(message(1, Lane.BULK, 400))
    assert backlog.message(message(2, Lane.BULK, 400)) == 1
    assert backlog.message(message(2, Lane.URGENT, 400)) == 1
    assert [backlog.full] == [False]
    assert backlog.message(message(3, None, 400)) == 0, "a plain message never comes again"
    assert [backlog.full] == [True], "the next ones wait outside"
    assert [item.received_ms for item in backlog.take().messages] == [1, 2, 3]
    assert [backlog.full] == [False]


def test_how_long_the_oldest_has_waited_in_any_lane() -> None:
    backlog = Backlog()
    assert [backlog.oldest] == [None]
    backlog.message(replace(message(1, Lane.BULK), arrived=7.0))
    backlog.message(replace(message(1, Lane.URGENT), arrived=9.0))
    assert backlog.oldest == 7.0
    backlog.take()
    assert backlog.oldest == 7.0
    backlog.take()
    assert [backlog.oldest] == [None]
    inbox = Inbox()
    assert [inbox.oldest] == [None]
    inbox.put(Heard("t", b"", False, 3.0, 0), 0.0)
    inbox.put(Heard("t", b"", False, 4.0, 0), 0.0)
    assert inbox.oldest == 3.0


def test_births_and_deaths_stay_in_order_and_survive_a_failed_group() -> None:
    backlog = Backlog()
    first, death, second = born(), died(), born()
    for turn in (first, death, second):
        backlog.turn(turn)
    backlog.message(message(1, Lane.BULK))
    group = backlog.take()
    assert group.turns == [death, second]
    later = died()
    backlog.turn(later)
    backlog.give_back(group)
    again = backlog.take()
    assert again.turns == [death, second, later]
    assert not again.messages


def test_a_flood_of_garbage_keeps_the_newest_hundred() -> None:
    backlog = Backlog()
    for number in range(150):
        backlog.unread(Unread(topic=str(number), payload=b"", code="x", what=""))
    assert [item.topic for item in backlog.take().unread] == [str(number) for number in range(50, 150)]


def test_an_inbox_that_is_full_says_so_and_takes_again_when_emptied() -> None:
    inbox = Inbox(most_messages=2, most_bytes=100)
    heard = Heard("t", b"x" * 10, False, 0.0, 0)
    assert inbox.put(heard, 0.0)
    assert inbox.put(heard, 0.0)
    assert not inbox.put(heard, 0.01)
    assert len(inbox.take(0.0)) == 2
    assert inbox.put(Heard("t", b"x" * 100, False, 0.0, 0), 0.0)
    assert not inbox.put(heard, 0.01)
