"""Messages are opened: what they say, and which of them no birth explains and are left until a rebirth has come."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cloud.ingest.bulk import Content, decode_all
from cloud.ingest.channels import Channels, Session
from cloud.ingest.commit import Stored
from cloud.ingest.decode import UNKNOWN_ALIAS, Columns
from cloud.ingest.work import Group, Message
from cloud.metrics import Metrics
from cloud.storage.received import LaneKey
from protocols.delivery import NumberSet

_REMEMBERED: Final = 10_000


class Opening:
    """Remembers what was stored, and what could not be explained. The worker's thread alone uses it."""

    def __init__(self, channels: Channels, metrics: Metrics, unborn: Callable[[Message, Sequence[int]], None]) -> None:
        """`unborn` is told of messages that no birth explains, with the places of what cannot be read without."""
        self._channels = channels
        self._metrics = metrics
        self._unborn = unborn
        self._unexplained: OrderedDict[str, Session] = OrderedDict()
        self._remembered: OrderedDict[LaneKey, NumberSet] = OrderedDict()

    @property
    def remembered(self) -> Mapping[LaneKey, NumberSet]:
        """Received sets as they were committed."""
        return self._remembered

    def remember(self, stored: Stored) -> None:
        """A group is committed."""
        for (_, key), numbers in stored.answers.items():
            self._remembered[key] = numbers
            self._remembered.move_to_end(key)
        while len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)

    def forget(self) -> None:
        """The database is another one."""
        self._remembered.clear()

    def open(self, group: Group) -> Content:
        """What the group's messages say; it loses those that no birth explains until a rebirth has come."""
        opened = [None if self._is_stored(message) else message for message in group.messages]
        content = decode_all(opened, self._channels.directory)
        columns = zip(group.messages, content.columns, strict=True)
        kept = [index for index, (message, said) in enumerate(columns) if self._keeps(message, said)]
        group.messages = [group.messages[index] for index in kept]
        return content.only(kept)

    def _is_stored(self, message: Message) -> bool:
        """Whether this worker knows that it will be dropped: then nothing of it need be read."""
        if message.id is None:
            return False
        known = self._remembered.get((message.id.epoch, message.id.lane))
        return known is not None and known.contains(message.id.first, message.id.last)

    def _keeps(self, message: Message, content: Columns) -> bool:
        if content.unborn:
            self._unborn(message, ())
        if content.unexplained and not self._after_rebirth(message):
            self._unborn(message, content.unexplained)
            if message.id is not None:
                self._metrics.messages.labels("unexplained").inc()
                return False
            content.faults = [fault for fault in content.faults if fault.code != UNKNOWN_ALIAS]
        return True

    def _after_rebirth(self, message: Message) -> bool:
        """Whether this message could not be explained before, and its node has been born again since."""
        key = str(message.id) if message.id is not None else message.topic
        failed_in = self._unexplained.get(key)
        if failed_in is None:
            self._unexplained[key] = message.session
            if len(self._unexplained) > _REMEMBERED:
                self._unexplained.popitem(last=False)
            return False
        if failed_in is message.session:
            return False
        del self._unexplained[key]
        return True
