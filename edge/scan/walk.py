"""The ways in which devices on a line are looked for: address by address, and by narrowing a pattern down."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from edge.scan.findings import Budget, Found, Kind
from edge.scan.line import ScanLine
from protocols.errors import ProtocolError

Reply = TypeVar("Reply")


def by_address(
    line: ScanLine,
    kind: Kind,
    addresses: Sequence[int],
    allowed: Container[int],
    budget: Budget,
    ask: Callable[[int], tuple[Reply | None, float]],
    tell: Callable[[int, Reply, float], Found | None],
) -> Iterator[Found]:
    """Ask each of `addresses` that is `allowed`, in order; `tell` says what a reply is (its answer took so many ms)."""
    for address in addresses:
        if budget.over:
            return
        if address not in allowed:
            continue
        budget.tell(f"{line.name} {kind} {line.setting} {address}")
        reply, took_s = ask(address)
        found = tell(address, reply, round(took_s * 1000, 1)) if reply is not None else None
        if found is not None:
            yield found


def first(data: bytes, take: Callable[[bytes], Reply | None]) -> Reply | None:
    """What `take` makes of `data`, from the first byte on from which it makes anything: behind noise or an echo."""
    for at in range(len(data)):
        with contextlib.suppress(ProtocolError):
            taken = take(data[at:])
            if taken is not None:
                return taken
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard(Generic[Reply]):
    """Who answers to a pattern: one (`reply`), `several` at once, or nobody."""

    reply: Reply | None = None
    several: bool = False


def narrow(
    ask: Callable[[str], Heard[Reply]], digits: Sequence[str], depth: int, budget: Budget, begin: str = ""
) -> Iterator[Reply | str]:
    """Everybody whose number begins so: ask for `begin`, and where several answer for each further one of `digits`.

    A whole number (`depth` digits) that several answer to is given as text: they cannot be told apart by it.
    """
    if budget.over:
        return
    heard = ask(begin)
    if heard.reply is not None:
        yield heard.reply
    elif heard.several and len(begin) >= depth * len(digits[0]):
        yield begin
    elif heard.several:
        for digit in digits:
            yield from narrow(ask, digits, depth, budget, begin + digit)
