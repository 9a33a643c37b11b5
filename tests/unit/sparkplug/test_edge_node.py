"""The session of an Edge Node, as scripts in time."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from protocols.delivery import Acknowledgement, BirthId, Declaration, Lane, MessageId, NumberSet
from protocols.errors import ProtocolError
from protocols.sparkplug.actions import Disconnect, Malformed, Now, Publish, Subscribe
from protocols.sparkplug.births import OutboxState
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.edge_node import Acknowledged, Action, Born, Command, EdgeNode, Stage
from protocols.sparkplug.payload import Metric, Payload, decode, encode
from protocols.sparkplug.state import HostState, encode_state
from tests.unit.sparkplug.agent import View

EPOCH, OLD = UUID(int=7), UUID(int=6)
STATE = "spBv1.0/STATE/cloud"
NCMD = "spBv1.0/estate/NCMD/gw1"


def at(seconds: float) -> Now:
    return Now(at=seconds, utc_ms=1_700_000_000_000 + int(seconds * 1000))


def state(online: bool, timestamp_ms: int) -> bytes:
    return encode_state(HostState(online=online, timestamp_ms=timestamp_ms))


def acknowledging() -> View:
    lanes = {
        Lane.URGENT: [Declaration(epoch=EPOCH, held=NumberSet(), last_given=0)],
        Lane.BULK: [
            Declaration(epoch=OLD, held=NumberSet([(4, 9)]), last_given=9),
            Declaration(epoch=EPOCH, held=NumberSet([(1, 1)]), last_given=1),
        ],
    }
    return View(held=OutboxState(epoch=EPOCH, lanes=lanes))


def born(view: View | None = None, *, bdseq: int = 3) -> EdgeNode:
    node = EdgeNode(group="estate", node="gw1", view=view or View(), primary_host="cloud")
    node.connect(bdseq, at(0))
    node.connected()
    node.subscribed(at(0))
    node.received(STATE, state(True, 1000), at(0))
    assert node.stage is Stage.BORN
    return node


def published(actions: Sequence[Action]) -> list[tuple[str, Payload]]:
    return [
        (action.topic.split("/", 2)[2], decode(action.payload)) for action in actions if isinstance(action, Publish)
    ]


def kinds(actions: Sequence[Action]) -> list[tuple[str, int | None]]:
    return [(topic, payload.seq) for topic, payload in published(actions)]


def named(payload: Payload) -> dict[str | None, Metric]:
    return {metric.name: metric for metric in payload.metrics}


ENERGY = Metric(name="Energy", datatype=DataType.INT32, value=-7, timestamp_ms=2000)
OPEN = Metric(name="Open", datatype=DataType.BOOLEAN, value=True, timestamp_ms=2000)
BIRTH_TOPICS = [("NBIRTH/gw1", 0), ("DBIRTH/gw1/meter", 1), ("DBIRTH/gw1/door", 2)]


def test_will() -> None:
    """NDEATH with bdSeq and no seq, QoS 1, not retained."""
    node = EdgeNode(group="estate", node="gw1", view=View(), primary_host=None)
    will = node.connect(255, at(0))
    # tck-id-message-flow-edge-node-birth-publish-will-message
    # tck-id-message-flow-edge-node-birth-publish-will-message-topic
    # tck-id-message-flow-edge-node-birth-publish-will-message-qos
    # tck-id-message-flow-edge-node-birth-publish-will-message-will-retained
    # tck-id-payloads-ndeath-will-message, tck-id-payloads-ndeath-will-message-qos
    # tck-id-payloads-ndeath-will-message-retain
    assert (will.topic, will.qos, will.retain) == ("spBv1.0/estate/NDEATH/gw1", 1, False)
    payload = decode(will.payload)
    assert payload.seq is None  # tck-id-payloads-ndeath-seq
    (metric,) = payload.metrics  # tck-id-topics-ndeath-payload
    # tck-id-message-flow-edge-node-birth-publish-will-message-payload-bdSeq
    assert (metric.name, metric.datatype, metric.value) == ("bdSeq", DataType.INT64, 255)


def test_without_primary_host_it_births_after_the_subscription() -> None:
    """tck-id-message-flow-edge-node-birth-publish-connect."""
    node = EdgeNode(group="estate", node="gw1", view=View(), primary_host=None)
    node.connect(0, at(0))
    # tck-id-message-flow-edge-node-ncmd-subscribe, tck-id-message-flow-device-dcmd-subscribe
    assert node.connected() == [Subscribe(filters=(NCMD, "spBv1.0/estate/DCMD/gw1/+"), qos=1)]
    assert kinds(node.subscribed(at(0))) == BIRTH_TOPICS


def test_waits_for_its_primary_host() -> None:
    """Until its own one says online.

    tck-id-message-flow-edge-node-birth-publish-phid-wait
    tck-id-message-flow-edge-node-birth-publish-phid-wait-id
    tck-id-message-flow-edge-node-birth-publish-phid-wait-online
    tck-id-operational-behavior-edge-node-birth-sequence-wait
    tck-id-operational-behavior-primary-application-state-with-multiple-servers-state-subs
    """
    node = EdgeNode(group="estate", node="gw1", view=View(), primary_host="cloud")
    node.connect(0, at(0))
    assert STATE in node.connected()[0].filters  # type: ignore[union-attr]
    assert node.subscribed(at(0)) == []
    assert node.received("spBv1.0/STATE/other", state(True, 2000), at(1)) == []
    assert node.received(STATE, state(False, 500), at(1)) == []
    assert kinds(node.received(STATE, state(True, 1000), at(2))) == BIRTH_TOPICS
    assert node.received(STATE, state(True, 1000), at(3)) == []  # once


def test_state_that_comes_before_the_subscription_is_confirmed() -> None:
    node = EdgeNode(group="estate", node="gw1", view=View(), primary_host="cloud")
    node.connect(0, at(0))
    node.connected()
    assert node.received(STATE, state(True, 1000), at(0)) == []
    assert kinds(node.subscribed(at(0))) == BIRTH_TOPICS


def test_older_online_than_the_last_state_seen_is_none() -> None:
    """tck-id-message-flow-edge-node-birth-publish-phid-wait-timestamp, also over a new connection."""
    node = born()
    node.received(STATE, state(False, 5000), at(1))
    node.disconnected()
    node.connect(4, at(2))
    node.connected()
    node.subscribed(at(2))
    assert node.received(STATE, state(True, 4999), at(2)) == []
    assert kinds(node.received(STATE, state(True, 5000), at(2))) == BIRTH_TOPICS


def test_nbirth() -> None:
    node = EdgeNode(group="estate", node="gw1", view=View(), primary_host=None)
    node.connect(41, at(0))
    node.connected()
    actions = node.subscribed(at(5))
    first = actions[0]
    assert isinstance(first, Publish)
    assert (first.qos, first.retain) == (0, False)  # tck-id-topics-nbirth-mqtt
    payload = decode(first.payload)
    assert payload.seq == 0  # tck-id-topics-nbirth-seq-num
    assert payload.timestamp_ms == at(5).utc_ms  # tck-id-payloads-nbirth-timestamp
    metrics = named(payload)
    # tck-id-topics-nbirth-bdseq-matching, tck-id-message-flow-edge-node-birth-publish-nbirth-payload-bdSeq
    assert (metrics["bdSeq"].value, metrics["bdSeq"].datatype) == (41, DataType.INT64)
    rebirth = metrics["Node Control/Rebirth"]
    # tck-id-operational-behavior-data-commands-rebirth-datatype
    # tck-id-operational-behavior-data-commands-rebirth-value
    # tck-id-operational-behavior-data-commands-rebirth-name-aliases
    assert (rebirth.value, rebirth.datatype, rebirth.alias) == (False, DataType.BOOLEAN, None)
    # tck-id-payloads-alias-birth-requirement
    assert all(metric.alias is not None for name, metric in metrics.items() if name != "Node Control/Rebirth")
    assert all(metric.datatype is not None for metric in payload.metrics)  # tck-id-payloads-metric-datatype-req
    assert all(
        metric.timestamp_ms is not None for metric in payload.metrics
    )  # tck-id-payloads-name-birth-data-requirement
    assert not any(
        name and name.startswith("Outbox") for name in metrics
    )  # plain delivery says nothing about an outbox
    assert actions[-1] == Born(birth=None)


def test_aliases_are_unique_over_the_node_and_stay() -> None:
    """tck-id-payloads-alias-uniqueness, and the same after a rebirth."""
    view = acknowledging()
    node = born(view)
    before = [m.alias for _, payload in published(node.birth(at(1))) for m in payload.metrics if m.alias is not None]
    assert len(set(before)) == len(before)
    view.live.reverse()
    again = [m.alias for _, payload in published(node.birth(at(2))) for m in payload.metrics if m.alias is not None]
    assert sorted(before) == sorted(again)


def test_reserved_alias() -> None:
    view = View(aliases={("meter", "Energy"): 1})
    node = EdgeNode(group="estate", node="gw1", view=view, primary_host=None)
    node.connected()
    with pytest.raises(ValueError, match="reserved"):
        node.subscribed(at(0))


def test_declares_its_outbox() -> None:
    node = born(acknowledging())
    actions = node.birth(at(1))
    metrics = named(published(actions)[0][1])
    assert metrics["Node Control/Outbox Ack"].alias == 1
    assert metrics["Outbox/Birth"].value == f"{EPOCH}.2"
    assert metrics["Outbox/urgent"].value == f"{EPOCH}:{{}}/0"
    assert metrics["Outbox/bulk"].value == f"{OLD}:{{[4,10)}}/9;{EPOCH}:{{[1,2)}}/1"
    assert actions[-1] == Born(birth=BirthId(epoch=EPOCH, count=2))


def test_data() -> None:
    node = born()
    message = MessageId(epoch=EPOCH, lane=Lane.BULK, first=8, last=8)
    (action,) = node.data("meter", [ENERGY], at(9), message=message)
    assert isinstance(action, Publish)
    # tck-id-topics-ddata-topic, tck-id-topics-ddata-mqtt
    assert (action.topic, action.qos, action.retain) == ("spBv1.0/estate/DDATA/gw1/meter", 0, False)
    payload = decode(action.payload)
    # tck-id-topics-ddata-seq-num, tck-id-payloads-ddata-timestamp
    assert (payload.seq, payload.timestamp_ms, payload.uuid) == (3, at(9).utc_ms, str(message))
    (metric,) = payload.metrics
    # tck-id-payloads-alias-data-cmd-requirement, tck-id-payloads-metric-datatype-not-req
    assert (metric.name, metric.datatype, metric.timestamp_ms) == (None, None, 2000)
    assert (metric.value, metric.is_historical) == (0xFFFF_FFF9, False)
    assert kinds(node.data(None, [Metric(name="CPU", datatype=DataType.DOUBLE, value=1.0)], at(9))) == [
        ("NDATA/gw1", 4)
    ]


def test_seq_wraps() -> None:
    """tck-id-payloads-sequence-num-incrementing."""
    node = born()
    seqs = [seq for _ in range(300) for _, seq in kinds(node.data("meter", [ENERGY], at(1)))]
    assert seqs == [(3 + index) % 256 for index in range(300)]


def test_value_that_cannot_be_sent_takes_no_seq() -> None:
    node = born()
    with pytest.raises(ProtocolError):
        node.data("meter", [Metric(name="Energy", datatype=DataType.INT32, value=1 << 40)], at(1))
    assert kinds(node.data("meter", [ENERGY], at(1))) == [("DDATA/gw1/meter", 3)]


def test_no_data_without_a_birth() -> None:
    node = EdgeNode(group="estate", node="gw1", view=View(), primary_host=None)
    with pytest.raises(ValueError, match="OFFLINE"):
        node.data("meter", [ENERGY], at(0))


def test_rebirth() -> None:
    """The whole birth sequence at once, with the same bdSeq; data follow it.

    tck-id-operational-behavior-data-commands-rebirth-action-1
    tck-id-operational-behavior-data-commands-rebirth-action-2
    tck-id-operational-behavior-data-commands-rebirth-action-3
    """
    node = born(bdseq=200)
    node.data("meter", [ENERGY], at(1))
    ask = Metric(name="Node Control/Rebirth", datatype=DataType.BOOLEAN, value=True)
    actions = node.received(NCMD, encode(Payload(timestamp_ms=1, metrics=(ask,))), at(2))
    assert kinds(actions) == BIRTH_TOPICS
    assert named(published(actions)[0][1])["bdSeq"].value == 200
    refuse = Metric(name="Node Control/Rebirth", datatype=DataType.BOOLEAN, value=False)
    assert node.received(NCMD, encode(Payload(metrics=(refuse,))), at(3)) == []


def test_new_metric_is_born_before_its_first_value() -> None:
    """tck-id-operational-behavior-data-publish-dbirth, tck-id-operational-behavior-data-publish-nbirth."""
    node = born()
    volts = Metric(name="Volts", datatype=DataType.FLOAT, value=230.0, timestamp_ms=1)
    actions = node.data("meter", [volts], at(1))
    assert kinds(actions) == [("DBIRTH/gw1/meter", 3), ("DDATA/gw1/meter", 4)]
    assert named(published(actions)[0][1])["Volts"].is_null
    assert kinds(node.data("meter", [volts], at(2))) == [("DDATA/gw1/meter", 5)]
    heat = Metric(name="Heat", datatype=DataType.FLOAT, value=1.0)
    assert kinds(node.data(None, [heat], at(3))) == [*BIRTH_TOPICS, ("NDATA/gw1", 3)]
    assert {"Volts", "Energy"} <= set(named(published(node.birth(at(4)))[1][1]))


def test_lost_device() -> None:
    """tck-id-operational-behavior-device-ddeath, and its return."""
    node = born()
    actions = node.device_death("meter", at(1))
    assert kinds(actions) == [("DDEATH/gw1/meter", 3)]  # tck-id-payloads-ddeath-seq-inc
    assert published(actions)[0][1].timestamp_ms == at(1).utc_ms  # tck-id-payloads-ddeath-timestamp
    assert node.device_death("meter", at(1)) == []
    assert kinds(node.device_birth("meter", at(2))) == [("DBIRTH/gw1/meter", 4)]


def test_backlog_of_a_lost_device() -> None:
    """After a DBIRTH with null values and before the next DDEATH, all historical."""
    view = View(live=["door"])
    node = born(view)
    actions = node.data("meter", [ENERGY], at(1))
    assert kinds(actions) == [("DBIRTH/gw1/meter", 2), ("DDATA/gw1/meter", 3)]
    birth, data = (payload for _, payload in published(actions))
    assert all(metric.is_null for metric in birth.metrics)
    assert all(metric.is_historical for metric in data.metrics)
    assert kinds(node.data("meter", [ENERGY], at(2))) == [("DDATA/gw1/meter", 4)]
    assert kinds(node.birth(at(3))) == [("NBIRTH/gw1", 0), ("DBIRTH/gw1/door", 1), ("DBIRTH/gw1/meter", 2)]
    assert kinds(node.end_backlog(at(4))) == [("DDEATH/gw1/meter", 3)]
    assert node.end_backlog(at(4)) == []


def test_device_that_returns_in_the_middle_of_its_backlog() -> None:
    view = View(live=["door"])
    node = born(view)
    node.data("meter", [ENERGY], at(1))
    view.live.append("meter")
    (birth,) = published(node.device_birth("meter", at(2)))
    assert named(birth[1])["Energy"].value == -5
    (data,) = published(node.data("meter", [ENERGY], at(3)))
    assert not data[1].metrics[0].is_historical
    assert node.end_backlog(at(4)) == []


def test_primary_host_goes_offline() -> None:
    """NDEATH, then the end of the connection; the next one follows.

    tck-id-message-flow-edge-node-birth-publish-phid-offline
    tck-id-payloads-ndeath-will-message-publisher
    tck-id-operational-behavior-edge-node-termination-host-offline
    tck-id-operational-behavior-edge-node-termination-host-offline-reconnect
    tck-id-operational-behavior-primary-application-state-with-multiple-servers-walk
    """
    node = born(bdseq=9)
    death, leave = node.received(STATE, state(False, 1000), at(5))
    assert isinstance(death, Publish)
    assert (death.topic, death.retain) == ("spBv1.0/estate/NDEATH/gw1", False)
    assert [metric.value for metric in decode(death.payload).metrics] == [9]
    assert leave == Disconnect(reason="host-offline", reconnect=True)
    assert node.stage is Stage.OFFLINE


def test_old_offline_is_no_reason_to_leave() -> None:
    """tck-id-operational-behavior-edge-node-termination-host-offline-timestamp."""
    node = born()
    assert node.received(STATE, state(False, 999), at(5)) == []
    assert node.stage is Stage.BORN


def test_graceful_stop() -> None:
    """NDEATH, then DISCONNECT.

    tck-id-operational-behavior-edge-node-intentional-disconnect-ndeath
    tck-id-operational-behavior-edge-node-intentional-disconnect-packet
    tck-id-payloads-ndeath-will-message-publisher-disconnect-mqtt311
    """
    node = born(bdseq=12)
    death, leave = node.stop(at(5))
    assert isinstance(death, Publish)
    assert decode(death.payload).metrics[0].value == 12
    assert leave == Disconnect(reason="stopped", reconnect=False)


def test_stop_before_a_birth_has_nothing_to_take_back() -> None:
    node = EdgeNode(group="estate", node="gw1", view=View(), primary_host="cloud")
    node.connect(0, at(0))
    node.connected()
    assert node.stop(at(1)) == [Disconnect(reason="stopped", reconnect=False)]


def ack(birth: BirthId, *, host: str = "cloud", epoch: UUID = EPOCH, lane: Lane = Lane.BULK) -> Acknowledgement:
    return Acknowledgement(host=host, birth=birth, epoch=epoch, lane=lane, received=NumberSet([(1, 1)]))


def ack_bytes(said: Acknowledgement) -> bytes:
    metric = Metric(alias=1, datatype=DataType.STRING, value=str(said))
    return encode(Payload(timestamp_ms=1, metrics=(metric,)), brief=True)


def test_acknowledgement_for_the_newest_birth() -> None:
    node = born(acknowledging())
    mine = ack(BirthId(epoch=EPOCH, count=1))
    assert node.received(NCMD, ack_bytes(mine), at(1)) == [Acknowledged(ack=mine, timestamp_ms=1)]
    assert node.received(NCMD, ack_bytes(ack(BirthId(epoch=EPOCH, count=1), host="other")), at(1)) == []
    assert node.received(NCMD, ack_bytes(ack(BirthId(epoch=EPOCH, count=0))), at(1)) == []


def test_unanswered_birth_is_repeated() -> None:
    node = born(acknowledging())
    assert node.tick(at(9)) == []
    assert kinds(node.tick(at(10))) == BIRTH_TOPICS
    for epoch, lane in ((EPOCH, Lane.URGENT), (EPOCH, Lane.BULK), (OLD, Lane.BULK)):
        assert not node.answered
        node.received(NCMD, ack_bytes(ack(BirthId(epoch=EPOCH, count=2), epoch=epoch, lane=lane)), at(11))
    assert node.answered
    assert node.tick(at(1000)) == []


def test_plain_delivery_waits_for_no_answer() -> None:
    assert born().tick(at(1000)) == []


def test_commands() -> None:
    """tck-id-operational-behavior-data-commands-dcmd-verb: by alias, typed by the birth."""
    view = View()
    node = born(view)
    write = Metric(alias=view.alias("meter", "Energy"), datatype=DataType.INT32, value=-1)
    data = encode(Payload(timestamp_ms=77, metrics=(write,)), brief=True)
    (command,) = node.received("spBv1.0/estate/DCMD/gw1/meter", data, at(1))
    assert isinstance(command, Command)
    assert (command.device, command.timestamp_ms) == ("meter", 77)
    assert [(metric.name, metric.value) for metric in command.metrics] == [("Energy", -1)]
    by_name = encode(Payload(metrics=(Metric(name="Energy", datatype=DataType.INT32, value=-1),)), brief=True)
    (again,) = node.received("spBv1.0/estate/DCMD/gw1/meter", by_name, at(1))
    assert isinstance(again, Command)
    assert again.metrics[0].value == -1
    assert [type(a) for a in node.received("spBv1.0/estate/DCMD/gw1/door", data, at(1))] == [Malformed]


def test_one_unreadable_metric_does_not_hide_a_rebirth() -> None:
    node = born()
    metrics = (
        Metric(alias=999, datatype=DataType.INT32, value=1),
        Metric(name="Node Control/Rebirth", datatype=DataType.BOOLEAN, value=True),
    )
    actions = node.received(NCMD, encode(Payload(metrics=metrics)), at(1))
    assert isinstance(actions[0], Malformed)
    assert kinds(actions) == BIRTH_TOPICS


@pytest.mark.parametrize("topic", [STATE, NCMD, "spBv1.0/estate/DCMD/gw1/meter", "nonsense"])
def test_garbage_is_left_alone(topic: str) -> None:
    node = born()
    (action,) = node.received(topic, b"\xff\xff", at(1))
    assert isinstance(action, Malformed)
    assert (action.topic, node.stage) == (topic, Stage.BORN)


def test_what_is_for_others_is_no_news() -> None:
    node = born()
    for topic in ("spBv1.0/estate/NCMD/gw2", "spBv1.0/other/NCMD/gw1", "spBv1.0/estate/NDATA/gw1"):
        assert node.received(topic, b"\xff", at(1)) == []
