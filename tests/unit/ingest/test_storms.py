"""A street that is born at once, in simulated time: no node is asked too often, and the births are taken in bites."""

from __future__ import annotations

import uuid
from collections import defaultdict

import pytest

from cloud.ingest import turns, work
from cloud.ingest.channels import Channels, Session, Table
from cloud.ingest.hearing import Hearing
from cloud.ingest.link import Heard
from cloud.ingest.work import Backlog, Born, Died
from protocols.delivery import Declaration, Lane, MessageId, NumberSet
from protocols.sparkplug.actions import Now, Publish
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric, Payload, encode
from tests.unit.ingest.test_work import message

NODES = [f"gw-{number}" for number in range(1_000)]
EPOCH_MS = 1_753_000_000_000


class Street:
    """All gateways of a street, heard by one worker; time is what the test says."""

    def __init__(self) -> None:
        self.backlog = Backlog()
        self.asked: dict[str, list[float]] = defaultdict(list)
        self.now = 1_000.0
        self.hearing = Hearing(Channels(), self.backlog, self._publish, lambda outcome: None, reorder_timeout=2.0)

    def _publish(self, message: Publish) -> None:
        self.asked[message.topic.rpartition("/")[2]].append(self.now)

    def hear(self, kind: str, node: str, seq: int | None) -> None:
        metrics = (
            Metric(name="bdSeq", datatype=DataType.INT64, value=0),
            Metric(name="Node Control/Rebirth", datatype=DataType.BOOLEAN, value=False),
        )
        payload = encode(Payload(timestamp_ms=EPOCH_MS, seq=seq, metrics=metrics if kind == "NBIRTH" else ()))
        self.hearing.hear(Heard(f"spBv1.0/estate/{kind}/{node}", payload, False, self.now, EPOCH_MS))

    def pass_time(self, seconds: float, step: float = 5.0) -> None:
        """Let time pass; the worker looks at the clock every `step`."""
        until = self.now + seconds
        while self.now < until:
            self.now += step
            self.hearing.tick(Now(at=self.now, utc_ms=EPOCH_MS))


def test_nodes_that_never_answer_are_asked_at_doubling_distances() -> None:
    street = Street()
    for _ in range(6):
        for node in NODES:
            street.hear("NDATA", node, 1)
        street.pass_time(600)
    for node in NODES:
        gaps = [later - earlier for earlier, later in zip(street.asked[node], street.asked[node][1:], strict=False)]
        assert all(gap >= least for gap, least in zip(gaps, (10, 20, 40, 80, 160, 320, 600), strict=False))
        assert len(street.asked[node]) <= 12, "in an hour"


def test_nodes_that_answer_are_left_alone_and_forgiven_after_ten_quiet_minutes() -> None:
    street = Street()
    for node in NODES[:50]:
        street.hear("NDATA", node, 1)
        street.hear("NBIRTH", node, 0)
    street.pass_time(599)
    assert all(len(street.asked[node]) == 1 for node in NODES[:50])
    for node in NODES[:50]:  # a hole: asked again, after the reordering time-out
        street.hear("NDATA", node, 5)
    street.pass_time(10)
    assert all(len(street.asked[node]) == 2 for node in NODES[:50])


def test_a_storm_of_births_asks_nobody_and_keeps_the_newest_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "GROUP_TURNS", 300)
    street = Street()
    for _ in range(3):
        for node in NODES:
            street.hear("NBIRTH", node, 0)
    assert not street.asked
    taken = []
    while street.backlog:
        group = street.backlog.take()
        assert len(group.turns) <= 300
        taken += [turn.session.node[1] for turn in group.turns if isinstance(turn, Born)]
    assert taken == NODES


def test_an_alarm_does_not_wait_behind_a_storm_of_births(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "GROUP_TURNS", 300)
    street = Street()
    for node in NODES:
        street.hear("NBIRTH", node, 0)
    street.backlog.message(message(1, Lane.URGENT))
    assert [item.id for item in street.backlog.take().messages if isinstance(item.id, MessageId)]


def test_births_that_did_not_commit_come_before_newer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "GROUP_TURNS", 2)
    channels, backlog = Channels(), Backlog()

    def born(code: str, at_ms: int) -> Born:
        session = Session(node=("estate", code), bdseq=0, birth=None, declared={})
        table = Table(station=channels.station(("estate", code), ""))
        return Born(session=session, table=table, at_ms=at_ms)

    first, second, third = born("a", 1), born("b", 2), born("c", 3)
    for turn in (first, second, third):
        backlog.turn(turn)
    group = backlog.take()
    assert group.turns == [first, second]
    again, death = born("a", 4), Died(node=("estate", "b"), device=None, at_ms=5, reason="death", plain=False)
    backlog.turn(again)
    backlog.turn(death)
    backlog.give_back(group)
    assert [*backlog.take().turns, *backlog.take().turns] == [second, third, again, death]


def test_of_two_births_that_name_one_epoch_the_higher_number_counts() -> None:
    """A cloned card: both gateways may be born in one group, in any order."""
    channels, epoch = Channels(), uuid.uuid4()

    def born(code: str, last_given: int) -> Born:
        parts = (Declaration(epoch=epoch, held=NumberSet(), last_given=last_given),)
        session = Session(node=("estate", code), bdseq=0, birth=None, declared={Lane.BULK: parts})
        return Born(session=session, table=Table(station=channels.station(("estate", code), "")), at_ms=1)

    for order in ([born("a", 5), born("b", 4)], [born("b", 4), born("a", 5)]):
        assert turns.declared([*order]) == {(epoch, Lane.BULK): 5}
