"""Sirens that do not say whether they sound, and those that do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from edge.drivers.zigbee2mqtt.config import ZigbeeDevice
from edge.drivers.zigbee2mqtt.switching import Switching, words_for
from protocols.errors import DeviceError
from protocols.zigbee import Siren

MUTE = Siren(tells=False, asked="max_duration")


class Air:
    """What was published, and whoever answers it, as zigbee2mqtt would from a thread of its own."""

    def __init__(self, answer: Callable[[str, dict[str, Any]], dict[str, Any] | None]) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.switching = Switching()
        self._answer = answer

    def publish(self, verb: str, payload: bytes) -> None:
        self.sent.append((verb, json.loads(payload)))
        told = self._answer(*self.sent[-1])
        if told is not None:
            threading.Timer(0.01, self.switching.heard, (device(), told)).start()


def device(sound_s: int = 600) -> ZigbeeDevice:
    return ZigbeeDevice(id="siren-3", type="siren", sound_s=sound_s)


def test_one_that_only_answers_questions_is_confirmed_by_its_answer() -> None:
    air = Air(lambda verb, _: {"max_duration": 240, "battery": 80} if verb == "get" else None)
    air.switching.switch(device(), True, words_for(device(), True, MUTE), 30, air.publish)
    assert [verb for verb, _ in air.sent] == ["set", "get"]
    assert air.switching.completed(device(), {"battery": 80}) == {"battery": 80, "alarm": True}
    assert air.switching.ended(device()) == b"", "it still sounds"
    air.switching.switch(device(), False, words_for(device(), False, MUTE), 30, air.publish)
    assert air.switching.completed(device(), {}) == {"alarm": False}


def test_when_its_time_is_over_it_is_asked_once_more() -> None:
    air = Air(lambda verb, _: {"max_duration": 240} if verb == "get" else None)
    short = device().model_copy(update={"sound_s": 0})
    waiting = threading.Thread(
        target=air.switching.switch, args=(short, True, words_for(short, True, MUTE), 30, air.publish)
    )
    air._answer = lambda verb, _: None
    waiting.start()
    while not air.switching.awaits(short):
        pass
    air.switching.heard(short, {"max_duration": 240})
    waiting.join(30)
    assert air.switching.completed(short, {}) == {"alarm": False}
    assert json.loads(air.switching.ended(short)) == {"max_duration": ""}
    assert air.switching.ended(short) == b""


def test_one_that_tells_its_state_is_confirmed_by_that() -> None:
    by_state = Siren(key="alarm", on="ON", off="OFF")
    air = Air(lambda _, wanted: {"alarm": wanted["alarm"]})
    air.switching.switch(device(), True, words_for(device(), True, by_state), 30, air.publish)
    assert air.sent == [("set", {"alarm": "ON"})]
    assert air.switching.completed(device(), {"battery": 1}) == {"battery": 1}


def test_one_that_neither_tells_nor_answers_is_not_confirmed() -> None:
    air = Air(lambda *_: {"battery": 80})
    with pytest.raises(DeviceError) as silent:
        air.switching.switch(device(), True, words_for(device(), True, Siren(tells=False)), 0.1, air.publish)
    assert silent.value.code == "edge.driver.zigbee2mqtt.not-confirmed"
