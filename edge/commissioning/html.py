"""The pages of commissioning, for a phone. The one script only makes photos small and looks for triggers again."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote

from edge.commissioning.known import KnownPlaces
from edge.commissioning.sheet import type_name, what_was_heard
from edge.config import EdgeConfig
from protocols.commissioning import MAX_MINUTES, MAX_NAME
from protocols.messages import Language, sentence

Row = Mapping[str, Any]
MARKS = {"unplaced": "○", "placed": "◐", "tested": "●"}


def say(language: Language, key: str, **values: object) -> str:
    """A sentence of these pages, escaped."""
    return escape(sentence(f"edge.commission.{key}", values, language))


def frame(title: str, body: str, language: Language, *, again_s: int = 0) -> str:
    """A whole page; with `again_s` it is loaded again after so many seconds."""
    again = f'<meta http-equiv="refresh" content="{again_s}">' if again_s else ""
    return f"""<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{again}<title>{title}</title>
<link rel="stylesheet" href="/style.css">
<link rel="stylesheet" href="/commission.css">
<script type="module" src="/commission.js"></script>
</head>
<body>
{body}
</body>
</html>
"""


def door(language: Language, *, shut: bool, wrong: bool) -> str:
    """Where the code is asked for."""
    title = say(language, "title")
    fault = f'<p class="fault" role="alert">{say(language, "shut" if shut else "wrong-code")}</p>' if wrong else ""
    form = (
        ""
        if shut
        else f"""<form method="post" action="/enter">
<label>{say(language, "code")}
<input name="code" autocomplete="one-time-code" autocapitalize="characters" required maxlength="20"></label>
<button>{say(language, "enter")}</button>
</form>"""
    )
    closed = f"<p>{say(language, 'shut')}</p>" if shut and not wrong else ""
    return frame(title, f"<header><h1>{title}</h1></header><main>{fault}{closed}{form}</main>", language)


def overview(config: EdgeConfig, found: Row, places: KnownPlaces, language: Language) -> str:
    """All devices, how far each has come, and what is next."""
    devices = found["devices"]
    count = sum(row["stage"] != "unplaced" for row in devices)
    gateway = config.gateway
    title = escape(gateway.name or gateway.node)
    following = next((row["id"] for row in devices if row["stage"] == "unplaced"), None)
    onward = _button_link(f"/device?name={_q(following)}", say(language, "next", device=following)) if following else ""
    rows = "".join(_line(row, places, language) for row in devices)
    return frame(
        title,
        f"""<header><p class="who">{say(language, "title")} {escape(gateway.group)}/{escape(gateway.node)}</p>
<h1>{title}</h1>
<p class="verdict">{say(language, "progress", placed=count, all=len(devices))}</p>
<progress max="{len(devices)}" value="{count}"></progress></header>
<main>{onward}<ul>{rows}</ul></main>
<footer>{_button_link("/walk", say(language, "walk"))}{_button_link("/handover", say(language, "sheet"))}
<form method="post" action="/language"><button class="plain">{"English" if language == "zh-CN" else "中文"}</button>
</form></footer>""",
        language,
    )


def device(row: Row, found: Row, places: KnownPlaces, language: Language, *, photo: bool, said: str) -> str:
    """One device: find it, say where it hangs, take its photo."""
    name, here = row["id"], _q(row["id"])
    title = escape(row["name"] or name)
    told = f'<p class="told" role="status">{say(language, f"said-{said}", device=name)}</p>' if said in _SAID else ""
    signal = (
        f'<form method="post" action="/identify?name={here}">'
        f'<button class="plain">{say(language, "signal")}</button></form>'
        if row["signals"]
        else ""
    )
    options = "".join(
        f'<option value="{escape(place)}">{escape(places.name(place, language))}</option>' for place in places.listed()
    )
    picture = f'<img src="/photo?name={here}" alt="">' if photo else ""
    ids = [one["id"] for one in found["devices"] if one["stage"] == "unplaced" and one["id"] != name]
    onward = _button_link(f"/device?name={_q(ids[0])}", say(language, "next", device=ids[0])) if ids else ""
    return frame(
        title,
        f"""<header><p class="who"><a href="/">← {say(language, "all")}</a></p>
<h1>{MARKS[row["stage"]]} {title}</h1>
<p class="when">{escape(type_name(row["type"], language))} · <code>{escape(name)}</code>
 · {_presence(row, language)}</p></header>
