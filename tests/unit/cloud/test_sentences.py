"""Every code that the cloud can say has a sentence, in both languages, with the same names to fill in."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest

from cloud import faults
from cloud.alerting.builtin import builtin_rules
from cloud.dispatch.ranking import HELPS
from cloud.domain.policy import builtin
from protocols.access.cardholders import Reason
from protocols.catalog import DEVICE_TYPES, EVENT_KINDS, NODE_TYPE
from protocols.messages import LANGUAGES, Language, catalogue

CLOUD = Path(str(files("cloud")))
SOURCES = {path: path.read_text("utf-8") for path in CLOUD.rglob("*.py")}


def _raised() -> set[str]:
    return {
        code
        for text in SOURCES.values()
        for code in re.findall(r"(?:Error|refuse|_fault)\(\s*\"(cloud\.[a-z0-9.-]+)\"", text)
    }


def _noted() -> set[str]:
    loop = [text for path, text in SOURCES.items() if path.parent.name == "loop"]
    found = {kind for text in loop for kind in re.findall(r"\.note\([a-z_.]+, (?:kind=)?\"([a-z-]+)\"", text)}
    # Two notes take their kind from what happened.
    return found | {"accepted", "accepted-late", "on-the-way", "on-scene", "done", "released", "no-movement"}


def _named() -> set[str]:
    types = [*DEVICE_TYPES.values(), NODE_TYPE]
    return {
        *(f"cloud.rule.{rule.code}" for rule in builtin_rules()),
        *(f"cloud.metric.{metric.name}" for row in types for metric in row.metrics),
        *(f"cloud.event.{kind}" for kind in EVENT_KINDS),
        *(f"cloud.device-type.{row.code}" for row in types),
        *(f"cloud.access-reason.{reason}" for reason in get_args(Reason)),
        *(f"cloud.task.{policy.task}" for policy in builtin().response.values()),
        *(f"cloud.response.{response}" for response in builtin().response),
        *(f"cloud.skill.{skill}" for skills in HELPS.values() for skill in skills),
        *(f"cloud.timeline.{kind}" for kind in _noted()),
        *(f"cloud.invalid.{kind}" for kind in faults.KINDS.values()),
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_its_sentence(language: Language) -> None:
    raised = _raised()
    assert "cloud.incident.not-now" in raised  # the search finds something
    missing = (raised | _named()) - set(catalogue("cloud", language))
    assert sorted(missing) == []


def test_both_languages_fill_in_the_same_names() -> None:
    chinese, english = (catalogue("cloud", language) for language in LANGUAGES)
    assert set(chinese) == set(english)
    for code, sentence in english.items():
        assert set(re.findall(r"\{(\w+)\}", sentence)) == set(re.findall(r"\{(\w+)\}", chinese[code])), code
