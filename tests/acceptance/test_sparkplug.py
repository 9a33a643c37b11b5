"""Everything that agents and cloud say to each other, held against the Sparkplug rules while the street lives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from protocols.sparkplug.actions import Now
from protocols.sparkplug.host import rebirth_request
from tests.acceptance.people import Operator, Volunteer
from tests.acceptance.street import Street, eventually

HOME = "peach-garden/3/502"
GROUP, NODE, HOST = "peach-garden", "gw-2", "liandong"


@contextmanager
def bystander(street: Street) -> Iterator[Client]:
    """A connection to the street's broker with the rights of the cloud; keeps the births of the gateway as userdata."""
    client = Client(CallbackAPIVersion.VERSION2, userdata=[])
    client.username_pw_set("cloud", (street.data / "keys" / "mqtt-cloud").read_text().strip())
    client.on_message = lambda _client, births, message: births.append(message.payload)
    client.connect("127.0.0.1", broker_port(street))
    client.subscribe(f"spBv1.0/{GROUP}/NBIRTH/{NODE}")
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def broker_port(street: Street) -> int:
    port: int = json.loads((street.data / "run.json").read_text())["ports"]["broker"]
    return port


class Watch:
    """`liandong sparkplug watch` beside a street."""

    def __init__(self, street: Street) -> None:
        broker = ("--broker", f"127.0.0.1:{broker_port(street)}")
        user = ("--username", "cloud", "--password-file", str(street.data / "keys" / "mqtt-cloud"))
        command = [sys.executable, "-m", "liandong", "sparkplug", "watch", *broker, *user, "--primary-host", HOST]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, bufsize=1, env={**os.environ, "LIANDONG_LANG": "en"}
        )
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        eventually("the watch listens", lambda: any("Listening" in line for line in self.lines))

    def ends(self) -> tuple[int, list[str]]:
        """Ctrl-C: its exit code, and what it said after it began to listen."""
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(30)
        eventually("the summary", lambda: any(" messages of " in line for line in self.lines))
        return code, self.lines[1:]

    def kill(self) -> None:
        """Whatever happened."""
        self._process.kill()
        self._process.wait(10)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            self.lines.extend(self._process.stdout)


@pytest.mark.timeout(400)
def test_no_rule_is_broken_in_the_story(
    street: Street, operator: Operator, volunteers: tuple[Volunteer, Volunteer], report: list[str]
) -> None:
    watch = Watch(street)
    try:
        with bystander(street) as by:
            _rebirth(by, "asked by the watch's companion")
            _sos(street, operator, volunteers[0])
            street.kill_part(NODE)
            _birth(by, "after kill -9 of the agent", lambda: None)
            street.kill_part("cloud")
            _birth(by, "after the host was away", lambda: None)
            street.trigger("leak")
            operator.awaits_alarm("water-leak", patience_s=90)
            street.trigger("leak-clear")
            _rebirth(by, "once more")
            street.trigger("gateway-unplug", NODE)
            operator.awaits_alarm("gateway-offline", patience_s=90)
            street.trigger("gateway-plug", NODE)
            eventually("gateway back", lambda: not any(a["active"] for a in operator.alarms("gateway-offline")), 90)
            time.sleep(2)
        operator.closes_everything()
        code, said = watch.ends()
    finally:
        watch.kill()
    assert code == 0, said
    assert [line for line in said if "tck-id" in line] == []
    report.append(f"Sparkplug watch over the story: {said[0].strip()}")


def _rebirth(by: Client, why: str) -> None:
    ask = rebirth_request((GROUP, NODE), Now(at=time.monotonic(), utc_ms=time.time_ns() // 1_000_000))
    _birth(by, why, lambda: by.publish(ask.topic, ask.payload, ask.qos, ask.retain))


def _birth(by: Client, why: str, cause: Any) -> None:
    births = by.user_data_get()
    before = len(births)
    cause()
    eventually(f"a birth {why}", lambda: len(births) > before, 90)


def _sos(street: Street, operator: Operator, volunteer: Volunteer) -> None:
    street.trigger("sos")
    offer = volunteer.awaits_offer()
    assert volunteer.accepts(offer["id"])["result"] == "assigned"
    for step in ("on-the-way", "on-scene", "done"):
        volunteer.goes(offer["id"], step)
    operator.closes_everything()
