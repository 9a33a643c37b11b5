"""Where a gateway's devices hang, and what gateway and cloud tell one another about a walk test.

Up, as events: `PLACED` of a device (``device, type, version, place, name``), whose version only grows: the newest one
counts, however often and in whatever order it is told. `ASKED` and `STOPPED` of the gateway (``id``; ``minutes``): a
person at the gateway wants a walk test, or wants it to end. A gateway only asks: a person who may do so at its place
says yes in the cloud, and the cloud alone decides which alarms are tests.

Down, by NCMD to `METRIC`: `Said`, which the cloud repeats while a walk test runs. A gateway believes in a walk test for
`HEARD_S` after it heard of it last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictStr, TypeAdapter, ValidationError

from protocols.errors import ProtocolError

PLACED: Final = "device.placed"
ASKED: Final = "walk-test.asked"
STOPPED: Final = "walk-test.stopped"
KINDS: Final = frozenset((PLACED, ASKED, STOPPED))
METRIC: Final = "Node Control/Walk Test"

MAX_MINUTES: Final = 120
ASKED_S: Final = 900
"""Seconds after which a walk test that nobody has agreed to is no longer wanted."""
REPEAT_S: Final = 15
HEARD_S: Final = 60
MAX_NAME: Final = 60
PLACE: Final = r"^[a-z0-9][a-z0-9-]{0,62}(?:/[a-z0-9][a-z0-9-]{0,62}){0,5}$"
"""A place below the gateway's estate: the codes of the tree, `/` between (3/1/502)."""
_MAX_BYTES: Final = 1024


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("printable text only")
    return text.strip()


Name = Annotated[StrictStr, Field(max_length=MAX_NAME), AfterValidator(_printable)]
Place = Annotated[StrictStr, Field(pattern=PLACE, max_length=200)]


class _Text(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Placed(_Text):
    """A device hangs at `place`. `type`: its row of the catalogue; `version`: grows with each choice."""

    device: Annotated[StrictStr, Field(min_length=1, max_length=64)]
    type: Annotated[StrictStr, Field(min_length=1, max_length=64)]
    version: Annotated[int, Field(gt=0, lt=1 << 62)]
    place: Place
    name: Name = ""


class Asked(_Text):
    """Somebody at the gateway wants a walk test."""

    id: UUID
    minutes: Annotated[int, Field(ge=1, le=MAX_MINUTES)]


class Stopped(_Text):
    """Somebody at the gateway wants its walk test to end."""

    id: UUID


class Said(_Text):
    """How a walk test stands, in the words of the host. `left_s`: seconds until it ends by itself."""

    host: Annotated[str, Field(min_length=1, max_length=200)]
    id: UUID
    state: Literal["running", "over"]
    left_s: Annotated[float, Field(ge=0, le=60 * MAX_MINUTES)] = 0.0


def told(kind: str, data: object) -> Placed | Asked | Stopped | None:
    """What an event says; None when it is none of these, or cannot be read."""
    models: Mapping[str, type[Placed | Asked | Stopped]] = {PLACED: Placed, ASKED: Asked, STOPPED: Stopped}
    model = models.get(kind)
    if model is None:
        return None
    try:
        return model.model_validate(data)
    except ValidationError:
        return None


def read(value: object) -> Said:
    """What a host wrote to `METRIC`. Raises ProtocolError for anything else."""
    try:
        if not isinstance(value, str) or len(value) > _MAX_BYTES:
            raise ValueError("no text, or too long")
        return Said.model_validate(json.loads(value))
    except (ValueError, RecursionError) as error:
        raise ProtocolError("protocols.commissioning.unreadable", value=repr(value)[:80]) from error


def place_of(text: str) -> str:
    """A place as a person types it (``3-1-502`` stays one code; spaces and a leading slash go), checked.

    Raises ProtocolError: what a place looks like.
    """
    return str(_checked("place", Place, text.strip().strip("/").lower()))


def name_of(text: str) -> str:
    """A device's name as a person types it. Raises ProtocolError."""
    return str(_checked("name", Name, text.strip()))


def _checked(what: str, kind: Any, text: str) -> Any:
    try:
        return TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        raise ProtocolError(f"protocols.commissioning.{what}", value=text[:80], limit=MAX_NAME) from error
