"""A configuration on trial, as an explicit state machine without clock or file.

settled ──begin──→ trying ──confirmed──→ settled (the new one)
   ↑                  │
   └── rolled back ←──┘   time is over, or the agent was stopped or killed meanwhile

`Record` is what is stored, and names as `running` only what was confirmed: whenever the agent dies, that goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from uuid import UUID

from protocols import configuration
from protocols.errors import DeviceError, LiandongError, RefusedError, UnavailableError

LOCAL: Final = 0
"""The number of what stands in the file of the person on the spot."""
Verdict = Literal["wait", "confirm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A configuration by its number and the hash of its content."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A version that a host wants, by the id of its wish."""

    id: UUID
    version: Version
    hold_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an attempt: `kind` is one of `configuration.OUTCOMES`; `error`, `params` the reason."""

    kind: str
    attempt: Attempt
    error: str = ""
    params: Mapping[str, str]

    def data(self) -> dict[str, Any]:
        """As an event tells it."""
        version = self.attempt.version
        told: dict[str, Any] = {"id": str(self.attempt.id), "number": version.number, "hash": version.hash}
        return told | ({"error": self.error, "params": dict(self.params)} if self.error else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known for certain. `base`: the hash of the file on the spot when `running` was confirmed."""

    running: Version
    base: str
    previous: Version | None = None
    trying: Attempt | None = None
    last: Outcome | None = None


def begin(record: Record, attempt: Attempt) -> Record:
    """Try a version. Raises RefusedError for one that is not newer, or while another is on trial."""
    if record.trying is not None:
        raise RefusedError("edge.config.trial-on", number=record.trying.version.number)
    newest = record.running.number
    if attempt.version.number <= newest:
        raise RefusedError("edge.config.older", number=attempt.version.number, running=newest)
    return replace(record, trying=attempt)


def confirm(record: Record, base: str) -> Record:
    """What is on trial has proved itself."""
    attempt = _tried(record)
    outcome = Outcome(kind=configuration.CONFIRMED, attempt=attempt, params={})
    return replace(record, running=attempt.version, previous=record.running, base=base, trying=None, last=outcome)


def fall_back(record: Record, error: LiandongError) -> Record:
    """What is on trial has failed; what ran before runs on."""
    return replace(record, trying=None, last=outcome_of(configuration.ROLLED_BACK, _tried(record), error))


def started(record: Record, base: str) -> Record:
    """The agent starts: what was not confirmed is over, and a hand on the spot counts more than what came from afar."""
    if record.trying is not None:
        record = fall_back(record, UnavailableError("edge.config.cut-off"))
    if record.base != base:
        local = Version(number=LOCAL, hash=base)
        record = replace(record, running=local, base=base, previous=None)
    return record


def outcome_of(kind: str, attempt: Attempt, error: LiandongError) -> Outcome:
    """The outcome of `attempt` that `error` explains."""
    return Outcome(kind=kind, attempt=attempt, error=error.code, params=error.texts())


def _tried(record: Record) -> Attempt:
    assert record.trying is not None
    return record.trying


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What must come back. `births`: how many the uplink had made when the trial began; `until` is monotonic."""

    devices: frozenset[str]
    births: int
    until: float
    hold_s: float

    def judge(self, *, births: int, answered: bool, online: Mapping[str, bool | None], now: float) -> Verdict:
        """Wait, or confirm. Raises UnavailableError or DeviceError, the reason, when the time is over."""
        back = births > self.births and answered
        missing = sorted(device for device in self.devices if online.get(device) is not True)
        if back and not missing:
            return "confirm"
        if now < self.until:
            return "wait"
        if not back:
            raise UnavailableError("edge.config.uplink-away", seconds=self.hold_s)
        raise DeviceError("edge.config.device-away", devices=", ".join(missing), seconds=self.hold_s)
