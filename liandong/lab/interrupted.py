"""What faults did to gateways: when each could not read, remember or store, so that a miss can be explained. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_KILLS: Final = ("kill-edge", "torn-page", "file-corrupt")
ABORT_MS: Final = 250
"""How long the abort of a file system and a commit beside it take."""
_UNABLE: Final = ("stop-edge", "disk-full", "disk-read-only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """A fault that was made. `hit`: messages were unconfirmed or a transaction was open; ms since 1970 UTC.

    `empty_ms`: when the outbox of a gateway that it struck had been empty last.
    """

    kind: str
    target: str
    start_ms: int
    end_ms: int
    hit: bool
    unacknowledged: int = 0
    transactions: int = 0
    empty_ms: int = 0


class Cause(StrEnum):
    """What happened to a gateway."""

    KILLED = "killed"
    STOPPED = "stopped"
    FULL = "full"
    UNPLUGGED = "unplugged"
    SLOW = "slow"
    CORRUPT = "corrupt"
    TURNED = "turned"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """A gateway was killed at `to_ms`, or stopped, without a disk or cut off from a line from `from_ms` to `to_ms`.

    Or its machine's clock was turned: nothing is excused, but what other programs dated by that clock is dated anew.

    For a kill `from_ms` is when it could last store: earlier than `to_ms` when it was stopped or its disk was full.
    ABORTED: its file system was, and what was committed at that moment may be gone: Linux says of one commit that it is
    on the disk which never gets there (6 of 60 aborts with SQLite on ext4 and nothing else, kernel 6.18).
    For a broken file it is when the outbox had been empty last: what was stored after that may be gone.
    """

    gateway: str
    from_ms: int
    to_ms: int
    cause: Cause


_OF_GATEWAYS: Final = {
    "stop-edge": Cause.STOPPED,
    "restart-edge": Cause.STOPPED,
    "disk-full": Cause.FULL,
    "clock-forward": Cause.TURNED,
    "clock-back": Cause.TURNED,
    "clock-1970": Cause.TURNED,
}
_OF_LINES: Final = {
    "line-slow": Cause.SLOW,
    "line-unplug": Cause.UNPLUGGED,
    "line-noise": Cause.UNPLUGGED,
    "line-echo": Cause.UNPLUGGED,
}


def interruptions(
    struck: Sequence[Struck], gateways: Sequence[str], gateway_of: Mapping[str, str]
) -> list[Interruption]:
    """What may have cost a gateway what was not on its disk yet. `gateway_of`: line or field bus → gateway."""
    return [found for one in struck for found in _of(one, struck, gateways, gateway_of)]


def _of(
    one: Struck, struck: Sequence[Struck], gateways: Sequence[str], gateway_of: Mapping[str, str]
) -> Iterator[Interruption]:
    def made(gateway: str, cause: Cause, from_ms: int = one.start_ms, to_ms: int = one.end_ms) -> Interruption:
        return Interruption(gateway=gateway, from_ms=from_ms, to_ms=to_ms, cause=cause)

    def killed(gateway: str, at_ms: int) -> Interruption:
        unable = [s for s in struck if s.kind in _UNABLE and s.target == gateway and s.start_ms <= at_ms <= s.end_ms]
        return made(gateway, Cause.KILLED, min([at_ms, *(s.start_ms for s in unable)]), at_ms)

    match one.kind:
        case "power-cut":
            yield from (killed(gateway, one.start_ms) for gateway in gateways)
        case kind if kind in _KILLS:
            yield killed(one.target, one.start_ms)
            if kind == "file-corrupt":
                yield made(one.target, Cause.CORRUPT, one.empty_ms, one.start_ms)
        case "host-move":
            yield from (made(gateway, Cause.STOPPED) for gateway in gateways)
        case "disk-read-only":
            yield made(one.target, Cause.FULL)
            yield made(one.target, Cause.ABORTED, one.start_ms - ABORT_MS, one.start_ms + ABORT_MS)
            yield killed(one.target, one.end_ms)  # it was started anew to heal it
        case kind if kind in _OF_GATEWAYS:
            yield made(one.target, _OF_GATEWAYS[kind])
        case kind if kind in _OF_LINES:
            yield made(gateway_of[one.target], _OF_LINES[kind])
