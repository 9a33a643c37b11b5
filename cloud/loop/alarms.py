"""The judge's storage: rule states, alarms and incidents in the transaction that stores the observations."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from psycopg.rows import DictRow

from cloud.alerting.judge import GATEWAY_OFFLINE, Judge, Subject
from cloud.alerting.port import Condition, Fact, Key, OpenIncident
from cloud.domain.places import Place
from cloud.domain.policy import Policies, Policy, Response
from cloud.loop import case as cases
from cloud.loop.walktests import DELIVERED, settle_later
from cloud.loop.work import Work, to_json
from cloud.storage.database import Transaction
from cloud.storage.places import Places
from cloud.storage.queries import load
from protocols.rules import Rule, RuleState

_LOG: Final = logging.getLogger("liandong.cloud.loop")

SETTLE: Final = timedelta(seconds=30)
"""After a gateway's return its devices have this long to tell that they are back too."""


class IngestJudge:
    """What ingest calls: the rules in force, over the store of the transaction it is given. Thread-safe."""

    def __init__(self, rules: Iterable[Rule], policies: Policies, places: Places) -> None:
        self.judge = Judge(rules, policies)
        self._places = places

    def __call__(self, tx: Transaction, facts: Sequence[Fact], now_ms: int) -> None:
        """Judge facts in their order; what follows commits with them."""
        work = Work(tx=tx, places=self._places, now=datetime.fromtimestamp(now_ms / 1000, UTC))
        self.judge.judge(SqlAlarmStore(work), facts, now_ms)
        work.announce()

    def watches(self, device_type: str | None, metric: str) -> bool:
        """Whether any rule looks at this metric of this device type."""
        return self.judge.watches_metric(device_type, metric)


