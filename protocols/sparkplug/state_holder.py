"""The one that says STATE for a Host Application, sans-I/O (3.0.0, chapter 5, "Sparkplug Host Application Session").

One declared deviation: tck-id-message-flow-hid-sparkplug-state-message-delivered wants an offline STATE of our own
host id answered at once, whatever it is. After a kill the successor reads its predecessor's retained death after its
own birth and would answer for ever. So an older retained one is ignored, and any other is answered by a new connection
with a newer timestamp, as version 4 of the specification does (eclipse-sparkplug/sparkplug#547).
"""

from __future__ import annotations

from protocols.errors import ProtocolError
from protocols.sparkplug import topics
from protocols.sparkplug.actions import Disconnect, Malformed, Publish, Subscribe
from protocols.sparkplug.state import HostState, decode_state, encode_state

Action = Publish | Subscribe | Disconnect | Malformed


class StateHolder:
    """The holder of one host id, on a connection of its own (clean session). Times are ms since 1970-01-01 UTC."""

    def __init__(self, host: str) -> None:
        self._topic = topics.state_topic(topics.check_id(host))
        self._timestamp = 0
        self._seen = 0
        self._online = False

    @property
    def online(self) -> bool:
        """Whether our birth is out and nothing took it back."""
        return self._online

    @property
    def timestamp_ms(self) -> int:
        """The timestamp of the newest will and birth."""
        return self._timestamp

    def connect(self, now_ms: int) -> Publish:
        """The will of the next CONNECT; the birth will repeat its timestamp, which never goes back."""
        self._online = False
        self._timestamp = max(now_ms, self._timestamp + 1, self._seen + 1)
        return self._publish(HostState(online=False, timestamp_ms=self._timestamp))

    def connected(self) -> list[Action]:
        """The broker accepted: the own STATE first."""
        return [Subscribe(filters=(self._topic,))]

    def subscribed(self) -> list[Action]:
        """The broker confirmed the subscription: the birth."""
        self._online = True
        return [self._publish(HostState(online=True, timestamp_ms=self._timestamp))]

    def again(self) -> list[Action]:
        """The birth once more, for who comes to a broker that does not keep it for everybody. Nothing while offline."""
        return [self._publish(HostState(online=True, timestamp_ms=self._timestamp))] if self._online else []

    def received(self, payload: bytes, *, retained: bool) -> list[Action]:
        """A STATE message on our own topic."""
        try:
            state = decode_state(payload)
        except ProtocolError as error:
            return [Malformed(topic=self._topic, code=error.code, what=str(error))]
        if state.online or not self._online or (retained and state.timestamp_ms < self._timestamp):
            return []
        self._seen = max(self._seen, state.timestamp_ms)
        self._online = False
        return [Disconnect(reason="own-state-offline", reconnect=True)]

    def bounce(self, now_ms: int) -> list[Action]:
        """The database was restored under us: offline, then online on a new connection, so that every agent births."""
        return self._leave(now_ms, reason="restored", reconnect=True)

    def stop(self, now_ms: int) -> list[Action]:
        """A graceful stop: offline with the time of the stop, then DISCONNECT."""
        return self._leave(now_ms, reason="stopped", reconnect=False)

    def disconnected(self) -> None:
        """The connection is gone."""
        self._online = False

    def _leave(self, now_ms: int, *, reason: str, reconnect: bool) -> list[Action]:
        self._online = False
        self._timestamp = max(now_ms, self._timestamp)
        offline = self._publish(HostState(online=False, timestamp_ms=self._timestamp))
        return [offline, Disconnect(reason=reason, reconnect=reconnect)]

    def _publish(self, state: HostState) -> Publish:
        return Publish(topic=self._topic, payload=encode_state(state), qos=1, retain=True)
