"""A scenario: a folder with the estate (places, people, devices), its hardware, and its gateways' configurations.

The files are templates: ``${name}`` stands for what the one who starts the scenario decides (ports, directories).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocols.errors import ConfigError


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HardwareTable(BaseModel):
    """``[[hardware]]``: a line or a field bus with its devices; `family` says which stand-in reads the other keys."""

    model_config = ConfigDict(extra="allow", frozen=True)
    family: str
    name: str

    @property
    def settings(self) -> dict[str, Any]:
        """The keys that the family reads."""
        return dict(self.model_extra or {})


class CableTable(_Table):
    """``[[cable]]``: the network cable of a gateway, from the port it connects to, to the broker's port.

    The fault lab lays cables for other parts too; `gateway` is then the part's name.
    """

    gateway: str
    listen: Annotated[int, Field(ge=1, le=65535)]
    target: Annotated[int, Field(ge=1, le=65535)]


class Scenario(_Table):
    """``hardware.toml`` of a scenario, filled in. `places`: device id → place path, from the estate's file."""

    group: str
    hardware: tuple[HardwareTable, ...]
    cable: tuple[CableTable, ...] = ()
    places: dict[str, str] = {}
    types: dict[str, str] = {}
    names: dict[str, dict[str, str]] = {}


@dataclass(frozen=True, slots=True)
class ScenarioFiles:
    """The files of a scenario that ships with the package."""

    folder: Traversable

    @property
    def estate(self) -> Path:
        """The file that ``liandong cloud import`` reads."""
        return Path(str(self.folder / "estate.toml"))

    def gateways(self) -> Iterator[str]:
        """The gateways' ids, in order."""
        names = (entry.name for entry in self.folder.iterdir())
        yield from sorted(n.removesuffix(".toml") for n in names if n.startswith("gw-") and n.endswith(".toml"))

    def fill(self, file: str, values: Mapping[str, object]) -> str:
        """The text of `file` with its ``${…}`` filled in. Raises ConfigError for one that has no value."""
        text = (self.folder / file).read_text("utf-8")
        try:
            return Template(text).substitute({key: _in_quotes(value) for key, value in values.items()})
        except (KeyError, ValueError) as error:
            raise ConfigError("simulators.scenario.template", file=file, why=error) from error


def _in_quotes(value: object) -> str:
    """`value` as it may stand between the quotes of a TOML text, whatever a directory is called."""
    return json.dumps(str(value), ensure_ascii=False)[1:-1]


def scenario_files(name: str) -> ScenarioFiles:
    """The scenario called `name`. Raises ConfigError with the names that exist."""
    root = files("simulators") / "scenarios"
    known = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("_"))
    if name not in known:
        raise ConfigError("simulators.scenario.unknown", name=name, known=", ".join(known))
    return ScenarioFiles(root / name)


def read_scenario(hardware: Path, estate: Path) -> Scenario:
    """The scenario in a filled-in hardware file, with the places of `estate`. Raises ConfigError naming the key."""
    try:
        document = tomllib.loads(hardware.read_text("utf-8"))
        devices = tomllib.loads(estate.read_text("utf-8")).get("device", [])
        document["places"] = {row["code"]: row["place"] for row in devices}
        document["types"] = {row["code"]: row["type"] for row in devices}
        document["names"] = {row["code"]: row["name"] for row in devices}
        return Scenario.model_validate(document)
    except OSError as error:
        raise ConfigError("simulators.scenario.unreadable", file=error.filename, why=error.strerror) from error
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise ConfigError("simulators.scenario.unreadable", file=hardware, why=error) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError("simulators.scenario.value", file=hardware, key=key, why=first["msg"]) from error
