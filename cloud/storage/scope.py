"""Which part of the tree somebody may see, as parameters of statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloud.domain.places import ancestors, holds_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Everything at `paths` and below. `unplaced`: also what has no place yet."""

    paths: frozenset[str]
    unplaced: bool = False

    def covers(self, path: str | None) -> bool:
        """Whether something at `path` may be seen."""
        if path is None:
            return self.unplaced
        return any(holds_at(granted, path) for granted in self.paths)

    def params(self) -> dict[str, object]:
        """`paths`, `below` (LIKE patterns), `above` (paths towards the root) and `unplaced`."""
        paths = sorted(self.paths)
        return {
            "paths": paths,
            "below": [f"{path}/%" for path in paths],
            "above": sorted({above for path in paths for above in ancestors(path)[:-1]}),
            "unplaced": self.unplaced,
        }


def scope_of(roles: Iterable[tuple[str, str]], wanted: Mapping[str, bool]) -> Scope:
    """The scope of a person's `(role, path)` grants for the roles in `wanted`; its value: sees what has no place."""
    held = [(role, path) for role, path in roles if role in wanted]
    return Scope(paths=frozenset(path for _, path in held), unplaced=any(wanted[role] for role, _ in held))
