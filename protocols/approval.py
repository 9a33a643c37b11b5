"""A device that waits to be approved becomes a ``[[driver.device]]`` table of its driver.

Pure: documents and texts in, documents and texts out. Who may do it, and what is done with the result, is the caller's.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from protocols import configuration
from protocols.errors import RefusedError

Device = Mapping[str, Any]
"""The keys of a ``[[driver.device]]`` table: `id`, `type`, and what its family needs."""

WAITING: Final = "device.waiting"
OVER: Final = "device.waiting-over"
KINDS: Final = frozenset((WAITING, OVER))
"""What a gateway tells of devices that nobody has named: one waits to be approved; it waits no more."""
MOST: Final = 128
"""Devices of a gateway that a host keeps on its list."""

_LONGEST: Final = 200
_MOST_SETTINGS: Final = 8
_HEADER: Final = re.compile(r"\s*\[+\s*([A-Za-z0-9_.-]+)\s*\]+\s*(#.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A device that waits at `driver`; `over`: it was approved there, or left. `settings`: what its table would say."""

    driver: str
    address: str
    over: bool
    family: str = ""
    name: str = ""
    model: str = ""
    type: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def told(kind: str, data: object) -> Waiting | None:
    """What an event says of a device that waits; None when it is no such event, or cannot be read."""
    if kind not in KINDS or not isinstance(data, Mapping):
        return None
    words = {key: data.get(key, "") for key in ("driver", "address", "family", "name", "model", "type")}
    settings = data.get("settings", {})
    if not isinstance(settings, Mapping) or len(settings) > _MOST_SETTINGS:
        return None
    if not all(
        isinstance(word, str) and len(word) <= _LONGEST for word in (*words.values(), *settings, *settings.values())
    ):
        return None
    if not words["driver"] or not words["address"]:
        return None
    return Waiting(**words, settings=dict(settings), over=kind == OVER)


def approved(document: Mapping[str, Any], driver: str, device: Device) -> dict[str, Any]:
    """`document` with `device` at the end of `driver`'s devices.

    Raises RefusedError when there is no such driver, or a device of that id already.
    """
    found = copy.deepcopy(dict(document))
    tables = [table for table in found.get("driver", ()) if isinstance(table, dict)]
    table = next((table for table in tables if table.get("name") == driver), None)
    if table is None:
        known = ", ".join(str(table.get("name")) for table in tables) or "-"
        raise RefusedError("protocols.approval.driver", driver=driver, known=known)
    ids = [one.get("id") for table in tables for one in table.get("device", ()) if isinstance(one, dict)]
    if device["id"] in ids:
        raise RefusedError("protocols.approval.id", id=device["id"])
    table["device"] = [*table.get("device", ()), dict(device)]
    return found


def approved_text(text: str, driver: str, device: Device) -> str:
    """The TOML `text` with `device`; its comments stay where its devices are tables of their own.

    Raises RefusedError as `approved` does, ProtocolError for a text that is no TOML.
    """
    document = configuration.parse(text)
    wanted = approved(document, driver, device)
    names = [table.get("name") for table in document["driver"] if isinstance(table, dict)]
    lines = text.rstrip("\n").split("\n")
    end = _end_of_driver(lines, names.index(driver))
    block = ["", *configuration.to_toml({"driver": [{"device": [dict(device)]}]}).strip().split("\n")[2:], ""]
    made = "\n".join([*_without_end(lines[:end]), *block, *lines[end:]]).rstrip("\n") + "\n"
    try:
        if tomllib.loads(made) == wanted:
            return made
    except tomllib.TOMLDecodeError:
        pass  # devices in one line, or headers that only TOML itself understands
    return configuration.to_toml(wanted)


def _end_of_driver(lines: list[str], index: int) -> int:
    """The line behind the tables of the `index`-th driver."""
    seen = -1
    for number, line in enumerate(lines):
        header = _HEADER.fullmatch(line)
        if header is None:
            continue
        if header[1] == "driver":
            seen += 1
        if seen > index or (seen == index and header[1] != "driver" and not header[1].startswith("driver.")):
            return _before_comment(lines, number)
    return len(lines)


def _before_comment(lines: list[str], number: int) -> int:
    """A comment right above a header belongs to it."""
    while number and lines[number - 1].lstrip().startswith("#"):
        number -= 1
    return number


def _without_end(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines
