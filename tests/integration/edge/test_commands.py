"""Commands down over a real broker: the metric that any host sees, and what the agent does with what it is sent."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from protocols import command
from protocols.catalog import DEVICE_TYPES
from protocols.events import Event, Reading, event_from_json
from protocols.sparkplug.actions import Now, Publish
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.host import command as dcmd
from protocols.sparkplug.payload import Metric
from protocols.sparkplug.topics import MessageType
from simulators.cable import Cable
from tests.integration.edge.bench import GROUP, NODE, BenchDriver, document, running
from tests.integration.edge.host import PATIENCE_S, Host
from tests.services.brokers import Broker
from tests.services.ports import free_port

RELEASE = command.metric_name("release")


def write(host: Host, said: object, *, device: str = "door-1", alias: int | None = None) -> Publish:
    """Write to the door's output; the message, to be replayed."""
    text = json.dumps(said)
    metric = Metric(name=RELEASE, alias=alias, datatype=DataType.STRING, value=text, timestamp_ms=1)
    message = dcmd((GROUP, NODE), device, (metric,), Now(at=0.0, utc_ms=time.time_ns() // 1_000_000))
    replay(host, message)
    return message


def replay(host: Host, message: Publish) -> None:
    host._client.publish(message.topic, message.payload, message.qos, message.retain)


def answers(host: Host) -> list[Event]:
    told = [event_from_json(str(text), device="", at_ms=0) for text in host.values(None, "Event")]
    return [event for event in told if event.kind in command.ANSWERS]


def asked(host: Host, **more: Any) -> tuple[str, str, Publish]:
    """Ask for a release; the command's id, the ticket, the message."""
    identity, known = str(uuid.uuid4()), len(answers(host))
    message = write(host, {"host": host.name, "id": identity, "value": True, "ttl_ms": 15_000} | more)
    host.until(lambda h: len(answers(h)) > known, "an answer")
    ready = answers(host)[-1]
    assert (ready.kind, ready.data["id"]) == (command.READY, identity)
    return identity, str(ready.data["ticket"]), message


def confirmed(host: Host, identity: str, ticket: str) -> Publish:
    return write(host, {"host": host.name, "id": identity, "ticket": ticket})


def nothing_happens(host: Host, driver: BenchDriver) -> None:
    """A later command is carried out, and it is the only one that was: what came before did nothing."""
    identity, ticket, _ = asked(host)
    confirmed(host, identity, ticket)
    host.until(lambda h: answers(h)[-1].data["id"] == identity and answers(h)[-1].kind == command.DONE)
    assert driver.acted.get(timeout=PATIENCE_S) == ("door-1", "release", True)
    with pytest.raises(queue.Empty):
        driver.acted.get_nowait()


def test_births_declare_each_output_and_a_command_by_alias_is_obeyed(iotcore_broker: Broker, tmp_path: Path) -> None:
    with Host(iotcore_broker.port) as host, running(tmp_path, document(iotcore_broker.port)) as (_, driver):
        host.state(online=True)
        host.until(lambda h: h.of(MessageType.DBIRTH, "door-1"))
        born = {metric.name: metric for metric in host.of(MessageType.DBIRTH, "door-1")[0].payload.metrics}
        outputs = {name for name in born if name is not None and name.startswith(command.OUTPUT_PREFIX)}
        assert outputs == {command.metric_name(output) for output in DEVICE_TYPES["door"].outputs} > {RELEASE}
        assert born[command.READ_METRIC].datatype is DataType.STRING
        assert (born[RELEASE].datatype, born[RELEASE].value) == (DataType.STRING, None)
        identity, ticket, _ = asked(host)
        write(host, {"host": host.name, "id": identity, "ticket": ticket}, alias=born[RELEASE].alias)
        assert driver.acted.get(timeout=PATIENCE_S) == ("door-1", "release", True)
        host.until(lambda h: answers(h)[-1].kind == command.DONE)


def test_replayed_messages_do_nothing(iotcore_broker: Broker, tmp_path: Path) -> None:
    with Host(iotcore_broker.port) as host, running(tmp_path, document(iotcore_broker.port)) as (_, driver):
        host.state(online=True)
        host.until(lambda h: h.of(MessageType.DBIRTH, "door-1"))
        identity, ticket, ask = asked(host)
        confirm = confirmed(host, identity, ticket)
        assert driver.acted.get(timeout=PATIENCE_S) == ("door-1", "release", True)
        host.until(lambda h: answers(h)[-1].kind == command.DONE)
        for message in (confirm, ask, confirm):
            replay(host, message)
        nothing_happens(host, driver)


def test_what_an_earlier_agent_was_told_does_nothing(iotcore_broker: Broker, tmp_path: Path) -> None:
    """The recorded confirmation of a command that the agent before it had given a ticket for."""
    with Host(iotcore_broker.port) as host:
        with running(tmp_path, document(iotcore_broker.port)):
            host.state(online=True)
            host.until(lambda h: h.of(MessageType.DBIRTH, "door-1"))
            identity, ticket, _ = asked(host)
        host.until(lambda h: h.of(MessageType.NDEATH))
        births = len(host.of(MessageType.DBIRTH, "door-1"))
        with running(tmp_path, document(iotcore_broker.port)) as (_, driver):
            host.until(lambda h: len(h.of(MessageType.DBIRTH, "door-1")) > births)
            confirmed(host, identity, ticket)
            nothing_happens(host, driver)


@contextmanager
def pulled_at_will(target: int) -> Iterator[tuple[int, Callable[[bool], None]]]:
    """A cable to `target`: its near port, and a switch that says whether bytes pass. What waits passes afterwards."""
    loop, near = asyncio.new_event_loop(), free_port()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    cable = Cable(near, target)
    asyncio.run_coroutine_threadsafe(cable.start(), loop).result(PATIENCE_S)
    try:
        yield near, lambda passes: _within(loop, cable.plug if passes else cable.unplug)
    finally:
        asyncio.run_coroutine_threadsafe(cable.close(), loop).result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()


def _within(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    done = threading.Event()
    loop.call_soon_threadsafe(act)
    loop.call_soon_threadsafe(done.set)
    assert done.wait(PATIENCE_S)


def test_a_confirmation_that_waited_in_the_network_does_nothing(iotcore_broker: Broker, tmp_path: Path) -> None:
    """In the same session and under the same birth: the cable is pulled for longer than the ticket lives."""
    with (
        pulled_at_will(iotcore_broker.port) as (near, let_pass),
        Host(iotcore_broker.port) as host,
        running(tmp_path, document(near)) as (_, driver),
    ):
        host.state(online=True)
        host.until(lambda h: h.of(MessageType.DBIRTH, "door-1"))
        identity, ticket, _ = asked(host, ttl_ms=1000)
        let_pass(False)
        confirmed(host, identity, ticket)
        time.sleep(1.2)
        let_pass(True)
        host.until(lambda h: answers(h)[-1].kind == command.REFUSED)
        assert answers(host)[-1].data["error"] == "edge.command.late"
        assert len(host.of(MessageType.NBIRTH)) == 1
        nothing_happens(host, driver)


def test_plain_values_and_other_hosts_do_nothing(iotcore_broker: Broker, tmp_path: Path) -> None:
    with Host(iotcore_broker.port) as host, running(tmp_path, document(iotcore_broker.port)) as (_, driver):
        host.state(online=True)
        host.until(lambda h: h.of(MessageType.DBIRTH, "door-1"))
        plain = Metric(name=RELEASE, datatype=DataType.BOOLEAN, value=True, timestamp_ms=1)
        replay(host, dcmd((GROUP, NODE), "door-1", (plain,), Now(at=0.0, utc_ms=1)))
        write(host, True)
        write(host, {"host": "another", "id": str(uuid.uuid4()), "value": True, "ttl_ms": 15_000})
        nothing_happens(host, driver)
        assert len(answers(host)) == 2


def test_what_the_type_lacks_or_the_device_refuses_is_answered(iotcore_broker: Broker, tmp_path: Path) -> None:
    with Host(iotcore_broker.port) as host, running(tmp_path, document(iotcore_broker.port)) as (_, driver):
        host.state(online=True)
        host.until(lambda h: h.of(MessageType.DBIRTH, "siren-1"))
        said = {"host": host.name, "id": str(uuid.uuid4()), "value": True, "ttl_ms": 15_000}
        write(host, said, device="siren-1")
        host.until(answers)
        assert answers(host)[0].data["error"] == "edge.command.output"
        driver.refuse.add("release")
        identity, ticket, _ = asked(host)
        confirmed(host, identity, ticket)
        host.until(lambda h: answers(h)[-1].kind == command.REFUSED)
        assert answers(host)[-1].data["error"] == "edge.driver.down"
        driver.refuse.clear()
        driver.ctx.status("door-1", online=False)  # type: ignore[union-attr]
        host.until(lambda h: h.of(MessageType.DDEATH, "door-1"))
        write(host, {**said, "id": str(uuid.uuid4())})
        host.until(lambda h: answers(h)[-1].data.get("error") == "edge.command.away")
        assert driver.acted.empty()


def test_a_device_is_read_and_what_is_no_news_arrives_too(iotcore_broker: Broker, tmp_path: Path) -> None:
    with Host(iotcore_broker.port) as host, running(tmp_path, document(iotcore_broker.port)) as (_, driver):
        host.state(online=True)
        host.until(lambda h: h.of(MessageType.DBIRTH, "door-1"))
        same = [Reading(device="door-1", metric="tamper", value=True, at_ms=at_ms) for at_ms in (1_000, 2_000, 3_000)]
        driver.emit(same[0], durable=True)
        driver.emit(same[1], durable=True)
        host.until(lambda h: h.values("door-1", "tamper") == [True], "the second is no news")
        driver.answers = [same[2]]
        identity, ticket = read_asked(host)
        read_said(host, {"host": host.name, "id": identity, "ticket": ticket})
        host.until(lambda h: answers(h)[-1].kind == command.DONE)
        host.until(lambda h: h.values("door-1", "tamper") == [True, True])
        driver.refuse.add("read")
        identity, ticket = read_asked(host)
        read_said(host, {"host": host.name, "id": identity, "ticket": ticket})
        host.until(lambda h: answers(h)[-1].data.get("error") == "edge.command.not-read")
        read_said(host, {"host": host.name, "id": str(uuid.uuid4()), "ticket": ticket})
        nothing_happens(host, driver)


def read_said(host: Host, said: object) -> None:
    metric = Metric(name=command.READ_METRIC, datatype=DataType.STRING, value=json.dumps(said), timestamp_ms=1)
    replay(host, dcmd((GROUP, NODE), "door-1", (metric,), Now(at=0.0, utc_ms=1)))


def read_asked(host: Host) -> tuple[str, str]:
    identity, known = str(uuid.uuid4()), len(answers(host))
    read_said(host, {"host": host.name, "id": identity, "value": True, "ttl_ms": 15_000})
    host.until(lambda h: len(answers(h)) > known, "a ticket")
    return identity, str(answers(host)[-1].data["ticket"])
