"""People with cards as rows: put, switched off, removed, imported. Every change reaches the gateways of their doors.

Every function runs in the caller's transaction; who may do it where is the caller's to judge. Times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from psycopg.errors import ForeignKeyViolation
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud.registry import sets
from cloud.storage.database import Transaction
from cloud.storage.queries import load
from cloud.text import Text
from protocols.access.cardholders import CardText
from protocols.access.wiegand import parse_card
from protocols.errors import ConfigError, ProtocolError, RefusedError
from protocols.validation import unfit

Json = dict[str, Any]
CODE: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
MOST_CARDS: Final = 20
MOST_DOORS: Final = 200
SHOWN_DIGITS: Final = 3
_COLUMNS: Final = ("code", "name", "schedule", "valid_from", "valid_until", "enabled", "passback_exempt")


class Holder(BaseModel):
    """Somebody as they are wanted. `doors`: ``door`` or ``gateway/door``, none: every door at their place and below.

    `cards` None leaves their cards as they are, `duress_cards` None their duress cards. `name` is a name, a note or
    nothing: doors do not need it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    code: Annotated[str, Field(pattern=CODE)]
    name: Annotated[Text, Field(max_length=100)] = ""
    cards: Annotated[tuple[CardText, ...], Field(max_length=MOST_CARDS)] | None = None
    duress_cards: Annotated[tuple[CardText, ...], Field(max_length=MOST_CARDS)] | None = None
    doors: Annotated[tuple[Annotated[str, Field(max_length=130)], ...], Field(max_length=MOST_DOORS)] = ()
    schedule: Annotated[str, Field(max_length=63)] | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    enabled: bool = True
    passback_exempt: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Holder:
        if self.valid_from and self.valid_until and self.valid_from > self.valid_until:
            raise unfit(ConfigError("cloud.invalid.days"))
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place with its doors and schedules, by the names that people write."""

    id: int
    path: str
    doors: Mapping[str, Sequence[DictRow]]
    schedules: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who changes it, and when. `covers`: whether a place is one of theirs; they hear of nobody elsewhere."""

    person: UUID
    now: datetime
    covers: Callable[[str], bool]


def site(tx: Transaction, place: DictRow) -> Site:
    """What can be named at `place` (a row with id and path)."""
    sql, which = load("cardholders"), {"path": place["path"]}
    doors: dict[str, list[DictRow]] = {}
    for row in tx.fetch(sql["doors"], which):
        for name in (row["code"], f"{row['gateway']}/{row['code']}"):
            doors.setdefault(name, []).append(row)
    above = [
        row["code"] for row in tx.fetch(sql["schedules"], which) if f"{place['path']}/".startswith(f"{row['path']}/")
    ]
    return Site(id=place["id"], path=place["path"], doors=doors, schedules=frozenset(above))


def check(holder: Holder, where: Site) -> list[int]:
    """The doors of `holder` by their rows. Raises ConfigError for a door or schedule that is not there."""
    found: list[int] = []
    for name in holder.doors:
        rows = where.doors.get(name, ())
        if not rows:
            raise ConfigError("cloud.cardholder.no-door", door=name, place=where.path)
        if len(rows) > 1:
            names = ", ".join(f"{row['gateway']}/{row['code']}" for row in rows)
            raise ConfigError("cloud.cardholder.which-door", door=name, doors=names)
        found.append(rows[0]["id"])
    if holder.schedule is not None and holder.schedule not in where.schedules:
        raise ConfigError("cloud.cardholder.no-schedule", schedule=holder.schedule, place=where.path)
    return found


def put(tx: Transaction, holders: Sequence[Holder], where: Site, author: Author) -> None:
    """Add or change people at a place.

    Raises ConfigError, which says what cannot be, and RefusedError for a code of another's place; then nothing may be
    committed.
    """
    sql = load("cardholders")
    doors = [check(holder, where) for holder in holders]
    codes = [holder.code for holder in holders]
    before = {row["code"]: row for row in tx.fetch(sql["many"], {"codes": codes})}
    foreign = next((code for code, row in before.items() if not author.covers(row["path"])), None)
    if foreign is not None:
        raise RefusedError("cloud.cardholder.code-taken", code=foreign)
    touched = {row["path"] for row in before.values()} | {where.path}
    ids = _put_rows(tx, holders, where, author, known=list(before))
    _give_cards(tx, holders, ids, author)
    tx.execute(sql["take_doors"], {"ids": ids})
    pairs = [(number, door) for number, its in zip(ids, doors, strict=True) for door in its]
    tx.execute(sql["give_doors"], {"ids": [one for one, _ in pairs], "doors": [door for _, door in pairs]})
    reach(tx, touched, author.now)