class SqlAlarmStore:
    """`AlarmStore` on PostgreSQL, within one transaction."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._tx = work.tx
        self._sql = load("alarms")

    def states(self, keys: Sequence[Key]) -> Mapping[Key, RuleState]:
        """Locked in the order of their keys. One judged for the first time gets its row here."""
        found = self._lock(keys)
        missing = [key for key in keys if key not in found]
        if missing:
            self.save(dict.fromkeys(missing, RuleState()), fresh=True)
            found |= self._lock(missing)
        return found

    def save(self, states: Mapping[Key, RuleState], *, fresh: bool = False) -> None:
        """Write states in one statement; `fresh`: only where there is none yet."""
        if not states:
            return
        columns = {
            "codes": [code for code, _ in states],
            "devices": [device for _, device in states],
            "phases": [state.phase for state in states.values()],
            "since": [state.since_ms for state in states.values()],
            "at": [state.at_ms for state in states.values()],
            "reasons": [to_json(state.reason) for state in states.values()],
        }
        self._tx.execute(self._sql["begin_states" if fresh else "save_states"], columns)

    def look_again(self, key: Key, at: datetime) -> None:
        """A timer for `elapse`."""
        self._work.timer("rule.elapse", f"{key[0]}/{key[1]}", at)
        self._tx.wake_due()

    def gateway_is_silent(self, gateway_id: int) -> bool:
        """Whether it has an active alarm for being away."""
        row = self._tx.one(self._sql["silent"], {"gateway": gateway_id})
        return row is not None and bool(row["silent"])

    def hold_grouping(self, paths: Collection[str]) -> None:
        """An advisory lock per community, in the order of their paths."""
        for path in sorted(paths):
            self._tx.execute(self._sql["hold_grouping"], {"path": path})

    def line(self, place_id: int | None) -> Sequence[Place]:
        """From the street down."""
        return self._work.places.line(self._tx, place_id)

    def open_incidents(self, kind: str, response: str, within: str) -> Sequence[OpenIncident]:
        """Newest first."""
        rows = self._tx.fetch(self._sql["open_incidents"], {"kind": kind, "response": response, "within": within})
        return [self._open(row) for row in rows]

    def open_incident(self, condition: Condition, policy: Policy, now: datetime, why: Mapping[str, Any]) -> int:
        """The incident, its first line, and the search for people when the policy has one."""
        response: Response = condition.response
        new = {
            "kind": condition.rule_code,
            "severity": condition.severity,
            "response": response,
            "place": condition.place_id,
            "policy": policy.model_dump_json(),
            "now": now,
        }
        row = self._tx.one(load("incidents")["insert"], new)
        assert row is not None
        incident_id: int = row["id"]
        self._work.note(incident_id, "opened", rule=condition.rule_code, reason=dict(condition.reason), **why)
        if policy.volunteers:
            cases.open_task(self._work, cases.lock(self._work, incident_id))
        return incident_id

    def join(
        self, incident_id: int, condition: Condition, alarm_id: int, now: datetime, why: Mapping[str, Any]
    ) -> None:
        """One more alarm of an incident that is open."""
        cases.lock(self._work, incident_id)
        self._tx.execute(load("incidents")["worsen"], {"id": incident_id, "severity": condition.severity})
        told = {"alarm": alarm_id, "rule": condition.rule_code, "reason": dict(condition.reason), "at": now}
        self._work.note(incident_id, "alarm-joined", **told, **why)

    def raise_alarm(self, condition: Condition, incident_id: int, now: datetime) -> int:
        """The new alarm."""
        alarm_id = self._insert(condition, now, incident=incident_id)
        self._work.touched.alarms.add(alarm_id)
        return alarm_id

    def test_covering(self, gateway_id: int, first: datetime, last: datetime, now: datetime) -> UUID | None:
        """By the times that the gateway gave, as long as they are not of a test long past."""
        which = {"gateway": gateway_id, "first": first, "last": last, "ended_after": now - DELIVERED}
        row = self._tx.one(load("walktests")["covering"], which)
        return None if row is None else row["id"]

    def raise_test(self, condition: Condition, test: UUID, now: datetime) -> None:
        """The tester's page is told; what comes after the test's end is looked at again in a moment."""
        self._insert(condition, now, test=test)
        self._work.touched.tests.add(test)
        settle_later(self._work, test)

    def tested(self, test: UUID) -> Sequence[Key]:
        """What is active of it."""
        rows = self._tx.fetch(load("walktests")["active"], {"test": test})
        return [(row["rule_code"], row["device_id"]) for row in rows]

    def end_tested(self, test: UUID, now: datetime) -> None:
        """Cleared by the end of the test."""
        reason = to_json({"walk-test": "over"})
        self._tx.execute(load("walktests")["clear"], {"test": test, "now": now, "reason": reason})
        self._work.touched.tests.add(test)

    def repeat(self, key: Key, reason: Mapping[str, Any], at: datetime, now: datetime, *, testable: bool) -> bool:
        """Counted; the reason shown is the newest."""
        which = {"rule": key[0], "device": key[1], "reason": to_json(reason)}
        seen = which | {"at": at, "ended_after": now - DELIVERED, "testable": testable}
        stale = self._tx.fetch(load("walktests")["clear_stale"], seen)
        self._work.touched.tests |= {row["walk_test_id"] for row in stale}
        row = self._tx.one(self._sql["repeat"], which)
        if row is not None:
            self._touch(row)
        return row is not None

    def clear(self, key: Key, reason: Mapping[str, Any], at: datetime, now: datetime) -> None:
        """Cleared by its own condition; a gateway that is back gives its devices a moment."""
        row = self._tx.one(self._sql["active"], {"rule": key[0], "device": key[1]})
        if row is None:
            return
        case = cases.lock(self._work, row["incident_id"]) if row["incident_id"] else None
        told = {"id": row["id"], "at": at, "reason": to_json(reason)}
        if not self._tx.fetch(self._sql["clear"], told):
            return
        self._touch(row)
        _LOG.info("alarm-cleared alarm=%d rule=%s device=%d", row["id"], *key)
        if key[0] == GATEWAY_OFFLINE:
            self._work.timer("alarm.release", f"{key[1]}/{now.timestamp():.3f}", now + SETTLE)
        if case is not None:
            self._work.note(case.id, "alarm-cleared", alarm=row["id"], rule=key[0], reason=dict(reason))
            cases.close_if_over(self._work, case)

    def too_late(self, key: Key, reason: Mapping[str, Any], at: datetime, now: datetime) -> None:
        """The event ``rule.too-late`` of the device, at the time of what was observed."""
        data = {"rule": key[0], "late_s": round((now - at).total_seconds()), "reason": dict(reason)}
        columns = {"received_ms": round(now.timestamp() * 1000), "event_ids": [uuid4()], "devices": [key[1]]}
        columns |= {"at_ms": [round(at.timestamp() * 1000)], "kinds": ["rule.too-late"], "data": [to_json(data)]}
        self._tx.execute(load("observations")["append_events"], columns)
        _LOG.warning("too late for an alarm: %s", data)

    def suppressed(self, rule_code: str, gateway_id: int) -> Sequence[Key]:
        """What fires without an alarm."""
        rows = self._tx.fetch(self._sql["suppressed"], {"rule": rule_code, "gateway": gateway_id})
        return [(row["rule_code"], row["device_id"]) for row in rows]

    def _insert(
        self, condition: Condition, now: datetime, *, incident: int | None = None, test: UUID | None = None
    ) -> int:
        new = asdict(condition) | {
            "rule": condition.rule_code,
            "device": condition.device_id,
            "place": condition.place_id,
            "reason": to_json(condition.reason),
            "incident": incident,
            "test": test,
            "now": now,
        }
        row = self._tx.one(self._sql["insert_alarm"], new)
        assert row is not None
        alarm_id: int = row["id"]
        where = (alarm_id, condition.rule_code, condition.device_id, incident or "-", test or "-")
        _LOG.info("alarm-raised alarm=%d rule=%s device=%d incident=%s walk-test=%s", *where)
        return alarm_id

    def _touch(self, row: DictRow) -> None:
        """Pages see it: those of the command centre an alarm, the tester's own an alarm of the test."""
        if row["walk_test_id"] is None:
            self._work.touched.alarms.add(row["id"])
        else:
            self._work.touched.tests.add(row["walk_test_id"])

    def _lock(self, keys: Sequence[Key]) -> dict[Key, RuleState]:
        which = {"codes": [code for code, _ in keys], "devices": [device for _, device in keys]}
        return {_key(row): _state(row) for row in self._tx.fetch(self._sql["lock_states"], which)}

    def _open(self, row: DictRow) -> OpenIncident:
        return OpenIncident(
            id=row["id"],
            kind=row["kind"],
            response=row["response"],
            state=row["state"],
            opened_at=row["opened_at"],
            line=self.line(row["place_id"]),
        )


