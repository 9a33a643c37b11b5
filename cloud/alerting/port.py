"""What judging needs from storage, and what it is given to judge."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from cloud.domain.incident import State
from cloud.domain.places import Place
from cloud.domain.policy import Policy, Response
from protocols.events import Observation
from protocols.rules import RuleState, Severity

Key = tuple[str, int]
"""Rule code and device id: one condition on one thing."""


class Fact(Protocol):
    """One observation with its device's row in the registry."""

    @property
    def device_id(self) -> int: ...  # noqa: D102
    @property
    def device_code(self) -> str: ...  # noqa: D102
    @property
    def device_type(self) -> str | None: ...  # noqa: D102
    @property
    def gateway_id(self) -> int: ...  # noqa: D102
    @property
    def place_id(self) -> int | None: ...  # noqa: D102
    @property
    def place_path(self) -> str | None: ...  # noqa: D102
    @property
    def observation(self) -> Observation: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition that has begun on a device: what an alarm is made of. `raised_at` by the gateway's clock."""

    rule_code: str
    device_id: int
    gateway_id: int
    place_id: int | None
    severity: Severity
    response: Response
    reason: Mapping[str, Any]
    raised_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident:
    """An incident that an alarm may join. `line`: its place and all above, from the street down."""

    id: int
    kind: str
    response: Response
    state: State
    opened_at: datetime
    line: Sequence[Place]


class AlarmStore(Protocol):
    """Storage within one open transaction; whoever opened it commits. Not thread-safe."""

    def states(self, keys: Sequence[Key]) -> Mapping[Key, RuleState]:
        """The states, locked until the end of the transaction in the order of `keys`; a missing one is idle."""

    def save(self, states: Mapping[Key, RuleState]) -> None:
        """Write these states."""

    def look_again(self, key: Key, at: datetime) -> None:
        """Let `elapse` judge this condition at a time. Asking again for the same condition changes nothing."""

    def gateway_is_silent(self, gateway_id: int) -> bool:
        """Whether an alarm says that this gateway is away, so that its devices cannot be blamed."""

    def hold_grouping(self, paths: Collection[str]) -> None:
        """Let no other transaction open incidents below these communities until the end of this one."""

    def line(self, place_id: int | None) -> Sequence[Place]:
        """A place and all above, from the street down."""

    def open_incidents(self, kind: str, response: Response, within: str) -> Sequence[OpenIncident]:
        """Open ones of this kind or response class at the path `within` or below, newest first."""

    def open_incident(self, condition: Condition, policy: Policy, now: datetime, why: Mapping[str, Any]) -> int:
        """A new incident (and its task, and the time of its first wave, when its policy seeks volunteers); its id."""

    def join(
        self, incident_id: int, condition: Condition, alarm_id: int, now: datetime, why: Mapping[str, Any]
    ) -> None:
        """The alarm is one more of this incident, which becomes as severe as its worst alarm."""

    def raise_alarm(self, condition: Condition, incident_id: int, now: datetime) -> int:
        """A new active alarm; its id."""

    def test_covering(self, gateway_id: int, first: datetime, last: datetime, now: datetime) -> UUID | None:
        """The walk test of this gateway in which both moments lie, while it runs or shortly after its end."""

    def raise_test(self, condition: Condition, test: UUID, now: datetime) -> None:
        """A new active alarm of a walk test: it has no incident and calls nobody."""

    def tested(self, test: UUID) -> Sequence[Key]:
        """Conditions whose active alarm is of this walk test."""

    def end_tested(self, test: UUID, now: datetime) -> None:
        """The active alarms of this walk test are cleared."""

    def repeat(self, key: Key, reason: Mapping[str, Any], at: datetime, now: datetime, *, testable: bool) -> bool:
        """The condition was told once more; False when no alarm of it is active.

        An alarm of a walk test to which this does not belong (not `testable`, `at` outside of it, told long after its
        end) stands for nothing any more: it is cleared.
        """

    def clear(self, key: Key, reason: Mapping[str, Any], at: datetime, now: datetime) -> None:
        """The condition is gone: its active alarm is cleared, and the incident closes if that was its last need."""

    def too_late(self, key: Key, reason: Mapping[str, Any], at: datetime, now: datetime) -> None:
        """A condition began `at`, too long ago for an alarm: it is told as an event of its device."""

    def suppressed(self, rule_code: str, gateway_id: int) -> Sequence[Key]:
        """Conditions of a gateway's devices that fire by their state but have no active alarm."""
