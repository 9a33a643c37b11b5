"""Sirens and valves are told what to do, again and again until they confirm it, by any thread.

Most report what they do. A siren of the IAS WD cluster does not: that it answers a question after the command shows
that it was reached, and it is taken to sound for as long as it was told to.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge.drivers.zigbee2mqtt.config import ZigbeeDevice
from protocols.errors import DeviceError, RefusedError
from protocols.zigbee import SWITCHED, Payload, Siren, read_metrics, siren_command, upright, valve_command

Publish = Callable[[str, bytes], None]
"""Sends to ``set`` or ``get`` of the device at once; raises DeviceError when it cannot."""
_AGAIN_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What is published: `command` at ``NAME/set``, then `question` at ``NAME/get``, if there is one.

    `answer` is the key of the payload that answers it; empty where the device itself tells what it does.
    """

    command: bytes
    question: bytes = b""
    answer: str = ""


def words_for(device: ZigbeeDevice, value: bool, siren: Siren | None) -> Words:
    """How `device` is told; `siren`: what zigbee2mqtt knows of it."""
    if device.type != "siren":
        return Words(command=valve_command(value, device.closes))
    known = siren or Siren()
    command = siren_command(known, value, device.sound_s)
    if known.tells or not known.asked:
        return Words(command=command)
    question = json.dumps({known.asked: ""}, separators=(",", ":")).encode()
    return Words(command=command, question=question, answer=known.asked)


class _Confirmation:
    """Somebody waits until `device` is heard to be `value`, or until another value is wanted of it."""

    def __init__(self, device: ZigbeeDevice, value: bool, words: Words) -> None:
        self.device, self.value, self.words = device, value, words
        self.came = threading.Event()
        self.overtaken = False

    def confirmed_by(self, payload: Payload) -> bool:
        if self.words.answer:
            return payload.get(self.words.answer) is not None
        metric = SWITCHED[self.device.type][1]
        return read_metrics(self.device.type, upright(payload, self.device.closes)).get(metric) is self.value


class Switching:
    """Who waits for which device to confirm, and which silent sirens are taken to sound."""

    def __init__(self) -> None:
        self._acting = threading.Lock()
        self._awaited: dict[str, tuple[_Confirmation, ...]] = {}
        self._taken_for: dict[str, tuple[bool, float, Words]] = {}

    def switch(self, device: ZigbeeDevice, value: bool, words: Words, timeout_s: float, publish: Publish) -> None:
        """Send `words` until they are confirmed. Raises DeviceError after `timeout_s`, and what `publish` raises.

        Raises RefusedError when somebody wants another value meanwhile.
        """
        waiting, deadline = _Confirmation(device, value, words), time.monotonic() + timeout_s
        output = SWITCHED[device.type][0]
        self._await(waiting)
        try:
            while (left := deadline - time.monotonic()) > 0:
                self._send(waiting, publish)
                if waiting.came.wait(min(_AGAIN_S, left)):
                    break
            else:
                raise DeviceError(
                    "edge.driver.zigbee2mqtt.not-confirmed",
                    device=device.id,
                    output=output,
                    value=value,
                    timeout_s=timeout_s,
                )
        finally:
            with self._acting:
                self._awaited[device.id] = tuple(one for one in self._awaited[device.id] if one is not waiting)
        if waiting.overtaken:
            raise RefusedError("edge.output.overruled", device=device.id, output=output)

    def heard(self, device: ZigbeeDevice, payload: Payload) -> None:
        """`device` tells this now."""
        for one in self._awaited.get(device.id, ()):
            if one.confirmed_by(payload):
                if one.words.answer:
                    until = time.monotonic() + device.sound_s
                    self._taken_for[device.id] = (one.value, until, one.words)
                one.came.set()

    def awaits(self, device: ZigbeeDevice) -> bool:
        """Whether somebody waits for it to confirm."""
        return bool(self._awaited.get(device.id))

    def completed(self, device: ZigbeeDevice, payload: Payload) -> Payload:
        """The message of a siren that does not say whether it sounds, as one that does."""
        sounding = self._taken_for.get(device.id)
        return payload if sounding is None else {**payload, "alarm": sounding[0] and time.monotonic() < sounding[1]}

    def ended(self, device: ZigbeeDevice) -> bytes:
        """The question to a siren that has become silent by itself, once: its answer tells so. Else nothing."""
        sounding = self._taken_for.get(device.id)
        if sounding is None or not sounding[0] or time.monotonic() < sounding[1]:
            return b""
        self._taken_for[device.id] = (False, sounding[1], sounding[2])
        return sounding[2].question

    def _await(self, waiting: _Confirmation) -> None:
        with self._acting:
            others = self._awaited.get(waiting.device.id, ())
            for other in others:
                if other.value is not waiting.value and not other.came.is_set():
                    other.overtaken = True
                    other.came.set()
            self._awaited[waiting.device.id] = (*others, waiting)

    def _send(self, waiting: _Confirmation, publish: Publish) -> None:
        with self._acting:  # what was overtaken is not sent once more after what overtook it
            if waiting.came.is_set():
                return
            publish("set", waiting.words.command)
            if waiting.words.question:
                publish("get", waiting.words.question)
