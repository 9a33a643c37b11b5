"""A signed-in person and what they may do where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from cloud.storage.scope import Scope, scope_of
from protocols.errors import RefusedError
from protocols.messages import Language

RoleName = Literal["administrator", "operator", "grid-worker", "volunteer", "social-worker", "installer"]

CONSOLE: Final = {"administrator": True, "operator": False}
"""Roles that see the console; true: also sees what has no place yet."""
CONFIGURES: Final = {"administrator": True, "installer": False}
"""Roles that may give a gateway another configuration; true: also one that has no place yet."""
KEEPS_DOORS: Final = {"administrator": False, "operator": False, "installer": False}
"""Roles that may say who opens which door: at night it is the command centre that is told of a stolen card."""
RESPONDERS: Final = ("volunteer", "grid-worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role holds at its place and everywhere below."""

    role: str
    place_id: int
    path: str
    name: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """A signed-in person. `token_hash` is that of the session."""

    id: UUID
    login: str
    name: dict[str, str]
    language: Language
    roles: tuple[Role, ...]
    token_hash: bytes

    @property
    def console(self) -> Scope:
        """What the person sees on the console."""
        return scope_of(((role.role, role.path) for role in self.roles), CONSOLE)

    @property
    def configures(self) -> Scope:
        """Where the person may give gateways another configuration."""
        return scope_of(((role.role, role.path) for role in self.roles), CONFIGURES)

    @property
    def keeps_doors(self) -> Scope:
        """Where the person may say who opens which door."""
        return scope_of(((role.role, role.path) for role in self.roles), KEEPS_DOORS)

    @property
    def responds(self) -> bool:
        """Whether the person can be asked for help."""
        return any(role.role in RESPONDERS for role in self.roles)

    def require_console(self, path: str | None = None, *, anywhere: bool = True) -> Scope:
        """The console's scope; with `anywhere` false it must cover `path`. Raises RefusedError (`cloud.forbidden`)."""
        scope = self.console
        if not scope.paths or not (anywhere or scope.covers(path)):
            raise RefusedError("cloud.forbidden")
        return scope

    def require_responder(self) -> None:
        """Raises RefusedError (`cloud.forbidden`) for somebody who is not one."""
        if not self.responds:
            raise RefusedError("cloud.forbidden")

    def shown(self) -> dict[str, Any]:
        """The person as pages see it."""
        return {"id": str(self.id), "login": self.login, "name": self.name, "language": self.language}
