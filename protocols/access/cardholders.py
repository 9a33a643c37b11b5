"""Who may open which door, and when: the cardholder store, and what it says about a card or a code at a time.

The store is what a gateway keeps on its disk, so that a door works with the cloud away. Times of day are the street's
(`time_zone`); `now` is ms since 1970 UTC, passed in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from protocols.access.keypad import Shown
from protocols.access.wiegand import parse_card
from protocols.errors import ConfigError, ProtocolError
from protocols.validation import unfit

Reason = Literal["unknown", "disabled", "expired", "door", "schedule", "code", "incomplete", "passback", "lockout"]
"""Why somebody is denied; docs/reference/doors.md says each in a sentence."""
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
_CODE: Final = re.compile(r"[0-9]{4,12}")


def _hours(text: str) -> str:
    if _HOURS.fullmatch(text) is None:
        raise unfit(ProtocolError("protocols.access.hours", text=text[:40]))
    return text


def _card_text(text: str) -> str:
    try:
        return parse_card(text).text
    except ProtocolError as error:
        raise unfit(error) from error


def _code_text(text: str) -> str:
    if _CODE.fullmatch(text) is None:
        raise ValueError("a code is 4 to 12 digits")  # without the digits: sentences travel
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{text!r} is not a time zone of the IANA database") from error
    return text


Hours = Annotated[str, AfterValidator(_hours)]
CardText = Annotated[str, AfterValidator(_card_text)]
CodeText = Annotated[str, AfterValidator(_code_text)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Schedule(_Table):
    """When a door opens, per day of the week, as ``"06:00-23:00"``; ``"22:00-06:00"`` runs into the next day.

    On a holiday only `holiday` counts.
    """

    mon: tuple[Hours, ...] = ()
    tue: tuple[Hours, ...] = ()
    wed: tuple[Hours, ...] = ()
    thu: tuple[Hours, ...] = ()
    fri: tuple[Hours, ...] = ()
    sat: tuple[Hours, ...] = ()
    sun: tuple[Hours, ...] = ()
    holiday: tuple[Hours, ...] = ()

    def allows(self, moment: datetime, holidays: frozenset[date]) -> bool:
        """Whether `moment` (with its zone) lies in the hours of its day, or in last night's that run over midnight."""
        today, minute = moment.date(), moment.hour * 60 + moment.minute
        yesterday = today - timedelta(days=1)
        return any(a <= minute < b for a, b in self._of(today, holidays)) or any(
            minute < b - 1440 for _, b in self._of(yesterday, holidays)
        )

    def _of(self, day: date, holidays: frozenset[date]) -> list[tuple[int, int]]:
        hours: tuple[str, ...] = self.holiday if day in holidays else getattr(self, DAYS[day.weekday()])
        return [_minutes(text) for text in hours]


def _minutes(hours: str) -> tuple[int, int]:
    """First and end minute of the day; the end is beyond 1440 when it is on the next day."""
    (first, end) = (int(part[:2]) * 60 + int(part[3:]) for part in hours.split("-"))
    return first, end if end > first else end + 1440


class Cardholder(_Table):
    """A person. `doors` are device ids, empty for every door; `schedule` names a table, None for always.

    `duress_cards` and `duress_codes` are what is shown under threat: another card, the finger that a reader sends as
    another number, another code. They open what the person's own would, and tell silently. `valid_from` and
    `valid_until` are days in the street's time zone, both included. `passback_exempt`: guards and fire brigades.
    """

    id: str = Field(min_length=1, max_length=64)
    name: str = ""
    cards: tuple[CardText, ...] = ()
    codes: tuple[CodeText, ...] = Field(default=(), repr=False)
    duress_cards: tuple[CardText, ...] = ()
    duress_codes: tuple[CodeText, ...] = Field(default=(), repr=False)
    doors: tuple[str, ...] = ()
    schedule: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    enabled: bool = True
    passback_exempt: bool = False


Owner = tuple[Cardholder, bool]
"""Whose a card or code is, and whether it is one for duress."""


class Roll(Protocol):
    """What a door asks about people: one store, or several beside one another (`protocols.access.beside`)."""

    @property
    def people(self) -> int:
        """How many there are."""

    @property
    def passback_exempt(self) -> frozenset[str]:
        """The ids of those whom anti-passback does not concern."""

    def owner_of_card(self, identity: tuple[int, bytes]) -> Owner | None:
        """Whose card it is, by its bits."""

    def owner_of_code(self, code: str) -> Owner | None:
        """Whose code it is."""

    def home_of(self, person: Cardholder) -> Cardholders:
        """The store whose hours, holidays and time zone count for `person`."""