<main>{told}
<section><h2>{say(language, "find")}</h2>{signal}
<p class="trigger" data-again="/triggers?name={here}">{_trigger(row, language)}</p></section>
<section><h2>{say(language, "where")}</h2>
<form method="post" action="/place?name={here}">
<label>{say(language, "place")}<input name="place" list="places" value="{escape(row["place"])}" required maxlength="200"
 autocapitalize="none" autocomplete="off"></label>
<datalist id="places">{options}</datalist>
<label>{say(language, "name")}
<input name="title" value="{escape(row["name"])}" maxlength="{MAX_NAME}" autocomplete="off"></label>
<p class="todo">{say(language, "place-hint")}</p>
<button>{say(language, "save")}</button></form></section>
<section><h2>{say(language, "photo")}</h2>{picture}
<label class="file">{say(language, "photo-take")}
<input type="file" accept="image/*" capture="environment" data-photo="/photo?name={here}"></label>
<p class="fault" role="alert" hidden>{say(language, "photo-failed")}</p>
<p class="todo">{say(language, "photo-hint")}</p></section>
{onward}</main>""",
        language,
    )


_SAID = ("placed", "signalled", "kept")


def trigger(row: Row | None, language: Language) -> str:
    """The line about the newest trigger alone, which the device's page asks for again."""
    return _trigger(row, language) if row is not None else ""


def walk(found: Row, language: Language) -> str:
    """The walk test: ask for it, see what was heard, end it."""
    title, state = say(language, "walk"), found["walk"]
    going = state is not None and state["state"] != "over"
    word = state["state"] if state is not None else "none"
    left = -(-state["left_s"] // 60) if state is not None else 0
    rows = "".join(
        f'<li class="{"well" if row["ticked"] else ""}"><span class="mark">{"✓" if row["ticked"] else "·"}</span>'
        f"<div><h3>{escape(row['name'] or row['id'])}</h3>"
        f"<p>{escape(row['place'])} {_proof(row, language)}</p></div></li>"
        for row in found["devices"]
    )
    form = (
        f'<form method="post" action="/stop"><button class="plain">{say(language, "walk-stop")}</button></form>'
        if going
        else f"""<form method="post" action="/walk"><label>{say(language, "walk-minutes")}
<input name="minutes" type="number" min="1" max="{MAX_MINUTES}" value="15" required></label>
<button>{say(language, "walk-ask")}</button></form>"""
    )
    known = sentence(f"edge.walk.{word}", {"minutes": left}, language)
    grade = {"running": "well", "unheard": "wrong", "asked": "attention"}.get(word, "")
    return frame(
        title,
        f"""<header><p class="who"><a href="/">← {say(language, "all")}</a></p><h1>{title}</h1>
<p class="verdict {grade}" role="status">{escape(known)}</p></header>
<main>{form}<ul>{rows}</ul></main>""",
        language,
        again_s=3 if going else 0,
    )


def failed(told: str, back: str, language: Language) -> str:
    """What could not be done, and the way back."""
    title = say(language, "failed")
    body = f'<p class="fault" role="alert">{escape(told)}</p>{_button_link(back, say(language, "back"))}'
    return frame(title, f"<header><h1>{title}</h1></header><main>{body}</main>", language)


def _line(row: Row, places: KnownPlaces, language: Language) -> str:
    where = escape(row["place"]) or say(language, "nowhere")
    line = escape(places.name(row["place"], language))
    stage = say(language, f"stage-{row['stage']}")
    said = f" · {stage}" if row["place"] else ""  # that there is none stands above
    return (
        f'<li class="{row["stage"]}"><span class="mark" role="img" aria-label="{stage}">{MARKS[row["stage"]]}</span>'
        f'<div><h3><a href="/device?name={_q(row["id"])}">{escape(row["name"] or row["id"])}</a></h3>'
        f'<p>{where} {line}</p><p class="todo">{escape(type_name(row["type"], language))} · {_presence(row, language)}'
        f"{said}</p></div></li>"
    )


def _presence(row: Row, language: Language) -> str:
    return say(language, {True: "online", False: "offline", None: "unheard"}[row["online"]])


def _trigger(row: Row, language: Language) -> str:
    found = row["trigger"]
    if found is None:
        return say(language, "no-trigger")
    return say(language, "triggered", what=what_was_heard(found["what"], language), number=found["number"])


def _proof(row: Row, language: Language) -> str:
    return escape(what_was_heard(row["tested"]["what"], language)) if row["ticked"] and row["tested"] else ""


def _button_link(address: str, text: str) -> str:
    return f'<a class="button" href="{escape(address)}">{text}</a>'


def _q(text: str) -> str:
    return quote(text, safe="")