def _put_rows(
    tx: Transaction, holders: Sequence[Holder], where: Site, author: Author, *, known: list[str]
) -> list[int]:
    """The ids of their rows, in their order. `known`: who is changed, which the author may; the others are new."""
    columns: Json = {key: [getattr(holder, key) for holder in holders] for key in _COLUMNS}
    columns |= {"place_id": where.id, "now": author.now, "person": author.person, "known": known}
    try:
        found = {row["code"]: int(row["id"]) for row in tx.fetch(load("cardholders")["put"], columns)}
    except ForeignKeyViolation as error:  # somebody has removed their hours at this moment
        gone = ", ".join(sorted({holder.schedule for holder in holders if holder.schedule is not None}))
        raise ConfigError("cloud.cardholder.no-schedule", schedule=gone, place=where.path) from error
    taken_now = next((holder.code for holder in holders if holder.code not in found), None)
    if taken_now is not None:  # somebody added them at this moment, perhaps at another's place
        raise RefusedError("cloud.cardholder.code-taken", code=taken_now)
    return [found[holder.code] for holder in holders]


def taken(tx: Transaction, holders: Sequence[Holder], covers: Callable[[str], bool]) -> dict[str, ConfigError]:
    """Cards of `holders` that somebody else has and keeps, each with what to say to who has these places."""
    which = {
        "cards": [card for one in holders for card in (*(one.cards or ()), *(one.duress_cards or ()))],
        "codes": [one.code for one in holders if one.cards is not None],
        "duress_codes": [one.code for one in holders if one.duress_cards is not None],
    }
    rows = tx.fetch(load("cardholders")["owners"], which)
    return {row["card"]: _taken(row["card"], row["code"] if covers(row["path"]) else None) for row in rows}


def _taken(card: str, owner: str | None) -> ConfigError:
    if owner is None:
        return ConfigError("cloud.cardholder.card-taken-elsewhere", card=masked(card))
    return ConfigError("cloud.cardholder.card-taken", card=masked(card), owner=owner)


def _give_cards(tx: Transaction, holders: Sequence[Holder], ids: Sequence[int], author: Author) -> None:
    """Cards and duress cards each for themselves: who is given one of the two keeps the other as it is."""
    sql = load("cardholders")
    cards: list[tuple[str, int, bool]] = []
    given: dict[bool, list[int]] = {False: [], True: []}
    owner: dict[str, str] = {}
    for number, holder in zip(ids, holders, strict=True):
        for texts, duress in ((holder.cards, False), (holder.duress_cards, True)):
            if texts is None:
                continue
            given[duress].append(number)
            for text in texts:
                if text in owner:
                    raise _taken(text, owner[text])
                owner[text] = holder.code
                cards.append((text, number, duress))
    tx.execute(sql["take_cards"], {"ids": given[False], "duress_ids": given[True]})
    columns = {"cards": [c for c, _, _ in cards], "ids": [n for _, n, _ in cards], "duress": [d for _, _, d in cards]}
    rest = owner.keys() - {row["card"] for row in tx.fetch(sql["give_cards"], columns)}
    if rest:  # others have them, or were given them at this moment
        card = min(rest)
        raise taken(tx, holders, author.covers).get(card) or _taken(card, None)


def enable(tx: Transaction, row: DictRow, *, enabled: bool, author: Author) -> None:
    """Switch somebody on or off."""
    which = {"id": row["id"], "enabled": enabled, "now": author.now, "person": author.person}
    tx.execute(load("cardholders")["enable"], which)
    reach(tx, [row["path"]], author.now)


def drop(tx: Transaction, row: DictRow, now: datetime) -> None:
    """Remove somebody with their cards: at the door they are unknown from then on."""
    tx.execute(load("cardholders")["drop"], {"id": row["id"]})
    reach(tx, [row["path"]], now)


def reach(tx: Transaction, paths: Iterable[str], now: datetime) -> None:
    """The people of these places have changed: so may the sets of the gateways with doors there."""
    rows = [row for path in sorted(set(paths)) for row in tx.fetch(load("cardholders")["doors"], {"path": path})]
    sets.changed(tx, {row["gateway_id"] for row in rows}, "cardholders", now)


def masked(card: str) -> str:
    """A card that people recognise and nobody can copy: its format, and its last digits."""
    try:
        text = parse_card(card).text
    except ProtocolError:
        text = card
    form, _, number = text.rpartition(":")
    return f"{form.partition(':')[0]}:…{number[-SHOWN_DIGITS:]}"


def shown(row: DictRow) -> Json:
    """Somebody as pages see them: cards masked."""
    found: Json = {key: row[key] for key in ("code", "name", "doors", "schedule", "enabled", "passback_exempt")}
    found |= {key: row[key] and row[key].isoformat() for key in ("valid_from", "valid_until")}
    found["cards"] = [masked(card) for card in row["cards"]]
    return found | {"duress_cards": row["duress"], "place": {"path": row["path"], "name": row["place_name"]}}
