"""What waits, in which order it is taken, and what happens when there is too much of it."""

from __future__ import annotations

import uuid

from cloud.ingest.channels import Session, Station, Table
from cloud.ingest.link import Heard, Inbox
from cloud.ingest.work import GROUP_MESSAGES, Backlog, Born, Died, Message, Unread
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
    assert [item.received_ms for item in backlog.take().messages] == [3, 4, 1, 2]
    assert not backlog


def test_a_group_has_a_size() -> None:
    backlog = Backlog()
    for number in range(1, GROUP_MESSAGES + 11):
        backlog.message(message(number, Lane.BULK))
    assert len(backlog.take().messages) == GROUP_MESSAGES
    assert len(backlog.take().messages) == 10


def test_a_full_backlog_forgets_the_oldest_bulk_and_keeps_what_is_urgent() -> None:
    backlog = Backlog(limit=1000)
    backlog.message(message(1, Lane.URGENT, 400))
    backlog.message(message(1, Lane.BULK, 400))
    assert backlog.message(message(2, Lane.BULK, 400)) == 1
    assert backlog.message(message(2, Lane.URGENT, 400)) == 1
    assert [(item.id.lane, item.id.first) for item in backlog.take().messages if item.id] == [
        (Lane.URGENT, 1),
        (Lane.URGENT, 2),
    ]


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
