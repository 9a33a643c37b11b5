"""The agent's log: one line per transition on standard error, ``time level name event key=value …``."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, Final

_NAME: Final = "liandong.edge"


class Log:
    """Writes lines for one part of the agent. `event` is a fixed word, what varies goes into the keys."""

    def __init__(self, part: str) -> None:
        self._logger = logging.getLogger(f"{_NAME}.{part}")

    def info(self, event: str, **keys: Any) -> None:
        """Something changed."""
        self._logger.info("%s", _line(event, keys))

    def warning(self, event: str, **keys: Any) -> None:
        """Something changed for the worse; the agent goes on by itself."""
        self._logger.warning("%s", _line(event, keys))

    def error(self, event: str, *, trace: bool = False, **keys: Any) -> None:
        """Something failed that should not. `trace` adds the traceback of the exception being handled."""
        self._logger.error("%s", _line(event, keys), exc_info=trace)


def configure(level: str = "INFO") -> None:
    """Send the agent's lines to standard error (UTC, milliseconds)."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logger = logging.getLogger(_NAME)
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False


def _line(event: str, keys: dict[str, Any]) -> str:
    return " ".join([event, *(f"{key}={_value(value)}" for key, value in keys.items() if value is not None)])


def _value(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    plain = text and not any(character in text for character in ' "=\n')
    return text if plain else '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
