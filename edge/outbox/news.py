"""What the outbox has to tell: a file that was set aside, a disk without room, room again, a block that is lost."""

from __future__ import annotations

from edge.outbox.store import Block, Outbox
from protocols.events import Event


def news_of(outbox: Outbox, now_ms: int, *, moved: bool = False) -> list[Event]:
    """The events of the newest opening; none when the file was there, as always. `moved`: out of memory into it."""
    found: list[Event] = []
    if moved:
        found.append(Event(device="", kind="outbox.on-disk", at_ms=now_ms, data={}))
    if outbox.was_set_aside is not None:
        path, why = outbox.was_set_aside
        data = {"file": path.name, "why": why, "salvaged": outbox.salvaged}
        found.append(Event(device="", kind="outbox.set-aside", at_ms=now_ms, data=data))
    if outbox.cramped is not None:
        found.append(Event(device="", kind="outbox.in-memory", at_ms=now_ms, data={"why": str(outbox.cramped.why)}))
    return found


def unreadable(block: Block, now_ms: int) -> Event:
    """The event of a block that is lost, because it could not be read."""
    where = block.id
    data = {
        "epoch": str(where.epoch),
        "lane": str(where.lane),
        "first": where.first,
        "last": where.last,
        "count": where.last - where.first + 1,
        "reason": "unreadable",
    }
    return Event(device="", kind="outbox.lost", at_ms=now_ms, data=data)
