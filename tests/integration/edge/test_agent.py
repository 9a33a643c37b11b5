"""The agent against a real broker and a host that acknowledges."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edge.app import EdgeAgent
from edge.config import parse_config
from edge.local import ask
from edge.outbox.store import Outbox
from edge.status import describe
from protocols.delivery import Lane, MessageId
from protocols.errors import StorageError
from protocols.events import Event, Reading, event_from_json
from protocols.sparkplug.births import REBIRTH
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.topics import MessageType
from tests.integration.edge.bench import GROUP, NODE, Bench, document, running
from tests.integration.edge.host import PATIENCE_S, Host, bdseq
from tests.services.brokers import Broker


def wait_for(holds: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def waiting(agent: EdgeAgent) -> int:
    outbox = next(part for part in agent.report()["parts"] if part["name"] == "outbox")
    return int(outbox["data"]["urgent"] + outbox["data"]["bulk"])


def power(value: float, at_ms: int) -> Reading:
    return Reading(device="meter-1", metric="power", value=value, at_ms=at_ms)


def test_births_then_data_then_an_empty_outbox(iotcore_broker: Broker, tmp_path: Path) -> None:
    with Host(iotcore_broker.port) as host, running(tmp_path, document(iotcore_broker.port)) as (agent, driver):
        host.state(online=True)
        host.until(lambda h: h.of(MessageType.DBIRTH, "door-1"))
        nbirth = host.of(MessageType.NBIRTH)[0]
        assert (nbirth.payload.seq, nbirth.retain, bdseq(nbirth)) == (0, False, 0)
        by_name = {metric.name: metric for metric in nbirth.payload.metrics}
        assert by_name[REBIRTH].alias is None
        assert by_name[REBIRTH].value is False
        assert {"outbox-depth", "memory", "Event"} <= by_name.keys()
        assert all(metric.datatype is not None for metric in nbirth.payload.metrics)
        meter = host.of(MessageType.DBIRTH, "meter-1")[0]
        assert {m.name: (m.datatype, m.value) for m in meter.payload.metrics}["power"] == (DataType.DOUBLE, None)
        driver.emit(power(42.5, 1_000))
        driver.emit(Event(device="door-1", kind="access.granted", at_ms=2_000, data={"card": "42:12345"}))
        host.until(lambda h: h.values("meter-1", "power") and h.values("door-1", "Event"))
        assert host.values("meter-1", "power") == [42.5]
        told = event_from_json(host.values("door-1", "Event")[0], device="door-1", at_ms=2_000)
        assert (told.kind, told.data) == ("access.granted", {"card": "42:12345"})
        ddata = host.of(MessageType.DDATA, "meter-1")[0]
        assert MessageId.parse(ddata.payload.uuid or "").lane is Lane.BULK
        assert ddata.payload.metrics[0].timestamp_ms == 1_000
        wait_for(lambda: waiting(agent) == 0)
        seqs = [seen.payload.seq for seen in host.seen]
        assert seqs == list(range(len(seqs)))
        wait_for(lambda: ask(tmp_path / "data", {"ask": "status"})["parts"][0]["ok"])


def test_what_is_not_acknowledged_comes_again_with_the_same_uuid(iotcore_broker: Broker, tmp_path: Path) -> None:
    with Host(iotcore_broker.port, answering=False) as host:
        host.state(online=True)
        with running(tmp_path, document(iotcore_broker.port)) as (agent, driver):
            driver.emit(power(1.0, 1_000), durable=True)
            first = host.until(lambda h: h.of(MessageType.DDATA, "meter-1"))[0]
            again = host.until(
                lambda h: len(h.of(MessageType.DDATA, "meter-1")) > 1 and h.of(MessageType.DDATA, "meter-1")
            )
            assert first.payload.uuid == again[1].payload.uuid
            assert waiting(agent) > 0
            host.answering = True
            wait_for(lambda: waiting(agent) == 0)
            assert host.values("meter-1", "power") == [1.0]


def test_a_backlog_survives_restarts_and_arrives_in_order(iotcore_broker: Broker, tmp_path: Path) -> None:
    made = document(iotcore_broker.port)
    for start in (0, 10):
        with running(tmp_path, made) as (_agent, driver):
            for number in range(start, start + 10):
                driver.emit(power(float(number), 1_000 + number), durable=True)
    with Host(iotcore_broker.port) as host:
        host.state(online=True)
        with running(tmp_path, made) as (agent, driver):
            driver.emit(power(20.0, 1_020), durable=True)
            host.until(lambda h: len(h.values("meter-1", "power")) == 21)
            wait_for(lambda: waiting(agent) == 0)
        assert host.values("meter-1", "power") == [float(number) for number in range(21)]
        assert len({MessageId.parse(seen.payload.uuid or "").epoch for seen in host.of(MessageType.DDATA)}) == 3


def test_the_host_goes_away_and_returns(iotcore_broker: Broker, tmp_path: Path) -> None:
    with Host(iotcore_broker.port) as host, running(tmp_path, document(iotcore_broker.port)) as (agent, driver):
        driver.emit(power(1.0, 1_000), durable=True)
        assert host.of(MessageType.NBIRTH) == []
        host.state(online=True)
        host.until(lambda h: h.values("meter-1", "power") == [1.0])
        host.state(online=False)
        host.until(lambda h: h.of(MessageType.NDEATH))
        driver.emit(power(2.0, 2_000), durable=True)
        assert bdseq(host.of(MessageType.NDEATH)[0]) == bdseq(host.of(MessageType.NBIRTH)[0])
        wait_for(lambda: agent.report()["parts"][0]["data"]["stage"] == "waiting")
        host.state(online=True)
        host.until(lambda h: h.values("meter-1", "power") == [1.0, 2.0])
        births = host.of(MessageType.NBIRTH)
        assert bdseq(births[-1]) > bdseq(births[0])
        wait_for(lambda: waiting(agent) == 0)


@pytest.mark.parametrize(
    "service", ["iotcore_broker", pytest.param("mosquitto_broker", marks=pytest.mark.needs("mosquitto"))]
)
def test_the_broker_is_killed_and_returns(service: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    broker: Broker = request.getfixturevalue(service)
    with Host(broker.port) as host, running(tmp_path, document(broker.port)) as (agent, driver):
        host.state(online=True)
        driver.emit(power(1.0, 1_000))
        host.until(lambda h: h.values("meter-1", "power") == [1.0])
        if broker.name == "mosquitto":  # iotcore delivers with the subscription's QoS, whatever the publisher's
            assert {seen.qos for seen in host.seen} == {0}
        broker.kill()
        driver.emit(power(2.0, 2_000), durable=True)
        wait_for(lambda: agent.report()["parts"][0]["data"]["stage"] == "away")
        broker.start()
        host.until(lambda h: h.values("meter-1", "power") == [1.0, 2.0])
        wait_for(lambda: waiting(agent) == 0)


def test_a_rebirth_command_begins_the_sequence_again(iotcore_broker: Broker, tmp_path: Path) -> None:
    with Host(iotcore_broker.port) as host, running(tmp_path, document(iotcore_broker.port)) as (_agent, driver):
        host.state(online=True)
        driver.emit(power(3.0, 1_000))
        host.until(lambda h: h.values("meter-1", "power"))
        host.ask_rebirth(GROUP, NODE)
        host.until(lambda h: len(h.of(MessageType.DBIRTH, "door-1")) == 2)
        first, second = host.of(MessageType.NBIRTH)
        assert (bdseq(first), first.payload.seq) == (bdseq(second), second.payload.seq)
        born = host.of(MessageType.DBIRTH, "meter-1")[-1]
        assert born.values["power"] == 3.0
        aliases = [{m.name: m.alias for m in b.payload.metrics} for b in host.of(MessageType.DBIRTH, "meter-1")]
        assert aliases[0] == aliases[1]


def test_what_the_cloud_forgot_is_sent_again_after_a_birth(iotcore_broker: Broker, tmp_path: Path) -> None:
    with Host(iotcore_broker.port) as host, running(tmp_path, document(iotcore_broker.port)) as (agent, driver):
        host.state(online=True)
        driver.emit(power(3.0, 1_000), durable=True)
        wait_for(lambda: host.values("meter-1", "power") and waiting(agent) == 0)
        host.received.clear()
        host.seen.clear()
        host.ask_rebirth(GROUP, NODE)
        host.until(lambda h: h.values("meter-1", "power") == [3.0])
        wait_for(lambda: waiting(agent) == 0)


def test_another_host_does_not_make_it_delete(iotcore_broker: Broker, tmp_path: Path) -> None:
    port = iotcore_broker.port
    with (
        Host(port, answering=False) as host,
        Host(port, name="other") as other,
        running(tmp_path, document(port)) as (agent, driver),
    ):
        host.state(online=True)
        other.state(online=True)
        driver.emit(power(3.0, 1_000), durable=True)
        other.until(lambda h: len(h.of(MessageType.DDATA, "meter-1")) > 1)
        assert waiting(agent) > 0


def test_a_lost_device_dies_after_its_last_words(iotcore_broker: Broker, tmp_path: Path) -> None:
    with Host(iotcore_broker.port) as host, running(tmp_path, document(iotcore_broker.port)) as (agent, driver):
        host.state(online=True)
        host.until(lambda h: h.of(MessageType.DBIRTH, "door-1"))
        assert driver.ctx is not None
        driver.ctx.status("meter-1", online=True, round_trip_s=0.02)
        driver.emit(power(7.0, 1_000))
        driver.ctx.status("meter-1", online=False, error=StorageError("edge.storage.corrupt", file="x", why="y"))
        host.until(lambda h: h.of(MessageType.DDEATH, "meter-1"))
        kinds = [seen.type for seen in host.seen if seen.device == "meter-1"]
        assert kinds[0] is MessageType.DBIRTH
        assert kinds[-1] is MessageType.DDEATH
        assert host.values("meter-1", "power") == [7.0]
        offline = event_from_json(host.values("meter-1", "Event")[0], device="meter-1", at_ms=0)
        assert (offline.kind, offline.data["device"], offline.data["error"]) == (
            "device.offline",
            "meter-1",
            "edge.storage.corrupt",
        )
        driver.ctx.status("meter-1", online=True)
        host.until(lambda h: len(h.of(MessageType.DBIRTH, "meter-1")) == 2)
        host.until(lambda h: len(h.values("meter-1", "Event")) == 2)
        wait_for(lambda: waiting(agent) == 0)


def test_a_local_rule_acts_without_broker_and_cloud(iotcore_broker: Broker, tmp_path: Path) -> None:
    made = document(iotcore_broker.port)
    iotcore_broker.kill()
    made["rule"] = [
        {
            "code": "smoke-siren",
            "where": {"types": ["smoke"]},
            "when": {"type": "state", "metric": "smoke"},
            "actions": [
                {"device": "siren-1", "output": "sound"},
                {"device": "door-1", "output": "release"},
            ],
        }
    ]
    with running(tmp_path, made) as (agent, driver):
        driver.emit(Reading(device="smoke-1", metric="smoke", value=True, at_ms=int(time.time() * 1000)))
        acted = {driver.acted.get(timeout=10) for _ in range(2)}
        assert acted == {("siren-1", "sound", True), ("door-1", "release", True)}
    with Host(_again(iotcore_broker)) as host, running(tmp_path, made) as (agent, driver):
        host.state(online=True)
        host.until(lambda h: sum('"rule.acted"' in event for event in h.values(None, "Event")) == 2)
        wait_for(lambda: waiting(agent) == 0)
        assert driver.acted.empty()


def _again(broker: Broker) -> int:
    broker.start()
    return broker.port


def test_a_crashed_driver_is_started_again(tmp_path: Path) -> None:
    bench = Bench()
    agent = EdgeAgent(parse_config(document(1), tmp_path / "gateway.toml", bench.families))
    agent.start()
    try:
        first = bench.driver
        assert first.started.wait(10)
        first.crash.set()
        wait_for(lambda: bench.driver is not first and bench.driver.started.is_set())
        parts = {part["name"]: part for part in agent.report()["parts"]}
        assert parts["driver/bench"]["data"]["restarts"] == 1
        assert "RuntimeError" in parts["driver/bench"]["data"]["error"]
        assert parts["device/meter-1"]["data"]["online"] is False
    finally:
        agent.stop()


def test_a_second_agent_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with running(tmp_path, document(1)), pytest.raises(StorageError) as refused, running(tmp_path, document(1)):
        pass
    assert refused.value.code == "edge.storage.in-use"


def test_plain_delivery_needs_no_host(iotcore_broker: Broker, tmp_path: Path) -> None:
    made = document(iotcore_broker.port, delivery="plain", primary_host="")
    with Host(iotcore_broker.port, answering=False) as host, running(tmp_path, made) as (agent, driver):
        driver.emit(power(5.0, 1_000))
        host.until(lambda h: h.of(MessageType.DDATA, "meter-1"))
        assert "Outbox/Birth" not in host.of(MessageType.NBIRTH)[0].values
        assert host.of(MessageType.DDATA, "meter-1")[0].payload.uuid is None
        wait_for(lambda: waiting(agent) == 0)


def test_a_graceful_stop_says_ndeath(iotcore_broker: Broker, tmp_path: Path) -> None:
    with Host(iotcore_broker.port) as host:
        host.state(online=True)
        with running(tmp_path, document(iotcore_broker.port)):
            host.until(lambda h: h.of(MessageType.DBIRTH, "door-1"))
        host.until(lambda h: h.of(MessageType.NDEATH))
        death = host.of(MessageType.NDEATH)[0]
        assert death.payload.seq is None
        assert bdseq(death) == bdseq(host.of(MessageType.NBIRTH)[0])


def test_the_command_line_runs_and_tells_status(iotcore_broker: Broker, tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(
        f"""
        [gateway]
        group = "{GROUP}"
        node = "{NODE}"
        [uplink]
        host = "127.0.0.1"
        port = {iotcore_broker.port}
        """
    )
    program = (
        "import argparse, sys; from edge.cli import register; p = argparse.ArgumentParser(); register(p, 'zh-CN');"
    )
    program += "a = p.parse_args(); sys.exit(a.run(a))"
    command = [sys.executable, "-W", "error", "-c", program]
    with Host(iotcore_broker.port) as host:
        host.state(online=True)
        with subprocess.Popen([*command, "run", "--config", str(config)], stderr=subprocess.PIPE) as agent:
            try:
                host.until(lambda h: h.of(MessageType.NBIRTH))
                wait_for(lambda: _status(command, config).returncode == 0)
                assert "waits" not in _status(command, config).stdout
                assert describe(ask(tmp_path / "data", {"ask": "status"}), "zh-CN")["parts"][0]["detail"].startswith(
                    "已连接"
                )
            finally:
                agent.terminate()
                _, log = agent.communicate(timeout=20)
        assert agent.returncode == 0, log
        assert b"Traceback" not in log
        host.until(lambda h: h.of(MessageType.NDEATH))


def _status(command: list[str], config: Path, *more: str) -> subprocess.CompletedProcess[str]:
    asked = [*command, "status", "--config", str(config), *more]
    return subprocess.run(asked, capture_output=True, text=True, check=False)


def test_kill_9_loses_and_repeats_nothing(iotcore_broker: Broker, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.integration.edge.counting_agent", str(tmp_path), str(iotcore_broker.port)]
    with Host(iotcore_broker.port) as host:
        host.state(online=True)
        for goal in (30, 60, 90):
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as agent:
                assert agent.stdout is not None
                next(line for line in agent.stdout if int(line) >= goal)
                host.until(lambda h: h.values("meter-1", "power"))
                agent.kill()
        with running(tmp_path, document(iotcore_broker.port)) as (after, driver):
            assert driver.ctx is not None
            last = driver.ctx.state()["told"]
            wait_for(lambda: waiting(after) == 0 and after.report()["parts"][0]["ok"])
            host.until(lambda h: len(set(h.values("meter-1", "power"))) >= last)
        values = host.values("meter-1", "power")
        assert sorted(values) == [float(number) for number in range(1, last + 1)]


def test_a_disk_that_cannot_note_an_acknowledgement_costs_no_connection(
    iotcore_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        raise StorageError("edge.storage.unusable", file="outbox.db", why="disk I/O error")

    with Host(iotcore_broker.port) as host, running(tmp_path, document(iotcore_broker.port)) as (agent, driver):
        host.state(online=True)
        host.until(lambda h: h.of(MessageType.DBIRTH, "meter-1"))
        wait_for(lambda: waiting(agent) == 0)
        with monkeypatch.context() as full:
            full.setattr(Outbox, "acknowledge", refuse)
            driver.emit(power(1.0, 1_000), durable=True)
            host.until(lambda h: len(h.of(MessageType.DDATA, "meter-1")) > 1)
        wait_for(lambda: waiting(agent) == 0)
        assert len({seen.payload.uuid for seen in host.of(MessageType.DDATA, "meter-1")}) == 1
        assert len({bdseq(birth) for birth in host.of(MessageType.NBIRTH)}) == 1
