"""The handover sheet: what hangs where, of which type, and when it was tested; HTML for the printer."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from edge.commissioning.known import KnownPlaces
from edge.commissioning.photos import Photos
from edge.config import EdgeConfig
from protocols.messages import Language, catalogue, sentence

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What the agent said (`edge.commissioning.desk`), and where its gateway is."""

    config: EdgeConfig
    found: Mapping[str, Any]
    places: KnownPlaces
    photos: Photos

    @property
    def rows(self) -> Sequence[Row]:
        """The devices, by place."""
        return sorted(self.found["devices"], key=lambda row: (row["place"] == "", row["place"], row["id"]))


def document(sheet: Sheet, language: Language) -> str:
    """One file that needs nothing else: style and photos are inside."""
    style = (files("edge.commissioning") / "sheet.css").read_text("utf-8")
    return render(sheet, language, f"<style>\n{style}</style>", lambda device: _inside(sheet.photos, device))


def render(sheet: Sheet, language: Language, style: str, photo: Callable[[str], str]) -> str:
    """The sheet; `style` is markup for its head, `photo` gives the address of a device's photo, or nothing."""

    def say(key: str, **values: object) -> str:
        return escape(sentence(f"edge.sheet.{key}", values, language))

    gateway = sheet.config.gateway
    zone = ZoneInfo(gateway.timezone)
    rows = sheet.rows
    tested = sum(row["stage"] == "tested" for row in rows)
    unplaced = sum(row["stage"] == "unplaced" for row in rows)
    heads = "".join(
        f"<th>{say(key)}</th>" for key in ("number", "place", "device", "type", "firmware", "state", "test")
    )
    body = "".join(_row(n, row, sheet, language, zone, photo) for n, row in enumerate(rows, 1))
    open_text = f'<p class="open">{say("unplaced", count=unplaced)}</p>' if unplaced else ""
    signs = "".join(f"<div><p>{say(who)}</p><p>{say('signature')}</p><p>{say('date')}</p></div>" for who in _WHO)
    return f"""<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{say("title")} {escape(gateway.group)}/{escape(gateway.node)}</title>
{style}
</head>
<body class="sheet">
<header>
<h1>{say("title")}</h1>
<dl>
<dt>{say("gateway")}</dt><dd>{escape(gateway.name)} <code>{escape(gateway.group)}/{escape(gateway.node)}</code></dd>
<dt>{say("software")}</dt><dd>liandong {escape(str(sheet.found["version"]))}</dd>
<dt>{say("made")}</dt><dd>{_when(sheet.found["at_ms"], zone)} ({escape(gateway.timezone)})</dd>
<dt>{say("devices")}</dt><dd>{say("counted", count=len(rows), tested=tested)}</dd>
</dl>
{open_text}
</header>
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{body}</tbody>
</table>
<section class="signs">{signs}</section>
<footer>{say("note")}</footer>
</body>
</html>
"""


_WHO = ("given-by", "taken-by")


def type_name(code: str, language: Language) -> str:
    """A device type in words; its code when there are none."""
    return catalogue("edge", language).get(f"edge.type.{code}", code)


def what_was_heard(what: str, language: Language) -> str:
    """A trigger in words; its code when there are none."""
    known = catalogue("edge", language)
    return known.get(f"edge.state.{what}.on") or known.get(f"edge.trigger.{what}", what)


def _row(number: int, row: Row, sheet: Sheet, language: Language, zone: ZoneInfo, photo: Callable[[str], str]) -> str:
    def say(key: str, **values: object) -> str:
        return escape(sentence(f"edge.sheet.{key}", values, language))

    proof = row["tested"]
    test = say("untested")
    if proof is not None and row["stage"] == "tested":
        test = say("passed", at=_when(proof["at_ms"], zone), what=what_was_heard(proof["what"], language))
    state = {True: "online", False: "offline", None: "unheard"}[row["online"]]
    kind, address = escape(type_name(row["type"], language)), photo(row["id"])
    picture = f'<img src="{escape(address)}" alt="{say("photo", device=row["id"])}">' if address else ""
    where = escape(row["place"]) or say("nowhere")
    line = escape(sheet.places.name(row["place"], language))
    return (
        f'<tr class="{row["stage"]}"><td>{number}</td><td><b>{where}</b> {line}{picture}</td>'
        f"<td>{escape(row['name'])} <code>{escape(row['id'])}</code></td><td>{kind}</td>"
        f"<td>{escape(row['firmware'] or '–')}</td><td>{say(state)}</td><td>{test}</td></tr>\n"
    )


def _when(at_ms: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone):%Y-%m-%d %H:%M}"


def _inside(photos: Photos, device: str) -> str:
    found = photos.find(device)
    return "" if found is None else f"data:{found[0]};base64,{base64.b64encode(found[1]).decode()}"
