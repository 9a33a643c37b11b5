"""Which incident an alarm belongs to. Pure; the reason is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cloud.alerting.port import Condition, OpenIncident
from cloud.domain.places import Place, at_scope
from cloud.domain.policy import Policy


def choose(
    condition: Condition, line: Sequence[Place], policy: Policy, known: Sequence[OpenIncident], now: datetime
) -> tuple[int | None, Mapping[str, Any]]:
    """The incident to join, or None for a new one, and why.

    An open incident of the same kind at the same place is joined at any age. Within `joins_within_s`, the same kind
    within the policy's scope is one happening, and so is the same response class in the same home. An incident whose
    work is done (fed-back) takes no more.
    """
    here = line[-1].path if line else ""
    oldest = now - timedelta(seconds=policy.joins_within_s)
    for incident in known:
        if incident.state == "fed-back":
            continue
        there = incident.line[-1].path if incident.line else ""
        if incident.kind == condition.rule_code and here == there:
            return incident.id, {"joined": "same-place"}
        if incident.opened_at < oldest or not here or not there:
            continue
        if incident.kind == condition.rule_code and _together(line, incident.line, policy.joins_scope):
            return incident.id, {"joined": policy.joins_scope}
        if incident.response == condition.response and _together(line, incident.line, "home"):
            return incident.id, {"joined": "home"}
    return None, {}


def _together(first: Sequence[Place], second: Sequence[Place], scope: str) -> bool:
    return at_scope(first, scope) == at_scope(second, scope)
