"""Texts of the delivery scheme: addresses of messages, births, declarations and acknowledgements.

=================  =====================================================  ==========================================
what               text                                                   where
=================  =====================================================  ==========================================
`MessageId`        ``<epoch>/<lane>/<first>-<last>``                      field `uuid` of a data payload
`BirthId`          ``<epoch>.<counter>``                                  metric ``Outbox/Birth`` of NBIRTH
`Declaration`      ``<epoch>:<held set>/<last given>``, joined by ``;``   metric ``Outbox/<lane>`` of NBIRTH
`Acknowledgement`  ``<host>/<birth>/<epoch>/<lane>/<received set>``       metric ``Node Control/Outbox Ack`` of NCMD
=================  =====================================================  ==========================================

A received set with too many ranges goes in several acknowledgements; each then ends with ``/<first>-<last>``, the
numbers about which it speaks (``/<first>-`` for all from there on). Without that, it speaks about all numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final
from uuid import UUID

from protocols.delivery.numbers import MAX_NUMBER, NumberSet
from protocols.errors import ProtocolError

ACK_RANGES: Final = 200
"""Ranges in one acknowledgement: at most 8 KB of text."""

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_NUMBER: Final = r"[0-9]{1,19}"
_EPOCH_AND_LANE: Final = re.compile(rf"({_UUID})/(urgent|bulk)")
_FIRST_LAST: Final = re.compile(rf"({_NUMBER})-({_NUMBER})")
_LONGEST: Final = len("00000000-0000-4000-8000-000000000000/urgent")
_BIRTH_ID: Final = re.compile(rf"({_UUID})\.({_NUMBER})")
_DECLARATION: Final = re.compile(rf"({_UUID}):(\{{[^/;]*\}})/({_NUMBER})")
_ACK: Final = re.compile(
    rf"([^/]+)/({_UUID}\.{_NUMBER})/({_UUID})/(urgent|bulk)/(\{{[^/]*\}})(?:/({_NUMBER})-({_NUMBER})?)?"
)


class Lane(StrEnum):
    """URGENT carries events, alarms and state changes, BULK telemetry. Each numbers its messages on its own."""

    URGENT = "urgent"
    BULK = "bulk"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class MessageId:
    """Which message of which outbox: `first` … `last` of a lane within an epoch (equal, unless blocks were merged)."""

    epoch: UUID
    lane: Lane
    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last <= MAX_NUMBER:
            raise ProtocolError("protocols.delivery.bad-message-id", text=f"{self.first}-{self.last}")

    def __str__(self) -> str:
        return f"{self.epoch}/{self.lane}/{self.first}-{self.last}"

    @classmethod
    def parse(cls, text: str) -> MessageId:
        """The address that `text` says. Raises ProtocolError for anything else (a third party's `uuid`, for one)."""
        of_whom, _, numbers = text.rpartition("/")
        match = _FIRST_LAST.fullmatch(numbers)
        known = _epoch_and_lane(of_whom) if len(of_whom) <= _LONGEST else None
        if match is None or known is None:
            raise ProtocolError("protocols.delivery.bad-message-id", text=text[:200])
        return cls(epoch=known[0], lane=known[1], first=int(match[1]), last=int(match[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class BirthId:
    """One birth of a node: the epoch it was born with and a counter that starts with the process."""

    epoch: UUID
    count: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.count}"

    @classmethod
    def parse(cls, text: str) -> BirthId:
        """The birth that `text` names. Raises ProtocolError for anything else."""
        match = _BIRTH_ID.fullmatch(text)
        if match is None:
            raise ProtocolError("protocols.delivery.bad-birth-id", text=text[:200])
        return cls(epoch=UUID(match[1]), count=int(match[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What an outbox holds of one epoch and lane: the numbers `held`, and the last number that was given (0 = none)."""

    epoch: UUID
    held: NumberSet
    last_given: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.held}/{self.last_given}"

    @classmethod
    def parse(cls, text: str) -> Declaration:
        """The declaration that `text` says. Raises ProtocolError for anything else."""
        match = _DECLARATION.fullmatch(text)
        if match is None or int(match[3]) > MAX_NUMBER:
            raise ProtocolError("protocols.delivery.bad-declaration", text=text[:200])
        held, last = NumberSet.parse(match[2]), int(match[3])
        if held and held.ranges[-1][1] > last:
            raise ProtocolError("protocols.delivery.bad-declaration", text=text[:200])
        return cls(epoch=UUID(match[1]), held=held, last_given=last)


@lru_cache(maxsize=65_536)  # a gateway speaks of the same few epochs all day
def _epoch_and_lane(text: str) -> tuple[UUID, Lane] | None:
    match = _EPOCH_AND_LANE.fullmatch(text)
    return None if match is None else (UUID(match[1]), Lane(match[2]))


def declarations_to_text(declarations: Iterable[Declaration]) -> str:
    """The value of the metric ``Outbox/<lane>``: one declaration per epoch, the current epoch always among them."""
    return ";".join(str(declaration) for declaration in declarations)


def declarations_from_text(text: str) -> tuple[Declaration, ...]:
    """The declarations of one lane. Raises ProtocolError for anything else, and for an epoch that is named twice."""
    found = tuple(Declaration.parse(part) for part in text.split(";")) if text else ()
    if len({declaration.epoch for declaration in found}) != len(found):
        raise ProtocolError("protocols.delivery.bad-declaration", text=text[:200])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What `host` has stored of one epoch and lane, said to the birth of a node.

    It speaks about the numbers `speaks_from` … `speaks_to` (None: all from there on): which of them were received.
    """

    host: str
    birth: BirthId
    epoch: UUID
    lane: Lane
    received: NumberSet
    speaks_from: int = 1
    speaks_to: int | None = None

    @property
    def complete(self) -> bool:
        """Whether it speaks about every number."""
        return self.speaks_from == 1 and self.speaks_to is None

    def denies(self, first: int, last: int) -> bool:
        """Whether it says of any of `first` … `last` that it was not received."""
        low = max(first, self.speaks_from)
        high = last if self.speaks_to is None else min(last, self.speaks_to)
        return low <= high and not self.received.contains(low, high)

    def parts(self, ranges: int = ACK_RANGES) -> Iterator[Acknowledgement]:
        """This (complete) acknowledgement as one or several, of at most `ranges` ranges each."""
        pieces = list(self.received.split(ranges))
        speaks_from = 1
        for index, piece in enumerate(pieces):
            speaks_to = None if index == len(pieces) - 1 else piece.ranges[-1][1]
            yield Acknowledgement(
                host=self.host,
                birth=self.birth,
                epoch=self.epoch,
                lane=self.lane,
                received=piece,
                speaks_from=speaks_from,
                speaks_to=speaks_to,
            )
            speaks_from = (speaks_to or 0) + 1

    def __str__(self) -> str:
        text = f"{self.host}/{self.birth}/{self.epoch}/{self.lane}/{self.received}"
        if self.complete:
            return text
        return f"{text}/{self.speaks_from}-{'' if self.speaks_to is None else self.speaks_to}"

    @classmethod
    def parse(cls, text: str) -> Acknowledgement:
        """The acknowledgement that `text` says. Raises ProtocolError for anything else."""
        match = _ACK.fullmatch(text)
        if match is None:
            raise ProtocolError("protocols.delivery.bad-acknowledgement", text=text[:200])
        speaks_from = int(match[6] or 1)
        speaks_to = int(match[7]) if match[7] else None
        if speaks_from < 1 or (speaks_to is not None and speaks_to < speaks_from):
            raise ProtocolError("protocols.delivery.bad-acknowledgement", text=text[:200])
        return cls(
            host=match[1],
            birth=BirthId.parse(match[2]),
            epoch=UUID(match[3]),
            lane=Lane(match[4]),
            received=NumberSet.parse(match[5]),
            speaks_from=speaks_from,
            speaks_to=speaks_to,
        )
