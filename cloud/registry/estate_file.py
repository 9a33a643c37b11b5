"""The file of an estate (TOML): places, grids, people, gateways and devices, read and checked as a whole.

Every error names the file, the line of the table, the key and what is allowed. Positions are WGS-84; `datum` must say
so.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from cloud.registry.outline import geometry
from protocols.catalog import DEVICE_TYPES
from protocols.errors import ConfigError

MAX_BYTES: Final = 50 * 1024 * 1024
_HEADER: Final = re.compile(r"\s*\[\[\s*(?P<table>[a-z]+)\s*\]\]")

Code = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Path_ = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}(/[a-z0-9][a-z0-9-]{0,62})*$", max_length=500)]
Lat = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Lon = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Outline = Annotated[Any, AfterValidator(geometry)]


def _known_type(code: str) -> str:
    if code not in DEVICE_TYPES:
        raise ValueError(f"a row of the catalogue: {', '.join(DEVICE_TYPES)}")
    return code


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Names(_Table):
    """A name in both languages."""

    zh_cn: str = Field(alias="zh-CN", min_length=1)
    en: str = Field(min_length=1)

    def stored(self) -> dict[str, str]:
        """As the database keeps it."""
        return {"zh-CN": self.zh_cn, "en": self.en}


class PlaceRow(_Table):
    """A place; `path` holds the codes from the street down."""

    path: Path_
    kind: Literal["street", "community", "estate", "building", "unit", "home", "spot"]
    name: Names
    lat: Lat | None = None
    lon: Lon | None = None
    floor: Annotated[int, Field(ge=-50, le=300)] | None = None
    access: Names | None = None
    outline: Outline | None = None

    @model_validator(mode="after")
    def _whole(self) -> PlaceRow:
        if (self.lat is None) != (self.lon is None):
            raise ValueError("lat and lon belong together")
        if (self.kind == "street") != ("/" not in self.path):
            raise ValueError("a street has a path of one code, and nothing else has")
        return self


class GridRow(_Table):
    """A grid of a community."""

    code: Code
    place: Path_
    name: Names
    outline: Outline | None = None


class RoleRow(_Table):
    """A role that holds at a place and below."""

    role: Literal["administrator", "operator", "grid-worker", "volunteer", "social-worker", "installer"]
    place: Path_


class ResponderRow(_Table):
    """What makes a person one who can be offered tasks: a duty post (or home), and skills."""

    post_lat: Lat
    post_lon: Lon
    skills: tuple[str, ...] = ()


class PersonRow(_Table):
    """A person. Passwords never stand in a file."""

    login: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    name: Names
    language: Literal["zh-CN", "en"] = "zh-CN"
    roles: tuple[RoleRow, ...] = ()
    responder: ResponderRow | None = None


class GatewayRow(_Table):
    """A gateway: Sparkplug group (the estate's code) and node."""

    group: Code
    code: Code
    place: Path_
    name: Names


class DeviceRow(_Table):
    """A device of a gateway (``group/code``)."""

    gateway: Annotated[str, Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]
    code: Code
    type: Annotated[str, AfterValidator(_known_type)]
    place: Path_
    name: Names


class EstateFile(_Table):
    """The whole file. A datum other than WGS-84 is refused: its points would be 100 to 700 m off."""

    datum: Literal["WGS-84", "GCJ-02", "BD-09"]
    place: tuple[PlaceRow, ...] = ()
    grid: tuple[GridRow, ...] = ()
    person: tuple[PersonRow, ...] = ()
    gateway: tuple[GatewayRow, ...] = ()
    device: tuple[DeviceRow, ...] = ()


class EstateText:
    """The file with its text, so that an error can say in which line the faulty table begins."""

    def __init__(self, path: Path, text: str, rows: EstateFile) -> None:
        self.path = path
        self.rows = rows
        self._lines = _table_lines(text)

    def refuse(self, code: str, table: str, index: int, key: str, **params: object) -> ConfigError:
        """The error that row `index` of `table` is refused for."""
        line = self._lines.get((table, index), 1)
        return ConfigError(code, file=self.path, line=line, key=f"{table}[{index + 1}].{key}", **params)


def read_estate(path: Path) -> EstateText:
    """The estate in `path`. Raises ConfigError for a file that is missing, no TOML, or holds what no estate can."""
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            raise ConfigError("cloud.import.too-large", file=path, size=len(data), limit=MAX_BYTES)
        text = data.decode("utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigError("cloud.import.unreadable", file=path, why=error.strerror or str(error)) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("cloud.import.no-toml", file=path, why=str(error)) from error
    try:
        rows = EstateFile.model_validate(document)
    except ValidationError as error:
        raise _fault(path, text, error) from error
    if rows.datum != "WGS-84":
        raise ConfigError("cloud.import.datum", file=path, datum=rows.datum)
    estate = EstateText(path, text, rows)
    _refuse_doubles(estate)
    return estate


def _refuse_doubles(estate: EstateText) -> None:
    rows = estate.rows
    named: dict[str, list[tuple[str, str]]] = {
        "place": [("path", row.path) for row in rows.place],
        "grid": [("code", row.code) for row in rows.grid],
        "person": [("login", row.login) for row in rows.person],
        "gateway": [("code", f"{row.group}/{row.code}") for row in rows.gateway],
        "device": [("code", f"{row.gateway}/{row.code}") for row in rows.device],
    }
    for table, keys in named.items():
        seen: set[str] = set()
        for index, (key, value) in enumerate(keys):
            if value in seen:
                raise estate.refuse("cloud.import.double", table, index, key, value=value)
            seen.add(value)


def _fault(path: Path, text: str, error: ValidationError) -> ConfigError:
    first = error.errors(include_url=False)[0]
    at: Sequence[str | int] = first["loc"]
    table, index = (str(at[0]), int(at[1])) if len(at) > 1 and isinstance(at[1], int) else ("", 0)
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in at).lstrip(".")
    line = _table_lines(text).get((table, index), 1)
    shown = repr(first["input"])
    value = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return ConfigError("cloud.import.value", file=path, line=line, key=key, value=value, why=first["msg"])


def _table_lines(text: str) -> dict[tuple[str, int], int]:
    """In which line the n-th table of each name begins, counted from 1."""
    lines: dict[tuple[str, int], int] = {}
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _HEADER.match(line):
            table = match["table"]
            index = counts[table] = counts.get(table, -1) + 1
            lines[table, index] = number
    return lines
