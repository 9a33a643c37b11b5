"""Sets that the cloud delivers to a gateway: cardholders and local rules. Pages, versions, the texts on their way.

A set is a head and items. Its items are spread over pages by the hash of their names, and a page is called by the hash
of its content: what did not change keeps its name and is not sent again, and what arrived before a cut stays.

1. The host offers a version by the names of its pages (metric `METRIC`). The agent answers with the event `READY`: a
   fresh ticket, and which pages it lacks, `WANTS` at a time.
2. The host sends these, and that it is done. The agent asks for more, or checks the whole, stores it, works by it, and
   tells `APPLIED`. What cannot be used is `REFUSED` with its reason; the set before stays.

At each start the agent tells what it works by (`RUNNING`). Numbers of versions only grow: an older one is refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocols.errors import ProtocolError

Kind = Literal["cardholders", "rules"]
KINDS_OF_SETS: Final[tuple[Kind, ...]] = ("cardholders", "rules")
METRIC: Final = "Node Control/Set"
ITEMS_A_PAGE: Final = 160
MAX_PAGES: Final = 257
MAX_ITEMS: Final = 20_000
MAX_PAGE_BYTES: Final = 256_000
"""Of one page, before it is packed."""
MAX_PACKED: Final = 48_000
"""Characters of one page, packed."""
MAX_MESSAGE: Final = 64_000
MOST_NUMBER: Final = 2**31 - 1
WANTS: Final = 8
"""Pages that are under way at one time."""
TICKET_S: Final = 60.0
"""Seconds from one page to the next, by the gateway's monotonic clock."""

READY: Final = "set.ready"
APPLIED: Final = "set.applied"
REFUSED: Final = "set.refused"
RUNNING: Final = "set.running"
UNFIT: Final = "set.unfit"
EVENTS: Final = frozenset((READY, APPLIED, REFUSED, RUNNING, UNFIT))

Pages = Sequence[bytes]
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_HOST = Annotated[str, Field(min_length=1, max_length=200)]
_HASH = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    host: _HOST
    id: UUID


class Offer(_Message):
    """Step 1. `pages`: the names of all pages, the head first."""

    kind: Kind
    number: Annotated[int, Field(ge=1, le=MOST_NUMBER)]
    pages: Annotated[tuple[_HASH, ...], Field(min_length=1, max_length=MAX_PAGES)]


class Page(_Message):
    """Step 2: one page, packed."""

    ticket: UUID
    page: Annotated[int, Field(ge=0, lt=MAX_PAGES)]
    text: Annotated[str, Field(min_length=1, max_length=MAX_PACKED)]


class Sent(_Message):
    """Step 2: everything that was asked for has been sent."""

    ticket: UUID
    sent: Literal[True]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a gateway's event says. `number` 0: it has no set of this kind. `count`: items it works by.

    `held`: the number that it works by when it refuses another. `error`: code and params of the reason.
    """

    event: str
    kind: Kind
    number: int
    hash: str
    id: UUID | None = None
    ticket: UUID | None = None
    wants: tuple[int, ...] = ()
    count: int = 0
    held: int = 0
    error: dict[str, Any] | None = None


def read(text: object) -> Offer | Page | Sent:
    """What a value of the metric says. Raises ProtocolError for anything else."""
    if not isinstance(text, str) or len(text) > MAX_MESSAGE:
        raise ProtocolError("protocols.sets.message", value=repr(text)[:80])
    for form in (Page, Sent, Offer):
        try:
            return form.model_validate_json(text)
        except ValidationError:
            continue
    raise ProtocolError("protocols.sets.message", value=text[:80])


def told(event: str, data: Any) -> Told | None:
    """What an event says about a set; None when it is no such event, or cannot be read."""
    if event not in EVENTS or not isinstance(data, Mapping):
        return None
    try:
        kind, digest, error = data["kind"], str(data["hash"]), None
        if kind not in KINDS_OF_SETS or _HEX.fullmatch(digest) is None:
            return None
        if "error" in data:
            params = data.get("params")
            error = {"code": str(data["error"]), "params": dict(params) if isinstance(params, Mapping) else {}}
        return Told(
            event=event,
            kind=kind,
            number=_count(data["number"]),
            hash=digest,
            id=UUID(str(data["id"])) if "id" in data else None,
            ticket=UUID(str(data["ticket"])) if event == READY else None,
            wants=tuple(_count(page, MAX_PAGES) for page in list(data.get("wants", ()))[:WANTS]),
            count=_count(data.get("count", 0)),
            held=_count(data.get("held", 0)),
            error=error,
        )
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def _count(value: Any, most: int = MOST_NUMBER) -> int:
    number = int(value)
    if not 0 <= number <= most:
        raise ValueError(value)
    return number


def pages_of(
    head: Mapping[str, Any], items: Sequence[Mapping[str, Any]], name: Callable[[Mapping[str, Any]], str]
) -> list[bytes]:
    """A set as pages: its head, then its items, each on the page that its name leads to.

    Raises ProtocolError for a set that is too large.
    """
    if len(items) > MAX_ITEMS:
        raise ProtocolError("protocols.sets.too-large", size=len(items), limit=MAX_ITEMS)
    count = 1
    while count * ITEMS_A_PAGE < len(items):
        count *= 2
    leaves: list[dict[str, Mapping[str, Any]]] = [{} for _ in range(count if items else 0)]
    for item in items:
        leaves[int(hashlib.sha256(name(item).encode()).hexdigest()[:8], 16) % count][name(item)] = item
    found = [_bytes(head), *(_bytes([leaf[key] for key in sorted(leaf)]) for leaf in leaves)]
    for page in found:
        pack(page)
    return found


def content_of(pages: Pages) -> tuple[dict[str, Any], list[list[Any]]]:
    """The head, and the items of every page. Raises ProtocolError for what is no set."""
    try:
        head, *leaves = (json.loads(page) for page in pages)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("protocols.sets.damaged") from error
    if not isinstance(head, dict) or not all(isinstance(leaf, list) for leaf in leaves):
        raise ProtocolError("protocols.sets.damaged")
    if sum(map(len, leaves)) > MAX_ITEMS:
        raise ProtocolError("protocols.sets.too-large", size=sum(map(len, leaves)), limit=MAX_ITEMS)
    return head, leaves


def name_of(page: bytes) -> str:
    """What a page is called."""
    return hashlib.sha256(page).hexdigest()


def set_hash(kind: Kind, names: Iterable[str]) -> str:
    """The hash that names a whole set, by the names of its pages."""
    return hashlib.sha256("\n".join((kind, *names)).encode()).hexdigest()


def pack(page: bytes) -> str:
    """A page as it travels. Raises ProtocolError when it is too large."""
    text = base64.b64encode(zlib.compress(page, 9)).decode("ascii")
    if len(page) > MAX_PAGE_BYTES or len(text) > MAX_PACKED:
        raise ProtocolError("protocols.sets.page-too-large", size=len(page), limit=MAX_PAGE_BYTES)
    return text


def unpack(text: str, name: str) -> bytes:
    """The page that is called `name`. Raises ProtocolError for what is damaged, too large, or another page."""
    try:
        opened = zlib.decompressobj()
        page = opened.decompress(base64.b64decode(text, validate=True), MAX_PAGE_BYTES + 1)
    except (ValueError, zlib.error) as error:
        raise ProtocolError("protocols.sets.damaged") from error
    if len(page) > MAX_PAGE_BYTES or not opened.eof or name_of(page) != name:
        raise ProtocolError("protocols.sets.damaged")
    return page


def _bytes(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
