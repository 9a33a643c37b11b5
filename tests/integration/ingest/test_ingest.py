"""From a gateway's message to committed rows and an acknowledgement, on a real broker and a real PostgreSQL."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from cloud.ingest import hearing, roll_call
from cloud.ingest.worker import IngestWorker
from protocols.delivery import Lane, NumberSet
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric
from tests.integration.ingest.conftest import HOST, Facts
from tests.integration.ingest.gateway import Gateway, boolean, double, event, now_ms, wait_for

Rows = Callable[[str], list[dict[str, Any]]]
T0 = 1_753_000_000_000


def temperature(value: float | None, at_ms: int = T0) -> Metric:
    return double("temperature", 10, value, at_ms)


def born(gateway: Gateway, **kwargs: Any) -> None:
    """A gateway with one cold cabinet and one smoke detector."""
    gateway.birth(
        (event(5, "agent.started", T0),),
        devices={
            "cold-1": (temperature(None),),
            "smoke-1": (boolean("smoke", 20, False, T0), double("battery", 21, 90.0, T0), event(22, "x", T0)),
        },
        **kwargs,
    )


def test_a_birth_is_answered_for_every_lane_it_declares(gateway: Gateway, rows: Rows) -> None:
    born(gateway, last_given=7)
    wait_for(lambda: {ack.lane for ack in gateway.acks} == set(Lane))
    assert {ack.host for ack in gateway.acks} == {HOST}
    assert all(ack.birth == gateway.birth_id and ack.received == NumberSet() for ack in gateway.acks)
    wait_for(lambda: len(rows("SELECT FROM device WHERE online")) == 3)
    assert rows("SELECT group_code, code, online, bdseq FROM gateway") == [
        {"group_code": "peach-garden", "code": "gw-1", "online": True, "bdseq": 0}
    ]
    assert [row["highest"] for row in rows("SELECT highest FROM received")] == [7, 7]
    assert {row["metric"] for row in rows("SELECT metric FROM series")} == {"temperature", "smoke", "battery"}
    assert len(rows("SELECT FROM alias WHERE alias IN (5, 10, 20, 21, 22)")) == 5
    # Births of a node with an outbox are never a reading.
    assert not rows("SELECT FROM reading")
    assert [row["kind"] for row in rows("SELECT kind FROM event")] == ["gateway.online"]


def test_readings_texts_and_events_are_stored_once_and_acknowledged(gateway: Gateway, rows: Rows) -> None:
    born(gateway)
    for number in range(1, 51):
        gateway.data(number, (temperature(number / 10, T0 + number * 1000),), device="cold-1")
    gateway.data(1, (boolean("smoke", 20, True, T0),), device="smoke-1", lane=Lane.URGENT)
    gateway.data(2, (event(22, "sos", T0 + 5, {"by": "button"}),), device="smoke-1", lane=Lane.URGENT)
    wait_for(lambda: gateway.acknowledged_up_to(50) and gateway.acknowledged_up_to(2, Lane.URGENT))
    stored = rows(
        "SELECT r.ts, r.value FROM reading r JOIN series s ON s.id = series_id WHERE metric = 'temperature' ORDER BY ts"
    )
    assert [row["value"] for row in stored] == [number / 10 for number in range(1, 51)]
    assert stored[0]["ts"] == datetime.fromtimestamp(T0 / 1000 + 1, UTC)
    assert rows("SELECT value FROM reading r JOIN series s ON s.id = series_id WHERE metric = 'smoke'") == [
        {"value": 1.0}
    ]
    sos = rows("SELECT e.kind, e.data, d.code FROM event e JOIN device d ON d.id = device_id WHERE kind = 'sos'")
    assert sos == [{"kind": "sos", "data": {"by": "button"}, "code": "smoke-1"}]
    assert rows("SELECT lane, numbers::text AS numbers FROM received ORDER BY lane") == [
        {"lane": "bulk", "numbers": "{[1,51)}"},
        {"lane": "urgent", "numbers": "{[1,3)}"},
    ]


def test_duplicates_are_dropped_and_acknowledged_again(gateway: Gateway, rows: Rows) -> None:
    born(gateway)
    gateway.data(1, (temperature(4.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(1))
    before = len(gateway.acks)
    for _ in range(20):
        gateway.data(1, (temperature(4.0),), device="cold-1")
    wait_for(lambda: len(gateway.acks) > before, "acknowledged again")
    gateway.data(2, (temperature(5.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(2))
    assert [row["value"] for row in rows("SELECT value FROM reading ORDER BY value")] == [4.0, 5.0]


def test_what_arrives_out_of_order_is_put_in_order(gateway: Gateway, rows: Rows) -> None:
    born(gateway)
    start = gateway.seq
    for place in (0, 2, 1, 3):
        gateway.data(place + 1, (temperature(float(place), T0 + place),), device="cold-1", seq=start + place)
    gateway.seq = start + 4
    wait_for(lambda: gateway.acknowledged_up_to(4))
    assert gateway.rebirths_asked == 0
    assert [row["value"] for row in rows("SELECT value FROM latest")] == [3.0]


def test_a_hole_is_left_behind_and_asks_for_a_rebirth(gateway: Gateway, rows: Rows) -> None:
    born(gateway)
    gateway.data(1, (temperature(1.0),), device="cold-1")
    gateway.seq += 1
    gateway.data(3, (temperature(3.0),), device="cold-1")
    wait_for(lambda: gateway.rebirths_asked == 1)
    born(gateway)
    gateway.data(2, (temperature(2.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(3))
    assert sorted(row["value"] for row in rows("SELECT value FROM reading")) == [1.0, 2.0, 3.0]


def test_a_range_that_is_partly_known_goes_to_poison(gateway: Gateway, rows: Rows) -> None:
    born(gateway)
    gateway.data((1, 5), (temperature(1.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(5))
    gateway.data((4, 8), (temperature(2.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(8))
    assert [row["value"] for row in rows("SELECT value FROM reading")] == [1.0]
    poison = rows("SELECT message, code, params, length(payload) > 0 AS raw FROM poison")
    assert poison == [
        {
            "message": f"{gateway.epoch}/bulk/4-8",
            "code": "cloud.ingest.partly-known",
            "params": {"missing": "{[6,9)}"},
            "raw": True,
        }
    ]


def test_an_unknown_alias_asks_for_a_rebirth_and_fails_for_good_after_it(gateway: Gateway, rows: Rows) -> None:
    born(gateway)
    strange = (double("humidity", 99, 50.0, T0), temperature(6.0))
    gateway.data(1, strange, device="cold-1")
    wait_for(lambda: gateway.rebirths_asked == 1)
    assert not gateway.acknowledged_up_to(1)
    assert not rows("SELECT FROM reading")
    born(gateway)
    gateway.data(1, strange, device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(1))
    assert [row["code"] for row in rows("SELECT code FROM poison")] == ["cloud.ingest.unknown-alias"]
    assert [row["value"] for row in rows("SELECT value FROM reading")] == [6.0]


def test_latest_goes_by_the_time_of_the_observation(gateway: Gateway, rows: Rows) -> None:
    born(gateway)
    gateway.data(1, (temperature(7.0, T0 + 60_000),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(1))
    gateway.data(2, (temperature(3.0, T0), temperature(4.0, T0 + 1000)), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(2))
    newest = rows("SELECT value, ts FROM latest")
    assert newest == [{"value": 7.0, "ts": datetime.fromtimestamp(T0 / 1000 + 60, UTC)}]
    gateway.data(3, (temperature(None, T0 + 61_000),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(3))
    assert [row["value"] for row in rows("SELECT value FROM latest")] == [None]


def test_a_plain_node_of_another_vendor_feeds_the_cloud(gateway: Gateway, broker: Any, rows: Rows) -> None:
    other = Gateway(broker.port, "plc-7", group="Werk Süd", acknowledged=False)
    by_name = Metric(name="Pump/Flow", datatype=DataType.INT32, value=-12, timestamp_ms=T0)
    label = Metric(name="Label", alias=3, datatype=DataType.STRING, value="north", timestamp_ms=T0)
    other.birth((by_name, label))
    other.birth((by_name, label), devices={"Unit 1": (double("t", 4, 20.5, T0),)})
    wait_for(lambda: len(rows("SELECT FROM reading")) == 3, "values of births are observations")
    other.data(None, (Metric(name="Pump/Flow", datatype=DataType.INT32, value=-13, timestamp_ms=T0 + 1),))
    other.data(None, (double("t", 4, 21.5, T0 + 1),), device="Unit 1")
    wait_for(lambda: len(rows("SELECT FROM reading")) == 5)
    found = rows("SELECT metric, value, text FROM latest JOIN series ON series.id = series_id ORDER BY metric")
    assert found == [
        {"metric": "Label", "value": None, "text": "north"},
        {"metric": "Pump/Flow", "value": -13.0, "text": None},
        {"metric": "t", "value": 21.5, "text": None},
    ]
    assert not other.acks
    other.die()
    wait_for(lambda: not rows("SELECT FROM gateway WHERE group_code = 'Werk Süd' AND online"))


def test_a_death_takes_the_gateway_and_its_devices_offline(gateway: Gateway, rows: Rows, facts: Facts) -> None:
    born(gateway)
    wait_for(lambda: len(rows("SELECT FROM device WHERE online")) == 3)
    gateway.die()
    wait_for(lambda: not rows("SELECT FROM gateway WHERE online"))
    assert not rows("SELECT FROM device WHERE online")
    kinds = rows("SELECT kind, data FROM event ORDER BY id")
    assert [row["kind"] for row in kinds] == ["gateway.online", "gateway.offline"]
    told = rows("SELECT kind, data->>'online' AS online FROM stream_event ORDER BY id")
    assert [row["kind"] for row in told] == ["gateway", "device", "device", "gateway", "device", "device"]
    assert [row["online"] for row in told] == ["true"] * 3 + ["false"] * 3
    assert not facts.seen  # nobody has said where the gateway hangs


def test_only_placed_devices_are_judged_by_what_rules_watch(gateway: Gateway, rows: Rows, facts: Facts) -> None:
    born(gateway)
    wait_for(lambda: len(rows("SELECT FROM device WHERE online")) == 3)
    place(rows)
    gateway.data(
        1,
        (boolean("smoke", 20, True, T0 + 2), double("battery", 21, 80.0, T0), event(22, "sos", T0 + 1)),
        device="smoke-1",
        lane=Lane.URGENT,
    )
    gateway.data(1, (temperature(9.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(1) and gateway.acknowledged_up_to(1, Lane.URGENT))
    assert [(fact.device_code, fact.place_path, fact.observation.at_ms - T0) for fact in facts.seen] == [
        ("smoke-1", "s", 1),
        ("smoke-1", "s", 2),
    ]
    assert facts.seen[1].observation.value is True  # type: ignore[union-attr]


def place(rows: Rows) -> None:
    rows("INSERT INTO place (kind, code, path, name) VALUES ('street', 's', 's', '{}') RETURNING id")
    rows("UPDATE device SET place_id = (SELECT id FROM place), type = 'smoke' WHERE code = 'smoke-1' RETURNING id")


def test_what_a_failing_judge_could_not_judge_is_stored_and_remembered_and_the_stream_goes_on(
    gateway: Gateway, rows: Rows, facts: Facts
) -> None:
    born(gateway)
    wait_for(lambda: len(rows("SELECT FROM device WHERE online")) == 3)
    place(rows)
    facts.fail = RuntimeError("a rule is broken")
    gateway.data(1, (boolean("smoke", 20, True, T0),), device="smoke-1", lane=Lane.URGENT)
    gateway.data(1, (temperature(9.0),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(1) and gateway.acknowledged_up_to(1, Lane.URGENT))
    assert rows("SELECT code, params FROM poison") == [
        {"code": "cloud.ingest.unjudged", "params": {"why": "a rule is broken", "faults": 1}}
    ]
    assert sorted(row["value"] for row in rows("SELECT value FROM reading")) == [1.0, 9.0]


def test_garbage_is_kept_and_harms_nobody(gateway: Gateway, rows: Rows) -> None:
    born(gateway)
    gateway.client.publish("spBv1.0/peach-garden/NDATA/gw-9", b"\xff\xff\xff garbage")
    gateway.client.publish("spBv1.0/nonsense", b"x")
    gateway.data(1, (temperature(1.0, (1 << 64) - 1),), device="cold-1")
    gateway.data(2, (temperature(float("inf")),), device="cold-1")
    bad = Metric(name="Event", alias=22, datatype=DataType.STRING, value="{}", timestamp_ms=T0)
    text = json.dumps(
        {"id": str(uuid.uuid4()), "kind": "sos\0", "data": {"text": "a\0b", "half": "\ud800", "far": math.inf}}
    )
    odd = Metric(name="Event", alias=22, datatype=DataType.STRING, value=text, timestamp_ms=T0)
    gateway.data(1, (bad, odd), device="smoke-1", lane=Lane.URGENT)
    wait_for(lambda: gateway.acknowledged_up_to(2) and gateway.acknowledged_up_to(1, Lane.URGENT))
    wait_for(lambda: len(rows("SELECT FROM poison")) == 3)
    codes = {row["code"] for row in rows("SELECT code FROM poison")}
    assert codes == {"protocols.sparkplug.undecodable", "protocols.sparkplug.bad-topic", "protocols.event.unreadable"}
    absurd, infinite = rows("SELECT value, quality, ts FROM reading ORDER BY value NULLS LAST")
    assert (absurd["value"], absurd["quality"]) == (1.0, 64)
    assert abs(absurd["ts"].timestamp() * 1000 - now_ms()) < 60_000
    assert (infinite["value"], infinite["quality"]) == (None, 0)
    assert rows("SELECT kind, data FROM event WHERE kind LIKE 'sos%'") == [
        {"kind": "sos\ufffd", "data": {"text": "a\ufffdb", "half": "?", "far": None}}
    ]


def test_a_lost_device_is_recorded_once_whoever_tells_it(gateway: Gateway, broker: Any, rows: Rows) -> None:
    """A gateway of ours tells it by an event in its own name, any other by DDEATH alone."""
    born(gateway)
    gateway.publish("DDEATH", (), device="cold-1")
    gateway.data(1, (event(5, "device.offline", T0, {"device": "cold-1"}),), lane=Lane.URGENT)
    other = Gateway(broker.port, "plc-7", group="werk", acknowledged=False)
    other.birth(devices={"unit-1": (double("t", 4, 20.5, T0),)})
    wait_for(lambda: rows("SELECT FROM device WHERE code = 'unit-1' AND online"))
    other.publish("DDEATH", (), device="unit-1")
    wait_for(lambda: not rows("SELECT FROM device WHERE code IN ('unit-1', 'cold-1') AND online"))
    wait_for(lambda: gateway.acknowledged_up_to(1, Lane.URGENT))
    told = rows("SELECT d.code, e.data FROM event e JOIN device d ON d.id = device_id WHERE e.kind = 'device.offline'")
    assert sorted((row["code"], row["data"]) for row in told) == [
        ("cold-1", {"device": "cold-1"}),
        ("unit-1", {"reason": "death"}),
    ]
    other.close()


def test_devices_that_a_birth_sequence_leaves_out_go_offline(
    gateway: Gateway, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "SETTLE_S", 0.3)
    born(gateway)
    wait_for(lambda: len(rows("SELECT FROM device WHERE online")) == 3)
    gateway.birth(devices={"cold-1": (temperature(None),)})
    wait_for(
        lambda: [row["code"] for row in rows("SELECT code FROM device WHERE online ORDER BY code")] == ["", "cold-1"]
    )


def test_who_does_not_answer_the_roll_call_is_offline(
    gateway: Gateway,
    broker: Any,
    worker: IngestWorker,
    start_worker: Callable[[], IngestWorker],
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roll_call, "GRACE_S", 0.2)
    monkeypatch.setattr(roll_call, "PATIENCE_S", 5.0)
    other = Gateway(broker.port, "gw-2")
    born(gateway)
    born(other)
    wait_for(lambda: len(rows("SELECT FROM gateway WHERE online")) == 2)
    worker.stop()
    other.die()
    start_worker()
    wait_for(lambda: gateway.rebirths_asked == 1)
    born(gateway)
    wait_for(lambda: [row["code"] for row in rows("SELECT code FROM gateway WHERE online")] == ["gw-1"])
    silent = rows("SELECT data FROM event WHERE kind = 'gateway.offline'")
    assert silent == [{"data": {"reason": "silent"}}]
