"""Which files a configuration from afar may name: those of the gateway's own folder, and what is named on the spot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from edge.config import EdgeConfig
from protocols.errors import ConfigError

_LINES: Final = Path("/dev")
_LINE: Final = "port"
"""The key of a line. Other paths are of files, whose content may go to whomever the same text names as broker."""


def check_paths(config: EdgeConfig, local: EdgeConfig) -> None:
    """Raise ConfigError for a path of `config` that neither `local` names nor lies where it may lie."""
    folder = local.source.resolve().parent
    known = {path for _, path in _paths(local)}
    for key, path in _paths(config):
        root = _LINES if key.endswith(f".{_LINE}") else folder
        if path not in known and (".." in path.parts or not path.is_relative_to(root)):
            raise ConfigError("edge.config.path", file=local.source, key=key, value=str(path), allowed=str(root))


def _paths(config: EdgeConfig) -> Iterator[tuple[str, Path]]:
    yield from _below(config.uplink, "uplink")
    for index, entry in enumerate(config.drivers):
        yield from _below(entry.settings, f"driver[{index}]")


def _below(value: object, at: str) -> Iterator[tuple[str, Path]]:
    if isinstance(value, Path):
        yield at, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _below(getattr(value, name), f"{at}.{name}")
    elif isinstance(value, list | tuple):
        for index, one in enumerate(value):
            yield from _below(one, f"{at}[{index}]")
