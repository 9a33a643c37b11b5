"""Data that no birth explains wait for one, bounded, and none of them is forgotten."""

from __future__ import annotations

from cloud.ingest.waiting import AT_ONCE, MOST_BYTES, MOST_PER_NODE, MOST_TOO_LATE, WAIT_S, Waiting, WaitingRoom
from protocols.sparkplug.host import NodeKey
from protocols.sparkplug.payload import RawPayload
from protocols.sparkplug.topics import MessageType

NODE = ("estate", "gw-1")


def waiting(since: float = 0.0, *, node: NodeKey = NODE, device: str = "", size: int = 10) -> Waiting:
    return Waiting(node=node, device=device, kind=MessageType.NDATA, payload=RawPayload(), size=size, since=since)


def test_a_birth_takes_what_waited_for_it() -> None:
    room = WaitingRoom()
    own, first, second = waiting(), waiting(1, device="d"), waiting(2, device="d")
    for one in (first, own, second):
        room.keep(one)
    assert room.born(NODE, "e") == []
    assert room.born(NODE, "d") == [first, second]
    assert room.born(NODE, "d") == []
    assert room.born(NODE, "") == [own]
    assert room.overdue(1e9) == []


def test_what_waits_too_long_comes_back() -> None:
    room = WaitingRoom()
    early, late = waiting(1), waiting(2)
    room.keep(early)
    room.keep(late)
    assert room.overdue(1 + WAIT_S - 0.1) == []
    assert room.overdue(1 + WAIT_S) == [early]
    assert room.born(NODE, "") == [late]


def test_a_flood_pushes_out_its_own_and_no_others() -> None:
    room = WaitingRoom()
    other = waiting(node=("estate", "gw-2"))
    room.keep(other)
    flood = [waiting(number, size=MOST_PER_NODE // 2) for number in range(5)]
    for one in flood:
        room.keep(one)
    assert room.overdue(5) == flood[:3]
    assert room.born(NODE, "") == flood[3:]
    assert room.born(("estate", "gw-2"), "") == [other]


def test_all_nodes_together_have_a_limit() -> None:
    room = WaitingRoom()
    many = [waiting(node=("estate", f"gw-{number}"), size=MOST_PER_NODE) for number in range(20)]
    for one in many:
        room.keep(one)
    kept = [one for one in many if room.born(one.node, "")]
    assert len(kept) == MOST_BYTES // MOST_PER_NODE
    assert len(room.overdue(0)) == 20 - len(kept)


def test_what_comes_back_comes_in_portions() -> None:
    room = WaitingRoom()
    for _ in range(AT_ONCE + 1):
        room.keep(waiting())
    assert [len(room.overdue(WAIT_S)) for _ in range(3)] == [AT_ONCE, 1, 0]


def test_a_flood_that_nobody_fetches_keeps_its_newest() -> None:
    room = WaitingRoom()
    flood = [waiting(at, size=MOST_PER_NODE) for at in range(10 * MOST_TOO_LATE)]
    for one in flood:
        room.keep(one)
    found = [one for _ in range(10 * MOST_TOO_LATE // AT_ONCE) for one in room.overdue(0.0)]
    assert found == flood[-MOST_TOO_LATE - 1 : -1]
