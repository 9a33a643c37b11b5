"""The pages without a browser: every sentence exists in both languages, nothing breaks the content policy."""

from __future__ import annotations

import re
import string
import tomllib
from pathlib import Path

import pytest

from protocols.messages import LANGUAGES, flatten

UI = Path(__file__).parents[3] / "cloud" / "ui"
STATIC = UI / "static"
SCRIPTS = sorted((STATIC / "js").rglob("*.js"))
IMPORT = re.compile(r"(?:^import [^;]*from|\bimport\()\s*\"([^\"]+)\"", re.MULTILINE)
STATIC_IMPORT = re.compile(r"^(?:import|export) [^;]*?from\s*\"([^\"]+)\"", re.MULTILINE)
CHOICE = re.compile(r"[\"'`]((?:ui|cloud)\.[\w-]+(?:\.[\w-]+)*)(\.?)(\$\{)?[\"'`]?")
WORD = re.compile(r"\bword\(\s*\"([\w.-]+)\"")
MOST_LINES = 250


def sentences(package: Path, language: str) -> dict[str, str]:
    """The catalogue of a package, by code."""
    return flatten(tomllib.loads((package / "locale" / f"{language}.toml").read_text("utf-8")))


def catalogue(language: str) -> dict[str, str]:
    """What a page is given: the cloud's sentences and its own."""
    cloud = {f"cloud.{code}": text for code, text in sentences(UI.parent, language).items()}
    return cloud | sentences(UI, language)


def used() -> tuple[set[str], set[str]]:
    """Codes that the scripts name, and beginnings of codes that they complete while running."""
    codes: set[str] = set()
    beginnings: set[str] = set()
    for script in SCRIPTS:
        for code, dot, goes_on in CHOICE.findall(script.read_text("utf-8")):
            (beginnings if goes_on else codes).add(code + (dot if goes_on else ""))
        beginnings |= {f"{prefix}." for prefix in WORD.findall(script.read_text("utf-8"))}
    return codes - {beginning.rstrip(".") for beginning in beginnings}, beginnings


def imported(script: Path) -> set[Path]:
    """A module and everything that it imports, except what it imports only when it is needed."""
    wanted, seen = [script], set()
    while wanted:
        here = wanted.pop()
        seen.add(here)
        found = {(here.parent / target).resolve() for target in STATIC_IMPORT.findall(here.read_text("utf-8"))}
        wanted += sorted(found - seen)
    return seen


def fields(text: str) -> set[str]:
    """Names of the placeholders in a sentence."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_that_a_page_names_exists(language: str) -> None:
    known = catalogue(language)
    codes, beginnings = used()
    assert sorted(codes - known.keys()) == []
    assert [one for one in sorted(beginnings) if not any(code.startswith(one) for code in known)] == []


def test_every_sentence_of_the_pages_is_used() -> None:
    codes, beginnings = used()
    own = sentences(UI, "en")
    assert [code for code in own if code not in codes and not any(code.startswith(one) for one in beginnings)] == []


def test_both_languages_say_the_same_things() -> None:
    chinese, english = sentences(UI, "zh-CN"), sentences(UI, "en")
    assert chinese.keys() == english.keys()
    for code, text in chinese.items():
        assert fields(text) == fields(english[code]), code


@pytest.mark.parametrize("page", sorted(STATIC.glob("*.html")), ids=lambda page: page.name)
def test_pages_hold_no_inline_code_and_no_foreign_address(page: Path) -> None:
    text = page.read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"(?:src|href)=\"(?!/)", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_modules_are_small_and_import_files_beside(script: Path) -> None:
    text = script.read_text("utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    for target in IMPORT.findall(text):
        assert (script.parent / target).resolve().is_file(), target


def test_the_service_worker_keeps_everything_that_the_phone_loads() -> None:
    worker = (STATIC / "sw.js").read_text("utf-8")
    seen = imported(STATIC / "js" / "phone" / "main.js")
    missing = [script.name for script in seen if f'"{script.stem}"' not in worker and f'{script.name}"' not in worker]
    assert missing == []


@pytest.mark.parametrize("name", ["console", "phone", "in", "install"])
def test_pages_ask_for_all_their_modules_at_once(name: str) -> None:
    text = (STATIC / f"{name}.html").read_text("utf-8")
    entry = re.findall(r'<script type="module" src="/static/([^"]+)">', text)
    asked = re.findall(r'<link rel="modulepreload" href="/static/([^"]+)">', text)
    needed = sorted(path.relative_to(STATIC).as_posix() for path in imported(STATIC / entry[0]))
    assert asked == [path for path in needed if path != entry[0]]


def test_ids_of_actions_are_made_in_one_place() -> None:
    """`crypto.randomUUID` is missing where a page comes without TLS from another host; `actionId` does without."""
    makers = [script.name for script in SCRIPTS if "randomUUID" in script.read_text("utf-8")]
    assert makers == ["api.js"]
