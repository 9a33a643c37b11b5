"""What a clock remembers, hears, tells and shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Trust = Literal["auto", "system", "synchronised"]
Origin = Literal["kernel", "machine", "host", "system"]
"""Who vouches: a time server through the kernel, a clock with a battery, the primary host, or the configuration."""

STEP_NS: Final = 1_500_000_000
"""The system clock stepped when it is off by more than this; less (a leap second, too) is followed."""
_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What outlives the agent. `offset_ns` belongs to `boot` and is None while unknown; `newest_ms`: UTC, never later.

    `confirmed`: the host agreed with the clock at least once since that boot.
    """

    boot: str
    offset_ns: int | None
    origin: Origin | None
    confirmed: bool
    newest_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """The host told its time: its wall clock minus our steady clock lies between `low_ns` and `high_ns`."""

    low_ns: int
    high_ns: int

    @classmethod
    def between(cls, *, asked_s: float, told_ms: int, heard_s: float) -> Word:
        """From a time `told_ms` (UTC) that the host wrote after we asked and before we heard it (steady time)."""
        return cls(low_ns=told_ms * _MS - round(heard_s * 1e9), high_ns=(told_ms + 1) * _MS - round(asked_s * 1e9))

    @property
    def middle_ns(self) -> int:
        """The best guess."""
        return (self.low_ns + self.high_ns) // 2

    def apart_ns(self, offset_ns: int) -> int:
        """How far `offset_ns` is behind (positive) or ahead of what is possible; 0 when it may be right."""
        return max(0, self.low_ns - offset_ns) + min(0, self.high_ns - offset_ns)

    def allows(self, offset_ns: int) -> bool:
        """Whether `offset_ns` is right, give or take what is no step."""
        return abs(self.apart_ns(offset_ns)) <= STEP_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The time is known from now on. `offset_ms`: wall = steady + offset; `jump_ms`: against the estimate before."""

    origin: Origin
    offset_ms: int
    jump_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """The system clock stepped by `by_ms`. `done`: adopted, kept (we go on as before), returned (it is right again).

    `apart_ms`: by how much it now differs from the time that the agent went by.
    """

    by_ms: int
    apart_ms: int
    done: Literal["adopted", "kept", "returned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """The agent's own time jumped by `by_ms`, because `origin` vouches for the new one."""

    by_ms: int
    origin: Origin


News = Known | Stepped | Corrected


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCondition:
    """For a person. `skew_ms`: the host's clock minus ours when last heard; `apart_ms`: the system's minus ours."""

    known: bool
    origin: Origin | None
    synchronised: bool | None
    disputed: bool
    apart_ms: int
    skew_ms: int | None
    last_step: Stepped | None
    last_step_ms: int | None
