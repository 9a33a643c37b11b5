"""The lookout: hears of groups that nobody carries yet. One of the workers that share keeps it, on a connection apart.

It listens to births; for a few seconds after each connection to everything, for a node of another vendor may have been
born while nobody listened, and says nothing but data. A worker that is alone needs none: it hears all groups.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Collection
from typing import Final

from cloud.ingest.link import Broker, Heard, Link
from protocols.errors import ProtocolError
from protocols.sparkplug import topics
from protocols.sparkplug.actions import Subscribe
from protocols.sparkplug.topics import NAMESPACE

_LOG: Final = logging.getLogger("liandong.cloud.shares")
_BIRTHS: Final = frozenset({f"{NAMESPACE}/+/NBIRTH/+"})
_EVERYTHING: Final = frozenset({f"{NAMESPACE}/#"})
SWEEP_S: Final = 3.0
MOST_FOUND: Final = 1_000
"""Groups that are remembered between two beats; a flood of invented ones finds an end here."""
LONGEST_GROUP: Final = 200


class Lookout:
    """From `start` to `stop`. `found` may be asked from any thread."""

    def __init__(self, broker: Broker, known: Callable[[], Collection[str]]) -> None:
        """`known`: groups that are no news; asked for every message, in the connection's thread."""
        self._known = known
        self._found: set[str] = set()
        self._lock = threading.Lock()
        self._swept: threading.Timer | None = None
        self._link = Link(
            broker,
            f"liandong-lookout-{uuid.uuid4().hex[:12]}",
            Subscribe(filters=tuple(_EVERYTHING), qos=0),
            on_message=self._heard,
            on_up=self._up,
            on_down=self._down,
        )

    def start(self) -> None:
        """Begin to listen."""
        self._link.start()

    def stop(self) -> None:
        """Leave the broker, bounded."""
        self._link.stop()
        self._down()

    def found(self) -> set[str]:
        """New groups since the last call."""
        with self._lock:
            found, self._found = self._found, set()
        return found

    def _up(self) -> None:
        timer = threading.Timer(SWEEP_S, self._narrow)
        timer.daemon = True
        with self._lock:
            self._swept = timer
        timer.start()

    def _down(self) -> None:
        """The next connection begins with everything again."""
        with self._lock:
            timer, self._swept = self._swept, None
        if timer is not None:
            timer.cancel()
        self._link.subscribe(_EVERYTHING)

    def _narrow(self) -> None:
        if not self._link.subscribe(_BIRTHS):
            self._link.drop()

    def _heard(self, heard: Heard) -> None:
        group = heard.topic.partition("/")[2].partition("/")[0]
        if heard.retained or not group or group in self._known() or not _is_group(group, heard.topic):
            return
        with self._lock:
            if len(self._found) < MOST_FOUND and group not in self._found:
                self._found.add(group)
                _LOG.info("group-found group=%s", group)


def _is_group(group: str, topic: str) -> bool:
    if len(group) > LONGEST_GROUP or "\x00" in group:
        return False
    try:
        return isinstance(topics.parse(topic), topics.Topic)
    except ProtocolError:
        return False
