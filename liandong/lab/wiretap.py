"""Listens to the lab's broker: what is said there is judged by the conformance monitor, and which message carried what.

It sits at the broker, behind every cable. What the lab's own `Repeater` says a second time is known and left out: no
node said it. A connection that ends leaves a gap; what was said in it was not heard, and is not guessed. A session that
is cut before its birth shows itself by its will only; and when a connection takes another's place, iotcore 0.4 tells
the will of the new one instead of the old one's, so that its birth seems to repeat a number. Either way the births
around it tell whether its number was right: a birth must be newer than the birth before it, whatever wills were told.
"""

from __future__ import annotations

import json
import queue
import re
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any, Final

from liandong.lab.repeater import Repeater
from liandong.lab.stored import STATES, UNIQUE, Key, event_key
from liandong.sparkplug import Ears, Heard, Watch
from protocols.errors import ProtocolError
from protocols.sparkplug import topics
from protocols.sparkplug.births import BD_SEQ
from protocols.sparkplug.monitor import Monitor, Violation
from protocols.sparkplug.payload import decode
from protocols.sparkplug.topics import MessageType, Topic

_BIRTHS: Final = frozenset({MessageType.NBIRTH, MessageType.DBIRTH})
_DATA: Final = frozenset({MessageType.NDATA, MessageType.DDATA})
_STEP: Final = "tck-id-topics-nbirth-bdseq-increment"
_UNBORN: Final = frozenset(
    {"tck-id-payloads-ndeath-bdseq", "tck-id-operational-behavior-data-commands-rebirth-action-3", _STEP}
)
_SEQ: Final = re.compile(r"seq (\d+), expected (\d+)$")
_TWO_NUMBERS: Final = re.compile(r"bdSeq (\d+)\D+(\d+)")
_GAP_MS: Final = 15_000
_JOIN_S: Final = 5.0


