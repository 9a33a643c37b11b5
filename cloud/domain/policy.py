"""How each response class is answered: data in ``policies.toml``, frozen into an incident when it opens."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from protocols.rules import Severity

Response = Literal["A", "B", "C", "guard", "device"]
Scope = Literal["place", "home", "building", "estate", "community"]


class Policy(BaseModel):
    """Who is asked for help, how widely, how long, and what counts as enough. Times in seconds, lengths in metres."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str = Field(description="kind of the task: what the responder is to do")
    volunteers: bool = Field(description="false: no offers, the operator alone decides")
    wanted: int = Field(default=1, ge=1, description="this many assignments fill the task")
    roles: tuple[str, ...] = ("volunteer", "grid-worker")
    radius_m: float = Field(default=500, gt=0)
    grow_m: float = Field(default=0, ge=0)
    max_radius_m: float = Field(default=1000, gt=0)
    wave_size: int = Field(default=30, ge=1)
    most: int = Field(default=30, ge=1, description="people asked in all")
    wave_s: float = Field(default=30, gt=0, description="from one wave to the next")
    offer_s: float = Field(default=120, gt=0, description="an unanswered offer ends after this")
    no_movement_s: float = Field(default=300, gt=0, description="accepted and no further tap: offered again")
    target_s: float = Field(default=120, gt=0, description="somebody answers within this")
    give_up_s: float = Field(default=1800, gt=0, description="nobody is sought any longer than this")
    spare_fatigue: bool = Field(default=True, description="people who were asked often this week are asked later")
    joins_within_s: float = Field(default=600, ge=0, description="an alarm this soon after joins the open incident")
    joins_scope: Scope = "place"
    closes_when_cleared: tuple[Severity, ...] = ()


class Policies(BaseModel):
    """The file: a policy per response class, and what single kinds of incident change in theirs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    response: dict[Response, Policy]
    kind: dict[str, dict[str, object]] = {}

    def of(self, response: Response, kind: str) -> Policy:
        """The policy in force for an incident of `kind` with this response class."""
        changes = self.kind.get(kind)
        policy = self.response[response]
        return policy if not changes else Policy.model_validate(policy.model_dump() | changes)


@cache
def builtin() -> Policies:
    """The policies that come with the program. Raises pydantic.ValidationError when the file is not what it must be."""
    text = (files("cloud.domain") / "policies.toml").read_text("utf-8")
    return Policies.model_validate(tomllib.loads(text))
