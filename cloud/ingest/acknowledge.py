"""Outbox acknowledgements: what has been stored, told to the node that asked, by NCMD."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cloud.ingest.channels import Channels
from cloud.ingest.commit import AnswerKey, Stored
from protocols.delivery import Acknowledgement, NumberSet
from protocols.sparkplug.actions import Now, Publish
from protocols.sparkplug.births import OUTBOX_ACK, OUTBOX_ACK_ALIAS
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.host import command
from protocols.sparkplug.payload import Metric

REPEAT_S: Final = 0.2
"""Messages that were stored before are acknowledged again at most this often, per node and lane."""
_SWEEP_AT: Final = 4096


class Answers:
    """Sends acknowledgements, at once for what is new, damped for what is not. Times: see `Now`. One thread."""

    def __init__(self, host_id: str, channels: Channels, publish: Callable[[Publish], object]) -> None:
        self._host_id = host_id
        self._channels = channels
        self._publish = publish
        self._said: dict[AnswerKey, float] = {}
        self._owed: dict[AnswerKey, NumberSet] = {}

    def committed(self, stored: Stored, now: Now) -> None:
        """A group is committed: report the sets that it touched."""
        for key, numbers in stored.answers.items():
            if key in stored.prompt or now.at - self._said.get(key, 0.0) >= REPEAT_S:
                self._send(key, numbers, now)
            else:
                self._owed[key] = numbers

    def tick(self, now: Now) -> None:
        """Send what was held back long enough."""
        for key in [key for key in self._owed if now.at - self._said.get(key, 0.0) >= REPEAT_S]:
            self._send(key, self._owed[key], now)
        if len(self._said) > _SWEEP_AT:
            self._said = {key: at for key, at in self._said.items() if now.at - at < REPEAT_S}

    def _send(self, key: AnswerKey, numbers: NumberSet, now: Now) -> None:
        node, (epoch, lane) = key
        self._owed.pop(key, None)
        self._said[key] = now.at
        session = self._channels.sessions.get(node)
        if session is None or session.birth is None:
            return
        whole = Acknowledgement(host=self._host_id, birth=session.birth, epoch=epoch, lane=lane, received=numbers)
        for part in whole.parts():
            metric = Metric(
                name=OUTBOX_ACK,
                alias=OUTBOX_ACK_ALIAS,
                datatype=DataType.STRING,
                value=str(part),
                timestamp_ms=now.utc_ms,
            )
            self._publish(command(node, None, (metric,), now))