class Cardholders(_Table):
    """The whole store of a gateway (``cardholders.toml``). `version` is what its author calls this state of it."""

    version: str = Field(default="", max_length=64)
    time_zone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"
    holidays: tuple[date, ...] = ()
    schedule: dict[str, Schedule] = Field(default_factory=dict)
    cardholder: tuple[Cardholder, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Cardholders:
        cards: dict[str, str] = {}
        codes: dict[str, str] = {}
        for person in self.cardholder:
            if person.schedule is not None and person.schedule not in self.schedule:
                raise ValueError(f"cardholder {person.id!r}: there is no [schedule.{person.schedule}]")
            for card in (*person.cards, *person.duress_cards):
                if card in cards:
                    raise ValueError(f"card {card} belongs to {cards[card]!r} and to {person.id!r}")
                cards[card] = person.id
            for code in (*person.codes, *person.duress_codes):
                if code in codes:
                    raise ValueError(f"a code of {person.id!r} is also one of {codes[code]!r}")
                codes[code] = person.id
        if len({person.id for person in self.cardholder}) != len(self.cardholder):
            raise ValueError("two cardholders have the same id")
        return self

    @property
    def has_codes(self) -> bool:
        """Whether the store holds secrets: codes open doors for everybody who reads them."""
        return bool(self.by_code)

    @cached_property
    def by_card(self) -> dict[tuple[int, bytes], Owner]:
        """The owner of each card, by the card's bits, and whether it is one for duress."""
        return {
            parse_card(text).identity: (person, duress)
            for person in self.cardholder
            for texts, duress in ((person.cards, False), (person.duress_cards, True))
            for text in texts
        }

    @cached_property
    def by_code(self) -> dict[str, Owner]:
        """The owner of each code, and whether it is one for duress."""
        return {
            code: (person, duress)
            for person in self.cardholder
            for codes, duress in ((person.codes, False), (person.duress_codes, True))
            for code in codes
        }

    @cached_property
    def by_id(self) -> dict[str, Cardholder]:
        """Everybody by their id."""
        return {person.id: person for person in self.cardholder}

    @property
    def people(self) -> int:
        """How many there are."""
        return len(self.cardholder)

    def owner_of_card(self, identity: tuple[int, bytes]) -> Owner | None:
        """Whose card it is, by its bits."""
        return self.by_card.get(identity)

    def owner_of_code(self, code: str) -> Owner | None:
        """Whose code it is."""
        return self.by_code.get(code)

    def home_of(self, person: Cardholder) -> Cardholders:
        """This store: its hours, holidays and time zone count."""
        del person
        return self

    @cached_property
    def passback_exempt(self) -> frozenset[str]:
        """The ids of those whom anti-passback does not concern."""
        return frozenset(person.id for person in self.cardholder if person.passback_exempt)

    @cached_property
    def _days_off(self) -> frozenset[date]:
        return frozenset(self.holidays)

    def open_at(self, schedule: str, moment: datetime) -> bool:
        """Whether the named schedule allows `moment` (in the street's zone)."""
        return self.schedule[schedule].allows(moment, self._days_off)


def cardholders_from(table: dict[str, Any], *, source: str) -> Cardholders:
    """The store that a parsed TOML table says; `source` is the file's name, for the sentence.

    Raises ConfigError, which names the first key that cannot be used and why.
    """
    try:
        return Cardholders.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError("protocols.access.cardholders", file=source, key=where or "-", why=first["msg"]) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`granted`, or denied for `reason`. `holder` is the person's id where it is known.

    `duress`: shown under threat, which nobody at the door may notice. `passback`: let in although it violated a soft
    anti-passback. `locks`: this denial is the one that locks whatever was shown out.
    """

    granted: bool
    reason: Reason | None = None
    holder: str | None = None
    duress: bool = False
    passback: bool = False
    locks: bool = False


def decide(shown: Shown, door: str, cardholders: Roll, utc_ms: int) -> Decision:
    """Whether the store lets what was `shown` open `door` (a device id) now. The first thing that forbids it counts:

    unknown (nobody has it), incomplete (a card without its code, or the other way round), code (not this person's),
    disabled (the person is switched off), expired (outside the days of validity), door (no right at this door),
    schedule (not at this hour).
    """
    person, duress, reason = _identify(shown, cardholders)
    if person is None:
        return Decision(granted=False, reason=reason)
    if reason is None:
        home = cardholders.home_of(person)
        moment = datetime.fromtimestamp(utc_ms / 1000, UTC).astimezone(ZoneInfo(home.time_zone))
        reason = _forbids(person, door, home, moment)
    return Decision(granted=reason is None, reason=reason, holder=person.id, duress=duress)


def _identify(shown: Shown, cardholders: Roll) -> tuple[Cardholder | None, bool, Reason | None]:
    """Whose it is, whether under threat, and why it is not enough."""
    nobody: tuple[Cardholder | None, bool] = (None, False)
    person, duress = nobody if shown.card is None else cardholders.owner_of_card(shown.card.identity) or nobody
    owner, threatened = nobody if shown.code is None else cardholders.owner_of_code(shown.code) or nobody
    if shown.card is None and shown.complete:
        return owner, threatened, None if owner is not None else "unknown"
    if shown.card is not None and person is None:
        return None, False, "unknown"
    if not shown.complete:
        return person, duress, "incomplete"
    if shown.code is not None and owner != person:
        return person, duress, "code"
    return person, duress or threatened, None


def _forbids(person: Cardholder, door: str, cardholders: Cardholders, moment: datetime) -> Reason | None:
    if not person.enabled:
        return "disabled"
    today = moment.date()
    if (person.valid_from and today < person.valid_from) or (person.valid_until and today > person.valid_until):
        return "expired"
    if person.doors and door not in person.doors:
        return "door"
    if person.schedule is not None and not cardholders.open_at(person.schedule, moment):
        return "schedule"
    return None
