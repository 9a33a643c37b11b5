"""`liandong sparkplug watch` on real brokers: it hears what is wrong, and says nothing about what is right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.services.brokers import Broker
from tests.unit.sparkplug.monitored import Script, Step, on, script, shifted_to

SECONDS = "5"


@contextmanager
def publisher(broker: Broker) -> Iterator[Client]:
    client = Client(CallbackAPIVersion.VERSION2, client_id="gw1")
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def watch(broker: Broker, *words: str) -> list[str]:
    return [sys.executable, "-m", "liandong", "sparkplug", "watch", "--broker", f"{broker.host}:{broker.port}", *words]


def watched(broker: Broker, spoil: Callable[[Script], object], *words: str) -> tuple[int, str]:
    """Exit code and output of a watch that heard the script after `spoil`, told at the real time."""
    with publisher(broker) as client:
        probed = threading.Event()
        client.on_message = lambda *_: probed.set()
        client.subscribe("liandong/watch/+", 1)
        listening = subprocess.Popen(
            watch(broker, "--seconds", SECONDS, *words),
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LIANDONG_LANG": "en"},
        )
        try:
            assert probed.wait(30)
            steps = shifted_to(script(), time.time_ns() // 1_000_000)
            spoil(steps)
            for step in steps:
                retain = step.name in ("online", "offline") or step.retain
                client.publish(step.topic, step.payload, step.qos, retain).wait_for_publish(5)
            said, _ = listening.communicate(timeout=60)
        finally:
            listening.kill()
            listening.wait()
    return listening.returncode, said


def nothing(steps: Script) -> None:
    """Leave everything as it is."""


def test_what_is_right(iotcore_broker: Broker) -> None:
    code, said = watched(iotcore_broker, nothing, "--json", "--primary-host", "cloud")
    found: dict[str, Any] = json.loads(said)
    assert (code, found["ok"], found["violations"]) == (0, True, [])
    assert (found["messages"], found["nodes"]) == (len(script()), 1)
    assert not found["qos_seen"], "iotcore raises QoS 0 to the QoS of the subscription"


def test_what_is_wrong(iotcore_broker: Broker) -> None:
    def twice(steps: Script) -> None:
        on("nbirth", _no_rebirth)(steps)
        on("nbirth again", _no_rebirth)(steps)

    code, said = watched(iotcore_broker, twice, "--json")
    (found,) = json.loads(said)["violations"]
    assert (code, found["rule"], found["count"]) == (1, "tck-id-payloads-nbirth-rebirth-req", 2)
    assert found["also"] == [
        "tck-id-topics-nbirth-rebirth-metric",
        "tck-id-operational-behavior-data-commands-rebirth-name",
    ]
    assert (found["node"], found["message"], found["must"]) == ("estate/gw1", "NBIRTH", True)


def test_a_person_reads_it(iotcore_broker: Broker) -> None:
    code, said = watched(iotcore_broker, on("nbirth", _no_rebirth))
    assert code == 1
    assert "estate/gw1  NBIRTH: tck-id-payloads-nbirth-rebirth-req (no Node Control/Rebirth)" in said
    assert "1 broken rules, 0 recommendations not followed." in said


def _no_rebirth(step: Step) -> None:
    step.raw.metrics.remove(step.metric("Node Control/Rebirth"))


@pytest.mark.needs("mosquitto")
def test_a_broker_that_keeps_the_qos(mosquitto_broker: Broker) -> None:
    code, said = watched(mosquitto_broker, on("ddata", lambda step: setattr(step, "qos", 1)), "--json")
    found = json.loads(said)
    assert found["qos_seen"]
    assert (code, [violation["rule"] for violation in found["violations"]]) == (1, ["tck-id-payloads-ddata-qos"])


def test_what_was_stored_before(iotcore_broker: Broker) -> None:
    """A retained birth is only seen by who comes later; so is a STATE that was not retained."""
    steps = shifted_to(script(), time.time_ns() // 1_000_000)
    with publisher(iotcore_broker) as client:
        client.publish(steps[1].topic, steps[1].payload, 0, retain=True).wait_for_publish(5)

    def unstored(steps: Script) -> None:
        for step in steps:
            if step.name in ("online", "offline"):
                step.name = "not stored"

    code, said = watched(iotcore_broker, unstored, "--json")
    rules = {violation["rule"] for violation in json.loads(said)["violations"]}
    assert (code, rules) == (1, {"tck-id-payloads-nbirth-retain", "tck-id-host-topic-phid-death-retain"})


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        (["--broker", "nowhere"], "write HOST:PORT", 2),
        (["--broker", "127.0.0.1:1"], "127.0.0.1:1 did not let us listen", 1),
        (["--username", "u", "--password-file", "none"], "none cannot be read", 2),
    ],
)
def test_wrong_words(words: list[str], sentence: str, code: int, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "liandong", "sparkplug", "watch", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "LIANDONG_LANG": "en", "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert (ended.returncode, ended.stdout) == (code, "")
    assert sentence in ended.stderr
