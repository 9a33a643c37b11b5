"""A configuration from the cloud over a real broker: tried, confirmed, rolled back by itself; also through a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.app import EdgeAgent
from edge.config_store import Versions
from edge.drivers.port import DriverContext, DriverFamily
from protocols import configuration
from protocols.events import Event, event_from_json
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric
from protocols.sparkplug.topics import MessageType
from tests.integration.edge.bench import GROUP, NODE, BenchConfig, BenchDriver, document
from tests.integration.edge.host import PATIENCE_S, Host
from tests.services.brokers import Broker
from tests.services.ports import free_port

MUTE = 1200
"""At this speed no device of the bench answers."""


class Answering(BenchDriver):
    """A driver whose devices answer at once, unless its speed is `MUTE`."""

    def __init__(self, config: BenchConfig) -> None:
        super().__init__(config)
        self.mute = config.speed == MUTE
        self.runs = 0

    def run(self, ctx: DriverContext) -> None:
        self.runs += 1
        self.ctx = ctx
        for device in self.devices:
            ctx.status(device.id, online=not self.mute)
        super().run(ctx)


class Gateway:
    """An agent in this process whose configuration may come from afar."""

    def __init__(self, folder: Path, made: Mapping[str, Any]) -> None:
        self.source = folder / "gateway.toml"
        self.source.write_text(configuration.to_toml(made), "utf-8")
        self.drivers: list[Answering] = []
        family = DriverFamily(name="bench", config=BenchConfig, make=self._make)
        self.families: dict[str, Callable[[], DriverFamily]] = {"bench": lambda: family}

    def _make(self, config: BenchConfig) -> Answering:
        self.drivers.append(Answering(config))
        return self.drivers[-1]

    def ran(self) -> dict[str, int]:
        """How often a driver of each name was started."""
        found: dict[str, int] = {}
        for driver in self.drivers:
            name = driver.ctx.name if driver.ctx is not None else ""
            found[name] = found.get(name, 0) + driver.runs
        found.pop("", None)
        return found

    @contextmanager
    def running(self) -> Iterator[EdgeAgent]:
        versions = Versions(self.source, self.families)
        agent = EdgeAgent(versions.start(), versions)
        agent.start()
        try:
            yield agent
        finally:
            agent.stop()


def two_buses(port: int) -> dict[str, Any]:
    made = document(port)
    made["gateway"]["data"] = "data"
    devices = made["driver"][0]["device"]
    made["driver"] = [
        {"family": "bench", "name": "one", "speed": 9600, "device": devices[:2]},
        {"family": "bench", "name": "two", "speed": 9600, "device": devices[2:]},
    ]
    return made


def told(host: Host, *kinds: str) -> list[Event]:
    events = [event_from_json(str(text), device="", at_ms=0) for text in host.values(None, "Event")]
    return [event for event in events if event.kind in (kinds or configuration.KINDS)]


def write(host: Host, said: Mapping[str, Any]) -> None:
    metric = Metric(name=configuration.METRIC, datatype=DataType.STRING, value=json.dumps(dict(said)))
    host.command(GROUP, NODE, metric)


def offered(host: Host, text: str, number: int, hold_s: int = 60) -> dict[str, Any]:
    """Offer a version, and wait for its ticket; what every piece begins with."""
    digest = configuration.content_hash(configuration.parse(text))
    identity, pieces = str(uuid.uuid4()), configuration.to_pieces(text)
    head = {"host": host.name, "id": identity}
    write(host, head | {"number": number, "hash": digest, "pieces": len(pieces), "hold_s": hold_s})
    ready = host.until(
        lambda h: [event for event in told(h, configuration.READY) if event.data["id"] == identity], "a ticket"
    )
    return head | {"ticket": ready[0].data["ticket"]}


def sent(host: Host, made: Mapping[str, Any], number: int, hold_s: int = 60) -> str:
    """Send a whole configuration; the id of the wish."""
    text = configuration.to_toml(made)
    head = offered(host, text, number, hold_s)
    for piece, part in enumerate(configuration.to_pieces(text)):
        write(host, head | {"piece": piece, "text": part})
    return str(head["id"])


def outcome(host: Host, identity: str) -> Event:
    found = host.until(
        lambda h: [event for event in told(h, *configuration.OUTCOMES) if event.data.get("id") == identity],
        "an outcome",
    )
    return found[0]  # type: ignore[no-any-return]


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def answers(agent: EdgeAgent) -> None:
    """Wait until every device answers."""
    eventually(lambda: all(agent.online().values()))


def begun(host: Host) -> None:
    host.state(online=True)
    host.until(lambda h: h.of(MessageType.NBIRTH) and told(h, configuration.RUNNING))


def test_one_driver_changes_and_the_other_goes_on(iotcore_broker: Broker, tmp_path: Path) -> None:
    made = two_buses(iotcore_broker.port)
    gateway = Gateway(tmp_path, made)
    with Host(iotcore_broker.port) as host, gateway.running() as agent:
        begun(host)
        answers(agent)
        (running,) = told(host, configuration.RUNNING)
        assert (running.data["number"], running.data["hash"]) == (0, configuration.content_hash(made))
        text = host.until(lambda h: told(h, configuration.TEXT))[0].data["text"]
        assert configuration.from_pieces([text]) == configuration.to_toml(made)
        host.until(lambda h: h.of(MessageType.DBIRTH, "door-1"))
        made["driver"][1]["speed"] = 19200
        made["driver"][1]["device"].append({"id": "leak-9", "type": "water-leak"})
        assert outcome(host, sent(host, made, 1)).kind == configuration.CONFIRMED
        assert gateway.ran() == {"one": 1, "two": 2}
        host.until(lambda h: h.of(MessageType.DBIRTH, "leak-9"))
        made["driver"][1]["device"].pop()
        births = len(host.of(MessageType.NBIRTH))
        assert outcome(host, sent(host, made, 2)).kind == configuration.CONFIRMED
        assert len(host.of(MessageType.NBIRTH)) > births
        newest = host.seen[max(n for n, seen in enumerate(host.seen) if seen.type is MessageType.NBIRTH) :]
        born = {seen.device for seen in newest if seen.type is MessageType.DBIRTH}
        assert "leak-9" not in born
        assert {"meter-1", "door-1"} <= born
    assert Versions(gateway.source, gateway.families).start().drivers[1].settings.speed == 19200  # type: ignore[attr-defined]


def test_a_cut_uplink_rolls_back_by_itself(iotcore_broker: Broker, tmp_path: Path) -> None:
    made = two_buses(iotcore_broker.port)
    gateway = Gateway(tmp_path, made)
    with Host(iotcore_broker.port) as host, gateway.running() as agent:
        begun(host)
        answers(agent)
        host.until(lambda h: h.of(MessageType.DBIRTH, "door-1"))
        made["uplink"]["port"] = free_port()
        failed = outcome(host, sent(host, made, 1, hold_s=2))
        assert (failed.kind, failed.data["error"]) == (configuration.ROLLED_BACK, "edge.config.uplink-away")
        assert host.of(MessageType.NDEATH), "it had left"
        assert gateway.ran() == {"one": 1, "two": 1}, "no driver noticed"
    assert Versions(gateway.source, gateway.families).start().uplink.port == iotcore_broker.port


def test_a_device_that_is_lost_by_it_rolls_it_back(iotcore_broker: Broker, tmp_path: Path) -> None:
    made = two_buses(iotcore_broker.port)
    gateway = Gateway(tmp_path, made)
    with Host(iotcore_broker.port) as host, gateway.running() as agent:
        begun(host)
        answers(agent)
        made["driver"][1]["speed"] = MUTE
        failed = outcome(host, sent(host, made, 1, hold_s=2))
        assert (failed.kind, failed.data["error"]) == (configuration.ROLLED_BACK, "edge.config.device-away")
        assert failed.data["params"]["devices"] == "door-1, siren-1"
        eventually(lambda: gateway.ran() == {"one": 1, "two": 3})
        answers(agent)


def test_a_birth_over_the_old_connection_proves_nothing_of_the_new_one(iotcore_broker: Broker, tmp_path: Path) -> None:
    """Between the order to change and its execution the cloud may ask for a birth, and answer it."""
    made = two_buses(iotcore_broker.port)
    gateway = Gateway(tmp_path, made)
    with Host(iotcore_broker.port) as host, gateway.running() as agent:
        begun(host)
        eventually(agent.answered)
        made["uplink"]["port"] = free_port()
        other = Versions(gateway.source, gateway.families)
        other.start()
        agent.change(other.check(configuration.to_toml(made), 1))
        assert not agent.answered()


def test_what_cannot_be_used_is_refused_and_says_where(iotcore_broker: Broker, tmp_path: Path) -> None:
    made = two_buses(iotcore_broker.port)
    gateway = Gateway(tmp_path, made)
    with Host(iotcore_broker.port) as host, gateway.running():
        begun(host)
        bad: list[tuple[dict[str, Any], str, str]] = [
            ({"gateway": {**made["gateway"], "node": "gw-9"}}, "edge.config.fixed", "gateway.node"),
            ({"uplink": {**made["uplink"], "password": "hunter2"}}, "edge.config.secret", "uplink.password"),
            ({"uplink": {**made["uplink"], "prot": 1}}, "edge.config.unknown-key-near", "uplink.prot"),
            ({"driver": [made["driver"][0], made["driver"][0]]}, "edge.config.twice", "driver[1].name"),
            ({"rule": [RULE]}, "edge.config.not-allowed", "rule[0].actions[0].device"),
        ]
        for number, (change, code, key) in enumerate(bad, 1):
            refused = outcome(host, sent(host, made | change, number))
            found = (refused.kind, refused.data["error"], refused.data["params"]["key"])
            assert found == (configuration.REFUSED, code, key)
            assert "hunter2" not in json.dumps(refused.data)
            assert refused.data["params"]["file"] == f"#{number}"
        assert gateway.ran() == {"one": 1, "two": 1}


RULE: dict[str, Any] = {
    "code": "fire",
    "where": {"types": ["smoke"]},
    "when": {"type": "state", "metric": "smoke", "equals": True},
    "severity": "P1",
    "response": "A",
    "actions": [{"device": "siren-9", "output": "sound", "value": True}],
}


def test_replayed_and_late_messages_change_nothing(iotcore_broker: Broker, tmp_path: Path) -> None:
    made = two_buses(iotcore_broker.port)
    gateway = Gateway(tmp_path, made)
    with Host(iotcore_broker.port) as host, gateway.running():
        begun(host)
        text = configuration.to_toml(made | {"rule": []})
        head = offered(host, text, 1)
        parts = [head | {"piece": n, "text": part} for n, part in enumerate(configuration.to_pieces(text))]
        for part in [{**one, "ticket": str(uuid.uuid4())} for one in parts] + [{**one, "host": "b"} for one in parts]:
            write(host, part)
        for part in [*parts, *parts]:
            write(host, part)
        assert outcome(host, str(head["id"])).kind == configuration.CONFIRMED
        made["driver"][0]["speed"] = 19200
        assert outcome(host, sent(host, made, 2)).kind == configuration.CONFIRMED
        known = len(told(host, configuration.TRYING))
        for part in parts:
            write(host, part)
        old = sent(host, made, 2)
        assert outcome(host, old).data["error"] == "edge.config.older"
        assert len(told(host, configuration.TRYING)) == known == 2


@contextmanager
def process(source: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "liandong", "edge", "run", "--config", str(source)]
    agent = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield agent
    finally:
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(PATIENCE_S) in (0, -signal.SIGKILL)


def test_a_kill_between_writing_and_confirming_rolls_back(iotcore_broker: Broker, tmp_path: Path) -> None:
    """The real process: what it had written but not proved is gone after the next start; what was confirmed stays."""
    made = document(iotcore_broker.port)
    made["gateway"] |= {"data": "data", "name": "first"}
    del made["driver"]
    source = tmp_path / "gateway.toml"
    source.write_text(configuration.to_toml(made), "utf-8")
    with Host(iotcore_broker.port) as host:
        with process(source) as agent:
            begun(host)
            made["gateway"]["name"] = "second"
            second = sent(host, made, 1)
            assert outcome(host, second).kind == configuration.CONFIRMED, "also where the whole agent begins anew"
            good = configuration.content_hash(made)
            made["uplink"]["port"] = free_port()
            third = sent(host, made, 2)
            host.until(lambda h: len(h.of(MessageType.NDEATH)) > 1)
            state = json.loads((tmp_path / "data" / "configuration" / "state.json").read_text("utf-8"))
            assert state["trying"]["id"] == third
            os.kill(agent.pid, signal.SIGKILL)
            agent.wait(PATIENCE_S)
        known = len(told(host, configuration.RUNNING))
        with process(source):
            host.until(lambda h: len(told(h, configuration.RUNNING)) > known)
            running = told(host, configuration.RUNNING)[-1]
            assert (running.data["number"], running.data["hash"]) == (1, good)
            last = running.data["last"]
            assert (last["id"], last["kind"], last["error"]) == (
                third,
                configuration.ROLLED_BACK,
                "edge.config.cut-off",
            )
        source.write_text(source.read_text("utf-8").replace('"first"', '"by hand"'), "utf-8")
        with process(source):
            host.until(
                lambda h: told(h, configuration.RUNNING)[-1].data["number"] == 0, "a hand on the spot counts more"
            )
