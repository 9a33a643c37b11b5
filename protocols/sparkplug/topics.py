"""Sparkplug topics: ``spBv1.0/<group>/<type>/<node>[/<device>]`` and ``spBv1.0/STATE/<host>`` (3.0.0, chapter 4).

Any id that the specification allows is read (any UTF-8 but ``+ / #``). The ids that we give out ourselves are narrower,
see `check_id`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from protocols.errors import ProtocolError

NAMESPACE: Final = "spBv1.0"
_OUR_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_RESERVED: Final = re.compile(r"[+/#\x00]")


class MessageType(StrEnum):
    """The message types; those of a device start with D."""

    NBIRTH = "NBIRTH"
    NDEATH = "NDEATH"
    NDATA = "NDATA"
    NCMD = "NCMD"
    DBIRTH = "DBIRTH"
    DDEATH = "DDEATH"
    DDATA = "DDATA"
    DCMD = "DCMD"

    @property
    def of_device(self) -> bool:
        """Whether the topic of this type ends with a device id."""
        return self.value.startswith("D")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """The topic of a node (`device` None) or of one of its devices."""

    group: str
    type: MessageType
    node: str
    device: str | None = None

    def __str__(self) -> str:
        base = f"{NAMESPACE}/{self.group}/{self.type}/{self.node}"
        return base if self.device is None else f"{base}/{self.device}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTopic:
    """The topic on which a Host Application says whether it is there."""

    host: str

    def __str__(self) -> str:
        return f"{NAMESPACE}/STATE/{self.host}"


@lru_cache(maxsize=65_536)  # a gateway speaks on the same few topics all day
def parse(topic: str) -> Topic | StateTopic:
    """The parts of `topic`. Raises ProtocolError for what is no Sparkplug topic."""
    parts = topic.split("/")
    if parts[0] != NAMESPACE or not all(_readable(part) for part in parts):
        raise _bad(topic)
    if len(parts) == 3 and parts[1] == "STATE":
        return StateTopic(host=parts[2])
    if len(parts) not in (4, 5) or parts[2] not in MessageType.__members__:
        raise _bad(topic)
    kind = MessageType(parts[2])
    if kind.of_device != (len(parts) == 5):
        raise _bad(topic)
    return Topic(group=parts[1], type=kind, node=parts[3], device=parts[4] if kind.of_device else None)


def node_topic(group: str, kind: MessageType, node: str, device: str | None = None) -> str:
    """The topic of a message of `kind`. Raises ProtocolError when a device is missing, or given where none belongs."""
    topic = str(Topic(group=group, type=kind, node=node, device=device))
    parse(topic)
    return topic


def state_topic(host: str) -> str:
    """The STATE topic of `host`. Raises ProtocolError for an id that no topic can carry."""
    topic = str(StateTopic(host=host))
    parse(topic)
    return topic


def check_id(text: str) -> str:
    """`text`, if it may be an id of ours: 1 to 64 lower-case letters, digits and hyphens, no hyphen at the ends.

    A dot would become a slash on brokers that map topics (RabbitMQ), and ids that differ in case only are forbidden
    (tck-id-case-sensitivity-sparkplug-ids). Raises ProtocolError otherwise.
    """
    if not _OUR_ID.fullmatch(text):
        raise ProtocolError("protocols.sparkplug.bad-id", id=text)
    return text


def group_filter(group: str) -> str:
    """The subscription for everything of one group (an estate)."""
    return f"{NAMESPACE}/{group}/#"


def _readable(part: str) -> bool:
    return bool(part) and not _RESERVED.search(part)


def _bad(topic: str) -> ProtocolError:
    return ProtocolError("protocols.sparkplug.bad-topic", topic=topic[:200])