class Wiretap:
    """Between `start` and `close` a thread listens. `sendings` and `report` are complete after `close`."""

    def __init__(self, port: int, username: str, password: str, repeater: Repeater, hosts: Sequence[str]) -> None:
        """`hosts`: the primary hosts that nodes are held to."""
        self._broker = port, username, password
        self._repeater = repeater
        monitor = Monitor(primary_hosts=hosts)
        self._watch = Watch(monitor=monitor, say=lambda code, **_: code, live=False)
        self._aliases: dict[tuple[str, int], tuple[str, str]] = {}
        self._seen: set[int] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="lab-wiretap", daemon=True)
        self._ears: Ears | None = None
        self._heard = 0
        self._births: dict[str, list[int]] = defaultdict(list)
        self._deaths: dict[str, set[tuple[int, int]]] = defaultdict(set)
        self._passed_over: dict[str, set[int]] = defaultdict(set)
        self._doubtful: list[tuple[Violation, int]] = []
        self.sendings: dict[Key, list[tuple[int, str]]] = defaultdict(list)
        """What was observed → (place in the order of what was said, message) of each time that it was sent."""
        self.gaps: list[int] = []
        """When nothing was heard for a moment, ms since 1970 UTC."""

    def start(self) -> None:
        """Begin. Raises UnavailableError."""
        port, username, password = self._broker
        self._ears = Ears("127.0.0.1", port, username, password)
        self._thread.start()

    def close(self) -> None:
        """Hear what is left, and go."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)
        if self._ears is not None:
            self._ears.close()

    def report(self) -> dict[str, Any]:
        """``{"messages", "nodes", "gaps", "violations": [{"rule", "must", "node", "message", "found", "count"…}]}``."""
        monitor = self._watch.monitor
        blamed = [found for found, births in self._doubtful if not self._ended_unborn(found, births)]
        judged = replace(self._watch, found=dict(self._watch.found))
        judged.add(blamed)
        return {
            "messages": monitor.messages,
            "nodes": monitor.nodes,
            "gaps": len(self.gaps),
            "ended_before_birth": len(self._doubtful) - len(blamed),
            "violations": [{**asdict(found), "count": count} for found, count in judged.found.values()],
        }

    def unheard(self, from_ms: float, to_ms: float) -> bool:
        """Whether something said between the two times may have been missed."""
        return any(from_ms - _GAP_MS <= gap <= to_ms + _GAP_MS for gap in self.gaps)

    def _listen(self) -> None:
        assert self._ears is not None
        while not (self._stop.is_set() and self._ears.waiting.empty()):
            try:
                heard = self._ears.waiting.get(timeout=0.2)
            except queue.Empty:
                continue
            if heard is None:
                self.gaps.append(time.time_ns() // 1_000_000)
                self._watch.hear(None)
            elif heard.topic == self._ears.probe:
                continue
            elif not self._is_copy(heard):
                self._judge(heard)
                self._note(heard)

    def _judge(self, heard: Heard) -> None:
        found = self._watch.monitor.heard(heard.topic, heard.payload, qos=None, retain=heard.retain, at_ms=heard.at_ms)
        self._watch.add(
            [broken for broken in found if broken.rule not in _UNBORN and not self._was_passed_over(broken)]
        )
        self._doubtful += [(broken, len(self._births[broken.node])) for broken in found if broken.rule in _UNBORN]

    def _ended_unborn(self, found: Violation, births: int) -> bool:
        """Whether the births tell that the number was that of a newer connection, or that there was one between.

        `births`: how many of the node had been heard before.
        """
        numbers = _TWO_NUMBERS.search(found.found)
        if numbers is None:
            return False
        said, before = map(int, numbers.groups())
        if found.rule == _STEP:
            newest = self._births[found.node][:births][-1:]
            return said == before and any(0 < (said - number) % 256 < 128 for number in newest)
        if found.message == MessageType.NBIRTH:
            return 1 < (said - before) % 256 < 128 or (said, births) in self._deaths[found.node]
        after = self._births[found.node][births : births + 1]
        return 0 < (said - before) % 256 < 128 and any((number - said) % 256 < 128 for number in after)

    def _was_passed_over(self, found: Violation) -> bool:
        """Whether the numbers that seem to be missing are of messages that were taken for copies after a gap."""
        numbers = _SEQ.search(found.found)
        if numbers is None:
            return False
        said, expected = map(int, numbers.groups())
        missing = {(expected + step) % 256 for step in range((said - expected) % 256)}
        return 0 < len(missing) < 128 and missing <= self._passed_over[found.node]

    def _is_copy(self, heard: Heard) -> bool:
        """The repeater's, not a node's. After a gap the first may be a copy: its original was said in the gap."""
        mark = hash((heard.topic, heard.payload))
        if mark not in self._repeater.copied:
            self._seen.add(mark)
            return False
        seen = mark in self._seen
        self._seen.add(mark)
        if seen or not self.unheard(heard.at_ms - _GAP_MS, heard.at_ms):
            return seen
        self._pass_over(heard)
        return True

    def _pass_over(self, heard: Heard) -> None:
        with suppress(ProtocolError):
            topic, payload = topics.parse(heard.topic), decode(heard.payload)
            if isinstance(topic, Topic) and payload.seq is not None:
                self._passed_over[f"{topic.group}/{topic.node}"].add(payload.seq)

    def _note(self, heard: Heard) -> None:
        try:
            topic = topics.parse(heard.topic)
            if not isinstance(topic, Topic) or topic.type not in _BIRTHS | _DATA | {MessageType.NDEATH}:
                return
            payload = decode(heard.payload)
        except ProtocolError:
            return  # the monitor has told of it
        node = f"{topic.group}/{topic.node}"
        if topic.type is MessageType.NDEATH:
            numbers = (metric.value for metric in payload.metrics if isinstance(metric.value, int))
            self._deaths[node] |= {(number, len(self._births[node])) for number in numbers}
            return
        self._heard += 1
        for metric in payload.metrics:
            if topic.type is MessageType.NBIRTH and metric.name == BD_SEQ and isinstance(metric.value, int):
                self._births[node].append(metric.value)
                self._passed_over[node].clear()
            if topic.type in _BIRTHS:
                if metric.name is not None and metric.alias is not None:
                    self._aliases[topic.node, metric.alias] = (topic.device or "", metric.name)
                continue
            found = self._aliases.get((topic.node, metric.alias)) if metric.alias is not None else None
            device, name = found or (topic.device or "", metric.name or "")
            key = _key(topic.device or device, name, metric.value, metric.timestamp_ms or 0)
            if key is not None:
                self.sendings[key].append((self._heard, payload.uuid or ""))


def _key(device: str, name: str, value: object, at_ms: int) -> Key | None:
    if value is None:
        return None
    if name in UNIQUE and isinstance(value, int | float):
        return (device, name, round(value, 6))
    if name in STATES:
        return (device, name, bool(value), at_ms)
    if name == "Event" and isinstance(value, str):
        told = json.loads(value)
        return event_key(device, told["kind"], told["data"], at_ms)
    return None
