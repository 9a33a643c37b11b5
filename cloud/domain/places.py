"""Places in the tree. A path holds the codes from the street down, `/` between; a role holds at a path and below."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["street", "community", "estate", "building", "unit", "home", "spot"]
Names = dict[str, str]

LANGUAGES: Final = ("zh-CN", "en")
_UNTOLD: Final = ("street", "community")  # everybody on duty knows them; the readable line begins at the estate
_SEPARATOR: Final = {"zh-CN": " ", "en": ", "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A row of the tree. Position WGS-84, None when unknown; `access` tells how to get in, in both languages."""

    id: int
    path: str
    kind: Kind
    name: Names
    lat: float | None = None
    lon: float | None = None
    access: Names | None = None


def ancestors(path: str) -> list[str]:
    """The path itself and all above it, from the street down: ``a/b/c`` → ``[a, a/b, a/b/c]``."""
    codes = path.split("/")
    return ["/".join(codes[: n + 1]) for n in range(len(codes))]


def holds_at(granted: str, path: str) -> bool:
    """Whether a role at `granted` holds at `path`."""
    return path == granted or path.startswith(granted + "/")


def common(first: str, second: str) -> str:
    """The deepest path above both; empty when they share none."""
    shared: list[str] = []
    for mine, theirs in zip(first.split("/"), second.split("/"), strict=False):
        if mine != theirs:
            break
        shared.append(mine)
    return "/".join(shared)


def full_name(line: Iterable[Place]) -> Names:
    """The readable line of a place; `line` runs from the street down to the place itself."""
    whole = list(line)
    told = [place for place in whole if place.kind not in _UNTOLD] or whole[-1:]
    return {
        language: _SEPARATOR[language].join(name_in(place.name, language) for place in told) for language in LANGUAGES
    }


def name_in(name: Names, language: str) -> str:
    """A name in `language`, else in any language it has."""
    return name.get(language) or next(iter(name.values()), "")


def position(line: Iterable[Place]) -> tuple[float | None, float | None]:
    """Latitude and longitude of the deepest place of the line that has them."""
    known = [(place.lat, place.lon) for place in line if place.lat is not None and place.lon is not None]
    return known[-1] if known else (None, None)


def building(line: Iterable[Place]) -> list[Place]:
    """The line down to the building: what a volunteer sees before accepting."""
    return [place for place in line if place.kind in ("street", "community", "estate", "building")]


def at_scope(line: Iterable[Place], scope: str) -> str:
    """The path within which things belong together: of the nearest place of kind `scope`, else of the place itself."""
    whole = list(line)
    if not whole:
        return ""
    return next((place.path for place in reversed(whole) if place.kind == scope), whole[-1].path)
