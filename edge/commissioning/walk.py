"""The gateway's view of its walk test. Pure; `now` is the monotonic clock in seconds.

none → asked (a person here wants one) → running (the cloud says so) → over. The cloud decides which alarms are tests:
the gateway says "running" only while it has heard so within `HEARD_S`, for whoever triggers a detector on its word must
not send the neighbours running.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from protocols.commissioning import ASKED_S, HEARD_S, Said

State = Literal["asked", "running", "unheard", "over"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """`until`: when it ends by itself; `heard`: when the cloud spoke of it last."""

    id: UUID
    minutes: int
    state: State
    until: float
    heard: float


def ask(before: Walk | None, identity: UUID, minutes: int, now: float) -> Walk:
    """A person wants a walk test; one that is asked for or runs already stays."""
    if before is not None and before.state != "over":
        return before
    return Walk(id=identity, minutes=minutes, state="asked", until=now + ASKED_S, heard=now)


def hear(before: Walk | None, said: Said, now: float) -> Walk | None:
    """What the cloud says of a walk test; also of one that was asked for elsewhere, or before this agent started."""
    if said.state == "over":
        return replace(before, state="over", heard=now) if before is not None and before.id == said.id else before
    minutes = before.minutes if before is not None and before.id == said.id else max(1, round(said.left_s / 60))
    return Walk(id=said.id, minutes=minutes, state="running", until=now + said.left_s, heard=now)


def stop(before: Walk | None, now: float) -> Walk | None:
    """A person here wants it to end."""
    return before if before is None else replace(before, state="over", until=now)


def elapse(before: Walk | None, now: float) -> Walk | None:
    """Let time pass."""
    if before is None or before.state == "over":
        return before
    if now >= before.until:
        return replace(before, state="over")
    if before.state == "running" and now - before.heard > HEARD_S:
        return replace(before, state="unheard")
    return before
