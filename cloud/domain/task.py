"""Tasks, their offers and assignments: who was asked, who took it, how far they are. Pure decisions.

A task is filled when `wanted` assignments are under way or done. Each person gets one offer per task.
"""

from __future__ import annotations

from typing import Final, Literal

from protocols.errors import RefusedError

TaskState = Literal["open", "filled", "done", "cancelled"]
OfferState = Literal["offered", "accepted", "declined", "expired", "withdrawn", "late"]
AssignmentState = Literal["accepted", "on-the-way", "on-scene", "done", "released"]
Claim = Literal["assigned", "taken", "over"]

UNDER_WAY: Final[tuple[AssignmentState, ...]] = ("accepted", "on-the-way", "on-scene")


def claim(task: TaskState, offer: OfferState, *, filled: int, wanted: int) -> tuple[Claim, OfferState]:
    """What an "I accept" comes to, and the offer's state after it.

    An offer that ran out, or was declined by a slip of the thumb, still counts while nobody else has the task.
    """
    if offer == "accepted":
        return ("assigned" if task in ("open", "filled") else "over"), "accepted"
    if task == "filled" or (task == "open" and filled >= wanted):
        return "taken", "late"
    if task != "open":
        return "over", "late"
    return "assigned", "accepted"


def decline(offer: OfferState) -> OfferState:
    """The offer's state after "I can't". Raises RefusedError for an offer that was accepted: that one is released."""
    if offer == "accepted":
        raise RefusedError("cloud.offer.accepted-already")
    return "declined" if offer == "offered" else offer


def progress(state: AssignmentState, step: AssignmentState) -> AssignmentState:
    """The assignment's state after a tap. A repeated or overtaken tap changes nothing: phones send late and twice.

    Raises RefusedError (`cloud.assignment.ended`) when the assignment ended in another way.
    """
    if state == step:
        return state
    if state not in UNDER_WAY:
        raise RefusedError("cloud.assignment.ended", state=state)
    if step in UNDER_WAY and UNDER_WAY.index(step) < UNDER_WAY.index(state):
        return state
    return step


def after_assignments(task: TaskState, *, under_way: int, done: int, wanted: int) -> TaskState:
    """The task's state once its assignments stand like this."""
    if task in ("done", "cancelled"):
        return task
    if done and not under_way:
        return "done"
    return "filled" if under_way + done >= wanted else "open"