def elapse_rule(work: Work, judge: Judge, ref: str) -> datetime | None:
    """Handler of `rule.elapse` (ref: rule/device): when to look again."""
    code, _, device = ref.rpartition("/")
    row = work.tx.one(load("alarms")["subject"], {"device": int(device)})
    if row is None:
        return None
    now_ms = round(work.now.timestamp() * 1000)
    due_ms = judge.elapse(SqlAlarmStore(work), (code, int(device)), Subject(**row), now_ms)
    return None if due_ms is None else datetime.fromtimestamp(due_ms / 1000, UTC)


def release_devices(work: Work, judge: Judge, ref: str) -> None:
    """Handler of `alarm.release` (ref: the gateway's own device id and a time)."""
    own = work.tx.one(load("alarms")["subject"], {"device": int(ref.partition("/")[0])})
    if own is None:
        return
    rows = work.tx.fetch(load("alarms")["subjects"], {"gateway": own["gateway_id"]})
    subjects = {row["device_id"]: Subject(**row) for row in rows}
    judge.release(SqlAlarmStore(work), own["gateway_id"], subjects, work.now)


def load_rules(tx: Transaction, builtin: Iterable[Rule]) -> list[Rule]:
    """Put the builtin rules into the table and read the rules in force."""
    sql = load("alarms")
    for rule in builtin:
        tx.execute(sql["put_builtin"], {"code": rule.code, "body": rule.model_dump_json()})
    return [Rule.model_validate(row["body"]) for row in tx.fetch(sql["rules"])]


def _key(row: DictRow) -> Key:
    return row["rule_code"], row["device_id"]


def _state(row: DictRow) -> RuleState:
    return RuleState(phase=row["phase"], since_ms=row["since_ms"], at_ms=row["at_ms"], reason=row["reason"])
