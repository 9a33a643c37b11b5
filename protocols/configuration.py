"""A gateway's configuration on its way: the texts of the metric ``Node Control/Configuration``, versions, differences.

1. The host offers a version (`Offer`). The agent answers with the event `READY`, which carries a ticket.
2. The host sends every `Piece`. The agent checks the whole, writes it, applies it on trial and tells `TRYING`; or it
   tells `REFUSED` and goes on as before.
3. When the uplink is back and every device that answered before answers again the version stays: `CONFIRMED`. If they
   do not within `hold_s` seconds, the version before is applied again: `ROLLED_BACK`.

At each start the agent tells what it runs (`RUNNING`), with the text where the host cannot have it (`TEXT`). A version
is a number and the hash of its content, without comments: those are no content.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter

from protocols import downward
from protocols.errors import ProtocolError

METRIC: Final = "Node Control/Configuration"
MAX_BYTES: Final = 60_000
"""A configuration's text, UTF-8: some five hundred devices."""
MAX_PIECES: Final = 16
PIECE: Final = 6000
"""Characters of one piece; an NCMD and an event carry one each."""
HOLD_S: Final = 120
"""Seconds that uplink and devices have to come back, unless the host says otherwise."""
TICKET_S: Final = 30.0
"""Seconds that all pieces must arrive within, by the gateway's monotonic clock."""

READY: Final = "config.ready"
TRYING: Final = "config.trying"
CONFIRMED: Final = "config.confirmed"
REFUSED: Final = "config.refused"
ROLLED_BACK: Final = "config.rolled-back"
RUNNING: Final = "config.running"
TEXT: Final = "config.text"
OUTCOMES: Final = frozenset((CONFIRMED, REFUSED, ROLLED_BACK))
KINDS: Final = frozenset((READY, TRYING, RUNNING, TEXT, *OUTCOMES))

_DEEPEST: Final = 12
"""Tables and lists in one another; nothing that a gateway reads has more than five."""
_SECRET: Final = re.compile(r"(?i)(^|_)(password|passphrase|secret|token|key|scbk|pin|psk|credentials?)$")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


class Offer(downward.Offered):
    """Step 1. `hold_s`: how long uplink and devices may take to come back."""

    hash: downward.Hash
    pieces: Annotated[int, Field(ge=1, le=MAX_PIECES)]
    hold_s: Annotated[int, Field(ge=1, le=3600)] = HOLD_S


class Piece(downward.Ticketed):
    """Step 2; `piece` counts from 0."""

    piece: Annotated[int, Field(ge=0, lt=MAX_PIECES)]
    text: Annotated[str, Field(min_length=1, max_length=PIECE)]


_MESSAGE: Final[TypeAdapter[Offer | Piece]] = TypeAdapter(Offer | Piece)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(downward.Told):
    """What a gateway's event says. `number` 0: written on the spot."""

    kind: str
    piece: int = 0
    pieces: int = 1
    text: str = ""
    last: Told | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One key that two configurations hold otherwise; None where one lacks it."""

    key: str
    wanted: str | None
    reported: str | None


def read(text: object) -> Offer | Piece:
    """What a value of the metric says. Raises ProtocolError for anything else."""
    return downward.read(text, _MESSAGE, most=2 * PIECE, code="protocols.configuration.message")


def told(kind: str, data: Any) -> Told | None:
    """What an event's `kind` and `data` say about a configuration; None when it is no such event, or cannot be read."""
    if kind not in KINDS or not isinstance(data, Mapping):
        return None
    try:
        last = data.get("last")
        return Told(
            **downward.told(data, ticketed=kind == READY),
            kind=kind,
            piece=downward.count(data.get("piece", 0), MAX_PIECES),
            pieces=downward.count(data.get("pieces", 1), MAX_PIECES),
            text=str(data.get("text", "")),
            last=told(str(last["kind"]), last) if isinstance(last, Mapping) and last.get("kind") in OUTCOMES else None,
        )
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def parse(text: str) -> dict[str, Any]:
    """The tables of `text`. Raises ProtocolError for what is too long or no TOML (`at`: the parser's own words)."""
    if len(text.encode()) > MAX_BYTES:
        raise ProtocolError("protocols.configuration.too-long", size=len(text.encode()), limit=MAX_BYTES)
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ProtocolError("protocols.configuration.not-toml", at=str(error)) from error
    level: list[object] = [document]
    for _ in range(_DEEPEST):
        level = [one for value in level for one in _inside(value)]
    if level:
        raise ProtocolError("protocols.configuration.not-toml", at=f"> {_DEEPEST} × [ {{")
    return document


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def content_hash(document: Mapping[str, Any]) -> str:
    """The hash that names the content of a configuration, hexadecimal SHA-256."""
    return hashlib.sha256(to_toml(document).encode()).hexdigest()


