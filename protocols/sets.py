"""Sets that the cloud delivers to a gateway: cardholders, local rules, places. Pages, versions, the texts on their way.

A set is a head and items. Its items are spread over pages by the hash of their names, and a page is called by the hash
of its content: what did not change keeps its name and is not sent again, and what arrived before a cut stays.
They travel as `protocols.downward` says:

1. The host offers a version by the names of its pages (metric `METRIC`). The agent answers with the event `READY`: a
   fresh ticket, and which pages it lacks, `WANTS` at a time.
2. The host sends these, and that it is done. The agent asks for more, or checks the whole, stores it, works by it, and
   tells `APPLIED`. What cannot be used is `REFUSED` with its reason; the set before stays.

At each start the agent tells what it works by (`RUNNING`). Numbers of versions only grow: an older one is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter

from protocols import downward
from protocols.errors import ProtocolError

Kind = Literal["cardholders", "rules", "places"]
KINDS_OF_SETS: Final[tuple[Kind, ...]] = ("cardholders", "rules", "places")
METRIC: Final = "Node Control/Set"
ITEMS_A_PAGE: Final = 160
MAX_PAGES: Final = 257
MAX_ITEMS: Final = 20_000
MAX_PAGE_BYTES: Final = 256_000
"""Of one page, before it is packed."""
MAX_PACKED: Final = 48_000
"""Characters of one page, packed."""
MAX_MESSAGE: Final = 64_000
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


class Offer(downward.Offered):
    """Step 1. `pages`: the names of all pages, the head first."""

    kind: Kind
    pages: Annotated[tuple[downward.Hash, ...], Field(min_length=1, max_length=MAX_PAGES)]


class Page(downward.Ticketed):
    """Step 2: one page, packed."""

    page: Annotated[int, Field(ge=0, lt=MAX_PAGES)]
    text: Annotated[str, Field(min_length=1, max_length=MAX_PACKED)]


class Sent(downward.Ticketed):
    """Step 2: everything that was asked for has been sent."""

    sent: Literal[True]


_MESSAGE: Final[TypeAdapter[Offer | Page | Sent]] = TypeAdapter(Offer | Page | Sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(downward.Told):
    """What a gateway's event says. `number` 0: it has no set of this kind. `count`: items it works by.

    `held`: the number that it works by when it refuses another.
    """

    event: str
    kind: Kind
    wants: tuple[int, ...] = ()
    count: int = 0
    held: int = 0


def read(text: object) -> Offer | Page | Sent:
    """What a value of the metric says. Raises ProtocolError for anything else."""
    return downward.read(text, _MESSAGE, most=MAX_MESSAGE, code="protocols.sets.message")


def told(event: str, data: Any) -> Told | None:
    """What an event says about a set; None when it is no such event, or cannot be read."""
    if event not in EVENTS or not isinstance(data, Mapping) or data.get("kind") not in KINDS_OF_SETS:
        return None
    try:
        return Told(
            **downward.told(data, ticketed=event == READY),
            event=event,
            kind=data["kind"],
            wants=tuple(downward.count(page, MAX_PAGES) for page in list(data.get("wants", ()))[:WANTS]),
            count=downward.count(data.get("count", 0)),
            held=downward.count(data.get("held", 0)),
        )
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


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
    text = downward.pack(page)
    if len(page) > MAX_PAGE_BYTES or len(text) > MAX_PACKED:
        raise ProtocolError("protocols.sets.page-too-large", size=len(page), limit=MAX_PAGE_BYTES)
    return text


def unpack(text: str, name: str) -> bytes:
    """The page that is called `name`. Raises ProtocolError for what is damaged, too large, or another page."""
    try:
        page = downward.unpack(text, MAX_PAGE_BYTES)
    except ValueError as error:
        raise ProtocolError("protocols.sets.damaged") from error
    if len(page) > MAX_PAGE_BYTES or name_of(page) != name:
        raise ProtocolError("protocols.sets.damaged")
    return page


def _bytes(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
