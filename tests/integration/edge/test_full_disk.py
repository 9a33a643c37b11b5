"""An agent that starts on a full disk: a real file system of 3 MB, in a mount namespace of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from protocols.delivery import declarations_from_text
from protocols.sparkplug.births import OUTBOX_LANE
from protocols.sparkplug.topics import MessageType
from tests.integration.edge.host import PATIENCE_S, Host
from tests.services.brokers import Broker

Order = Callable[[str], Any]


@pytest.fixture
def order(iotcore_broker: Broker, tmp_path: Path) -> Iterator[Order]:
    """Tell the machine what to do; its answer."""
    command = ["unshare", "--map-root-user", "--mount", sys.executable, "-m", "tests.integration.edge.cramped_agent"]
    with subprocess.Popen(
        [*command, str(tmp_path), str(iotcore_broker.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as machine:

        def tell(word: str) -> Any:
            assert machine.stdin is not None
            assert machine.stdout is not None
            machine.stdin.write(f"{word}\n")
            machine.stdin.flush()
            return json.loads(machine.stdout.readline())

        yield tell
        assert machine.stdin is not None
        machine.stdin.close()
        assert machine.wait(30) == 0


def declared(host: Host) -> set[UUID]:
    """The epochs of the newest birth."""
    values = host.of(MessageType.NBIRTH)[-1].values
    return {one.epoch for name in OUTBOX_LANE.values() for one in declarations_from_text(str(values.get(name) or ""))}


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.needs("namespace")
def test_an_agent_that_starts_on_a_full_disk_works_from_memory_until_there_is_room(
    iotcore_broker: Broker, order: Order
) -> None:
    with Host(iotcore_broker.port) as host:
        assert order("start") == 0
        assert order("tell") == 1  # the host is away: it waits in the file
        order("stop")
        assert order("fill") > 2_000_000

        assert order("start") == 1  # the driver goes on where it stood
        assert order("ask") | {"waiting": 0} == {
            "ok": False,
            "code": "edge.status.outbox-memory",
            "waiting": 0,
            "todo": "edge.doctor.do-disk",
        }
        host.state(online=True)
        assert [order("tell"), order("tell")] == [2, 3]
        host.until(lambda h: h.values("meter-1", "power") == [2.0, 3.0])
        until(lambda: order("ask")["waiting"] == 0)
        assert len(declared(host)) == 2, "the file's epoch is declared as well"
        order("odd")
        host.until(lambda h: h.values("meter-1", "colour") == [7.0])
        host.answering = False
        assert order("tell") == 4  # unanswered: it moves to the disk as it is
        host.until(lambda h: 4.0 in h.values("meter-1", "power"))

        order("empty")
        assert order("tell") == 5
        until(lambda: bool(order("ask")["ok"]))
        host.answering = True
        host.until(lambda h: {1.0, 5.0} <= set(h.values("meter-1", "power")))
        until(lambda: order("ask")["waiting"] == 0)
        assert order("ask")["code"] == "edge.status.outbox"
        kinds = [json.loads(value)["kind"] for value in host.values(None, "Event")]
        assert kinds.index("outbox.in-memory") < kinds.index("outbox.on-disk")
        order("stop")

        assert order("start") == 5
        until(lambda: len(host.of(MessageType.NBIRTH)) >= 3 and order("ask")["waiting"] == 0)
        order("stop")
        births = host.of(MessageType.DBIRTH, "meter-1")
        colours = [metric.alias for birth in births for metric in birth.payload.metrics if metric.name == "colour"]
        assert len(colours) >= 3
        assert len(set(colours)) == 1, "the alias that the disk did not take was stored later"
        assert sorted(host.values("meter-1", "power")) == [1.0, 2.0, 3.0, 4.0, 5.0], "each once"
        assert len({epoch for epoch, _ in host.received}) == 4
        assert len(declared(host)) >= 3


@pytest.mark.needs("namespace")
def test_an_update_on_a_full_disk_starts_without_a_file_for_delivered_sets(order: Order) -> None:
    assert order("start") == 0
    order("stop")
    order("older")
    assert order("fill") > 2_000_000
    assert order("start") == 0
    assert order("tell") == 1
    order("stop")
    order("empty")
    assert order("start") == 0, "what was in memory alone is forgotten, and nothing stands in the way"
    order("stop")
