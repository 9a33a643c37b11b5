"""A keypad beside a reader: keys become codes, and cards wait for the code that belongs to them. Pure.

Keys as in an osdp_KEYPAD reply (IEC 60839-11-5): digits in ASCII, 7F = ``*`` clears, 0D = ``#`` ends the code. The
characters themselves are taken, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from protocols.access.wiegand import Card

Entry = Literal["card", "card-or-code", "card-and-code"]
"""What a reader wants: a card; either of both; a card and then its owner's code."""
BETWEEN_MS: Final = 10_000
"""How long a begun code, or a card, waits for the next key."""
_MOST_DIGITS: Final = 12
_CLEAR: Final = b"\x7f*"
_END: Final = b"\r#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What somebody showed. `complete` is False for a card that no code followed, or a code without its card."""

    card: Card | None = None
    code: str | None = None
    complete: bool = True

    def __repr__(self) -> str:
        """Without the digits: this may get into a log."""
        return f"Shown(card={self.card!r}, code={'…' if self.code is not None else None}, complete={self.complete})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad:
    """The digits so far, and the card that waits. It lives in RAM only."""

    digits: str = ""
    card: Card | None = None
    until_ms: int = 0

    @property
    def due_ms(self) -> int | None:
        """When `elapsed` must be called; None when nothing waits."""
        return self.until_ms if self.digits or self.card is not None else None

    def __repr__(self) -> str:
        """Without the digits."""
        return f"Pad({len(self.digits)} digits, card={self.card is not None})"


Result = tuple[Pad, list[Shown]]


def shown_card(pad: Pad, card: Card, entry: Entry, now_ms: int) -> Result:
    """A card came. Where a code belongs to it, it waits; another one that waited was incomplete."""
    if entry != "card-and-code":
        return Pad(), [Shown(card=card)]
    before = [] if pad.card in (None, card) else [Shown(card=pad.card, complete=False)]
    return Pad(card=card, until_ms=now_ms + BETWEEN_MS), before


def pressed(pad: Pad, keys: bytes, entry: Entry, now_ms: int) -> Result:
    """Keys came, one or several. Where no code is wanted they are nothing."""
    if entry == "card":
        return Pad(), []
    pad, told = elapsed(pad, now_ms)
    for key in keys:
        if key in _END:
            if pad.digits:
                complete = entry == "card-or-code" or pad.card is not None
                told.append(Shown(card=pad.card, code=pad.digits, complete=complete))
                pad = Pad()
        elif key in _CLEAR:
            pad = replace(pad, digits="", until_ms=now_ms + BETWEEN_MS)
        elif chr(key).isdecimal():
            # What is longer than any code stays a wrong one.
            digits = (pad.digits + chr(key))[: _MOST_DIGITS + 1]
            pad = replace(pad, digits=digits, until_ms=now_ms + BETWEEN_MS)
    return pad, told


def elapsed(pad: Pad, now_ms: int) -> Result:
    """Time went by: a begun code is forgotten, a card without its code was incomplete."""
    if pad.due_ms is None or now_ms < pad.due_ms:
        return pad, []
    return Pad(), [] if pad.card is None else [Shown(card=pad.card, complete=False)]
