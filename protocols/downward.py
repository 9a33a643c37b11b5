"""What a host writes to a gateway, in two steps: what commands, configurations and sets share.

1. The host says what it wants. The agent answers with an event that carries a ticket, which it has just made.
2. The host writes again, with the ticket. What becomes of the wish, further events tell.

A message that is late, repeated or replayed does nothing: its ticket is gone. No clock of one side is ever compared
with one of the other. A configuration or a set is a numbered version; what is large travels packed.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from protocols.errors import ProtocolError

MOST_NUMBER: Final = 2**31 - 1
HASH: Final = r"^[0-9a-f]{64}$"
Hash = Annotated[str, Field(pattern=HASH)]
"""SHA-256, hexadecimal."""

_Form = TypeVar("_Form")


class Message(BaseModel):
    """What the host `host` writes. `id`: of what it wants."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    host: Annotated[str, Field(min_length=1, max_length=200)]
    id: UUID


class Offered(Message):
    """Step 1 of a version."""

    number: Annotated[int, Field(ge=1, le=MOST_NUMBER)]


class Ticketed(Message):
    """Step 2."""

    ticket: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a gateway's event says about a version. `error`: code and params of the reason."""

    number: int
    hash: str
    id: UUID | None = None
    ticket: UUID | None = None
    error: dict[str, Any] | None = None


def read(text: object, forms: TypeAdapter[_Form], *, most: int, code: str) -> _Form:
    """What the value of a metric says. Raises ProtocolError (`code`) for anything else, or more characters."""
    if not isinstance(text, str) or len(text) > most:
        raise ProtocolError(code, value=repr(text)[:80])
    try:
        return forms.validate_json(text)
    except ValidationError as error:
        raise ProtocolError(code, value=text[:80]) from error


def told(data: Mapping[str, Any], *, ticketed: bool) -> dict[str, Any]:
    """The fields of `Told` in an event's data. Raises KeyError, ValueError, TypeError, OverflowError."""
    digest = str(data["hash"])
    if re.fullmatch(HASH, digest) is None:
        raise ValueError(digest)
    return {
        "number": count(data["number"]),
        "hash": digest,
        "id": UUID(str(data["id"])) if "id" in data else None,
        "ticket": UUID(str(data["ticket"])) if ticketed else None,
        "error": reason(data) if "error" in data else None,
    }


def reason(data: Mapping[str, Any]) -> dict[str, Any]:
    """Code and params of the error in an event's data."""
    params = data.get("params")
    return {"code": str(data.get("error", "")), "params": dict(params) if isinstance(params, Mapping) else {}}


def count(value: Any, most: int = MOST_NUMBER) -> int:
    """A number from 0 to `most`. Raises ValueError, TypeError, OverflowError."""
    number = int(value)
    if not 0 <= number <= most:
        raise ValueError(value)
    return number


def pack(raw: bytes) -> str:
    """`raw` as it travels."""
    return base64.b64encode(zlib.compress(raw, 9)).decode("ascii")


def unpack(text: str, most: int) -> bytes:
    """What was packed, its first `most` + 1 bytes at the most. Raises ValueError for what is damaged or cut."""
    opened = zlib.decompressobj()
    try:
        raw = opened.decompress(base64.b64decode(text, validate=True), most + 1)
    except zlib.error as error:
        raise ValueError(text[:80]) from error
    if not opened.eof and len(raw) <= most:
        raise ValueError(text[:80])
    return raw
