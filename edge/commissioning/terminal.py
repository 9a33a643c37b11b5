"""The walk through the devices in a terminal: find it, say where it hangs, name it, keep a photo; the next one.

Whatever was answered is kept at once, so that the walk can be broken off and goes on with what is left.
"""

from __future__ import annotations

import select
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TextIO

from edge.commissioning.known import KnownPlaces
from edge.commissioning.photos import MOST_BYTES, Photos
from edge.commissioning.sheet import type_name, what_was_heard
from edge.commissioning.site import Ask
from protocols.commissioning import place_of
from protocols.errors import LiandongError, RefusedError
from protocols.messages import Language, sentence

MARKS: Final = {"unplaced": "○", "placed": "◐", "tested": "●"}
_LOOK_S: Final = 0.3
_TRIGGER_S: Final = 120.0

Row = Mapping[str, Any]


class Walker:
    """One walk. `heard` is where a person types, `told` where they read."""

    def __init__(
        self, ask: Ask, places: KnownPlaces, photos: Photos, language: Language, heard: TextIO, told: TextIO
    ) -> None:
        self._ask, self._places, self._photos = ask, places, photos
        self._language, self._heard, self._told = language, heard, told

    def list(self) -> None:
        """One line a device."""
        for row in self._ask({"ask": "commission"})["devices"]:
            self._line(row)

    def walk(self, *, everything: bool) -> bool:
        """Through the devices without a place, or through all; False when the person broke it off."""
        rows = self._ask({"ask": "commission"})["devices"]
        wanted = [row for row in rows if everything or row["stage"] == "unplaced"]
        if not wanted:
            self._say("commission.all-placed", all=len(rows))
        for number, row in enumerate(wanted, 1):
            self._print("")
            kind = type_name(row["type"], self._language)
            self._say("commission.device", number=number, all=len(wanted), device=row["id"], type=kind)
            if not (self._find(row) and self._place(row) and self._photo(row)):
                self._say("commission.broken-off")
                return False
        return True

    def _find(self, row: Row) -> bool:
        """Let it beep as often as it takes, or wait until somebody works it."""
        if row["signals"]:
            while (typed := self._read("commission.ask-signal")) == "b":
                try:
                    self._ask({"ask": "commission", "identify": row["id"]})
                    self._say("commission.said-signalled", device=row["id"])
                except LiandongError as error:
                    self._error(error)
            return typed is not None
        self._say("commission.ask-trigger", device=row["id"])
        before = row["trigger"]["number"] if row["trigger"] is not None else 0
        until = time.monotonic() + _TRIGGER_S
        while time.monotonic() < until:
            if self._typed(_LOOK_S):
                return self._heard.readline() != ""
            found = next(one for one in self._ask({"ask": "commission"})["devices"] if one["id"] == row["id"])[
                "trigger"
            ]
            if found is not None and found["number"] > before:
                self._say("commission.was-triggered", what=what_was_heard(found["what"], self._language))
                return True
        self._say("commission.untriggered")
        return True

    def _typed(self, within_s: float) -> bool:
        try:
            return bool(select.select([self._heard], [], [], within_s)[0])
        except (OSError, ValueError):  # no file that can be waited for: whatever it holds is there
            return True

    def _place(self, row: Row) -> bool:
        while True:
            typed = self._read("commission.ask-place", before=row["place"] or "-")
            if typed is None:
                return False
            if typed == "?":
                self._list_places()
                continue
            if typed == "s":
                return True
            typed = typed or row["place"]
            if not self._is_place(typed):
                continue
            name = self._read("commission.ask-name", before=row["name"] or "-")
            if name is None:
                return False
            try:
                wanted = {"device": row["id"], "place": typed, "name": name or row["name"]}
                self._ask({"ask": "commission", **wanted})
            except LiandongError as error:
                self._error(error)
                continue
            self._say("commission.said-placed", device=row["id"])
            return True

    def _list_places(self) -> None:
        for place in self._places.listed():
            self._print(f"  {place:<16} {self._places.name(place, self._language)}".rstrip())
        if not len(self._places):
            self._say("commission.no-list")

    def _is_place(self, typed: str) -> bool:
        """Whether it looks like a place; a person must confirm one that is not listed."""
        try:
            place = place_of(typed)
        except LiandongError as error:
            self._error(error)
            return False
        line = self._places.name(place, self._language)
        if line:
            self._print(f"  {line}")
        if not len(self._places) or place in self._places:
            return True
        self._say("commission.not-listed", place=place, near=", ".join(self._places.near(place)) or "-")
        return self._read("commission.ask-anyway") == "y"

    def _photo(self, row: Row) -> bool:
        while True:
            typed = self._read("commission.ask-photo")
            if not typed:
                return typed is not None
            try:
                self._photos.keep(row["id"], read_photo(Path(typed).expanduser()))
            except LiandongError as error:
                self._error(error)
                continue
            self._say("commission.said-kept", device=row["id"])
            return True

    def _line(self, row: Row) -> None:
        presence = sentence(f"edge.commission.{_PRESENCE[row['online']]}", {}, self._language)
        where = f"{row['place']} {self._places.name(row['place'], self._language)} {row['name']}"
        stage = sentence(f"edge.commission.stage-{row['stage']}", {}, self._language)
        kind = type_name(row["type"], self._language)
        self._print(f"{MARKS[row['stage']]} {row['id']:<20} {kind}, {presence}, {stage}  {where}".rstrip())

    def _read(self, key: str, **values: object) -> str | None:
        """What was typed at a prompt; None at the end of the input, or for ``q``."""
        self._told.write(sentence(f"edge.{key}", values, self._language) + " ")
        self._told.flush()
        line = self._heard.readline()
        typed = line.strip()
        return None if line == "" or typed == "q" else typed

    def _say(self, key: str, **values: object) -> None:
        self._print(sentence(f"edge.{key}", values, self._language))

    def _error(self, error: LiandongError) -> None:
        self._print(f"✗ {sentence(error.code, error.params, self._language)}")

    def _print(self, line: str) -> None:
        print(line, file=self._told, flush=True)


_PRESENCE: Final[Mapping[object, str]] = {True: "online", False: "offline", None: "unheard"}


def read_photo(path: Path) -> bytes:
    """The bytes of a photo's file. Raises RefusedError for one that cannot be read or is too large."""
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise RefusedError("edge.photo.too-large", size=size, limit=MOST_BYTES)
        return path.read_bytes()
    except OSError as error:
        raise RefusedError("edge.photo.unreadable", file=path, why=error.strerror or error) from error