def to_pieces(text: str) -> list[str]:
    """`text` compressed and cut. Raises ProtocolError when it takes too many pieces."""
    packed = downward.pack(text.encode())
    pieces = [packed[at : at + PIECE] for at in range(0, len(packed), PIECE)]
    if len(pieces) > MAX_PIECES:
        raise ProtocolError("protocols.configuration.too-long", size=len(text.encode()), limit=MAX_BYTES)
    return pieces


def from_pieces(pieces: Sequence[str]) -> str:
    """The text again. Raises ProtocolError for what is damaged or longer than `MAX_BYTES`."""
    try:
        raw = downward.unpack("".join(pieces), MAX_BYTES)
        if len(raw) > MAX_BYTES:
            raise ProtocolError("protocols.configuration.too-long", size=len(raw), limit=MAX_BYTES)
        return raw.decode()
    except ValueError as error:
        raise ProtocolError("protocols.configuration.damaged") from error


def secret_keys(document: object, at: str = "") -> Iterator[str]:
    """The keys that hold a secret itself, where only the name of a file that holds it may stand."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            where = f"{at}.{key}" if at else str(key)
            if _SECRET.search(str(key)) and not isinstance(value, Mapping | list | bool):
                yield where
            yield from secret_keys(value, where)
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from secret_keys(value, f"{at}[{index}]")


def differences(wanted: Mapping[str, Any], reported: Mapping[str, Any]) -> list[Difference]:
    """Every key whose value differs, by its path; tables of a list are told apart by their name, id or code."""
    left, right = dict(_leaves(wanted)), dict(_leaves(reported))
    return [
        Difference(key=key, wanted=left.get(key), reported=right.get(key))
        for key in [*left, *(key for key in right if key not in left)]
        if left.get(key) != right.get(key)
    ]


def to_toml(document: Mapping[str, Any]) -> str:
    """`document` as TOML 1.0: keys in their order, tables after plain keys, no comments."""
    return "\n".join(_table(document, ())).strip() + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    below = {key: value for key, value in table.items() if _is_table(value) or _is_tables(value)}
    for key, value in table.items():
        if key not in below:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in below.items():
        where = (*path, key)
        name = ".".join(map(_key, where))
        for one in value if isinstance(value, list) else (value,):
            yield from ("", f"[[{name}]]" if isinstance(value, list) else f"[{name}]")
            yield from _table(one, where)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_table(one) for one in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + "}"
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat()) if isoformat is not None else repr(value)


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped) + '"'


def _leaves(value: object, at: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _leaves(one, f"{at}.{_key(str(key))}" if at else _key(str(key)))
    elif _is_tables(value) and isinstance(value, list):
        for name, one in _named(value):
            yield from _leaves(one, f"{at}[{name}]")
    else:
        yield at, _value(value)


def _named(tables: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    seen: dict[str, int] = {}
    for index, table in enumerate(tables):
        name = next((str(table[key]) for key in ("name", "id", "code") if key in table), str(index))
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name}#{seen[name]}"), table
