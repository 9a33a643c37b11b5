"""The cloud with a flaw that no exception handler catches: a reading of 666 kills the process while it is opened.

Run as a module in place of the command; nothing of this is in the product.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from liandong.cli import main as command

DEADLY = 666.0


def deadly(decode_all: Callable[..., Any]) -> Callable[..., Any]:
    """`decode_all`, with the flaw."""

    def decode_or_die(messages: Any, *rest: Any, **more: Any) -> Any:
        opened = [message for message in messages if message is not None]
        if any(metric.double_value == DEADLY for message in opened for metric in message.payload.metrics):
            os.kill(os.getpid(), signal.SIGKILL)
        return decode_all(messages, *rest, **more)

    return decode_or_die


def main() -> int:
    """The command of this process's words."""
    opening = import_module("cloud.ingest.opening")
    setattr(opening, "decode_all", deadly(getattr(opening, "decode_all")))  # noqa: B009, B010 - it is there by name only
    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
