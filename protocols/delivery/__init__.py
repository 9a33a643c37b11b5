"""End-to-end delivery on top of Sparkplug: which message it is, what has been received, what is held, how much may fly.

Sparkplug data is QoS 0. An agent numbers its messages per epoch (one opening of its outbox) and lane, the cloud keeps
the set of received numbers with the rows themselves, and acknowledges by reporting that set.
"""

from protocols.delivery.address import (
    Acknowledgement,
    BirthId,
    Declaration,
    Lane,
    MessageId,
    declarations_from_text,
    declarations_to_text,
)
from protocols.delivery.answers import BirthWatch
from protocols.delivery.numbers import NumberSet
from protocols.delivery.window import Window

__all__ = [
    "Acknowledgement",
    "BirthId",
    "BirthWatch",
    "Declaration",
    "Lane",
    "MessageId",
    "NumberSet",
    "Window",
    "declarations_from_text",
    "declarations_to_text",
]
