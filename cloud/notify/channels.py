"""Ways to reach a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is to be told: the code of a sentence and its parameters."""

    id: int
    person_id: UUID
    kind: str
    params: Mapping[str, Any]


class Channel(Protocol):
    """Sends one message at a time. Called by several threads."""

    def send(self, message: Message) -> None:
        """Hand the message over, within ten seconds. The same message may come twice after a crash: `id` tells.

        Raises UnavailableError when trying again later may help, RefusedError when it will not.
        """
