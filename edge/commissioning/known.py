"""The places that may be chosen, as the cloud lists them: a file, for the gateway may have no connection yet.

The cloud delivers it (`edge.sets`). For a gateway that was never connected the page for installers saves it
(``GET /api/v1/gateways/<group>/<node>/places``). Without it any place that looks like one is taken, and the cloud says
when its tree has none such.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.commissioning.book import FOLDER, PLACES
from edge.commissioning.owner import as_owner
from edge.config_store import replace_file
from protocols.commissioning import Place
from protocols.errors import ConfigError, StorageError
from protocols.messages import LANGUAGES, Language

_MOST_BYTES: Final = 8_000_000


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    place: Place
    name: dict[str, Annotated[str, Field(max_length=200)]] = {}


class _Listed(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    group: str
    places: tuple[_Row, ...]


class KnownPlaces:
    """What was listed, by place: the name in each language. Empty when nothing was."""

    def __init__(self, rows: Mapping[str, Mapping[str, str]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, place: str) -> bool:
        return place in self._rows

    def name(self, place: str, language: Language) -> str:
        """The names of the place and of what it lies in, from the estate down; empty for one that is not listed."""
        codes = place.split("/")
        line = [self._rows.get("/".join(codes[: n + 1]), {}) for n in range(len(codes))]
        if place not in self._rows:
            return ""
        return (" " if language == "zh-CN" else ", ").join(
            next((name[one] for one in (language, *LANGUAGES) if name.get(one)), "") for name in line if name
        )

    def listed(self) -> list[str]:
        """All places."""
        return sorted(self._rows)

    def near(self, typed: str, most: int = 5) -> list[str]:
        """Places that what was typed may stand for."""
        from difflib import get_close_matches

        ends = [place for place in self._rows if place.startswith(typed) or place.endswith(f"/{typed}")]
        return (sorted(ends) or get_close_matches(typed, self._rows, most))[:most]


def remembered(data: Path, group: str) -> KnownPlaces:
    """The list that was kept last; an empty one without it."""
    path = data / FOLDER / PLACES
    return load(path, group) if path.is_file() else KnownPlaces({})


def keep(data: Path, group: str, source: Path) -> KnownPlaces:
    """Read the list in `source`, and keep it for the next time. Raises ConfigError and StorageError."""
    found = load(source, group)
    try:
        text = source.read_text("utf-8")
        with as_owner(data):
            (data / FOLDER).mkdir(mode=0o750, exist_ok=True)
            replace_file(data / FOLDER / PLACES, text)
    except OSError as error:
        raise StorageError("edge.storage.unusable", file=data, why=error.strerror or error) from error
    return found


def load(path: Path, group: str) -> KnownPlaces:
    """The list in a file. Raises ConfigError for one that is none, or another estate's."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError("edge.commission.places-unreadable", file=path, why=f"> {_MOST_BYTES}")
        listed = _Listed.model_validate(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigError("edge.commission.places-unreadable", file=path, why=error.strerror or error) from error
    except (ValueError, ValidationError, RecursionError) as error:
        why = str(error).partition("\n")[0]
        raise ConfigError("edge.commission.places-unreadable", file=path, why=why) from error
    if listed.group != group:
        raise ConfigError("edge.commission.places-foreign", file=path, group=listed.group, own=group)
    return KnownPlaces({row.place: row.name for row in listed.places})
