"""Who may open which door, and when: the cardholder store, and the decision, which needs but the store and the time.

The store is what a gateway keeps on its disk, so that a door works with the cloud away. Times of day are the street's
(`time_zone`); `now` is ms since 1970 UTC, passed in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from protocols.access.wiegand import Card, parse_card
from protocols.errors import ConfigError, ProtocolError

Reason = Literal["unknown", "disabled", "expired", "door", "schedule"]
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")


def _hours(text: str) -> str:
    if _HOURS.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not HH:MM-HH:MM")
    return text


def _card_text(text: str) -> str:
    try:
        return parse_card(text).text
    except ProtocolError as error:
        raise ValueError(str(error)) from error


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{text!r} is not a time zone of the IANA database") from error
    return text


Hours = Annotated[str, AfterValidator(_hours)]
CardText = Annotated[str, AfterValidator(_card_text)]


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
    """A person with cards. `doors` are device ids, empty for every door; `schedule` names a table, None for always.

    `valid_from` and `valid_until` are days in the street's time zone, both included.
    """

    id: str = Field(min_length=1, max_length=64)
    name: str = ""
    cards: tuple[CardText, ...] = ()
    doors: tuple[str, ...] = ()
    schedule: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    enabled: bool = True


class Cardholders(_Table):
    """The whole store of a gateway (``cardholders.toml``)."""

    time_zone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"
    holidays: tuple[date, ...] = ()
    schedule: dict[str, Schedule] = Field(default_factory=dict)
    cardholder: tuple[Cardholder, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Cardholders:
        owners: dict[str, str] = {}
        for person in self.cardholder:
            if person.schedule is not None and person.schedule not in self.schedule:
                raise ValueError(f"cardholder {person.id!r}: there is no [schedule.{person.schedule}]")
            for card in person.cards:
                if owners.setdefault(card, person.id) != person.id:
                    raise ValueError(f"card {card} belongs to {owners[card]!r} and to {person.id!r}")
        if len({person.id for person in self.cardholder}) != len(self.cardholder):
            raise ValueError("two cardholders have the same id")
        return self

    @cached_property
    def by_card(self) -> dict[tuple[int, bytes], Cardholder]:
        """The owner of each card, by the card's bits."""
        return {parse_card(text).identity: person for person in self.cardholder for text in person.cards}

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
    """`granted`, or denied for `reason`. `holder` is the person's id where the card is known."""

    granted: bool
    reason: Reason | None = None
    holder: str | None = None


def decide(card: Card, door: str, cardholders: Cardholders, now_ms: int) -> Decision:
    """Whether `card` opens `door` (a device id) now. The first thing that forbids it is the reason:

    unknown (no such card), disabled (the person is switched off), expired (outside the days of validity), door (no
    right at this door), schedule (not at this hour).
    """
    person = cardholders.by_card.get(card.identity)
    if person is None:
        return Decision(granted=False, reason="unknown")
    moment = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZoneInfo(cardholders.time_zone))
    reason = _forbids(person, door, cardholders, moment)
    return Decision(granted=reason is None, reason=reason, holder=person.id)


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
