"""What people send and cannot be used: a sentence in both languages, none of it in pydantic's words."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud.faults import told
from cloud.registry.cardholders import Holder
from cloud.text import Text
from protocols.access.cardholders import Schedule
from protocols.messages import LANGUAGES, sentence


class Inner(BaseModel):
    pass


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: Annotated[Text, Field(min_length=2, max_length=4, pattern="^[a-z]+$")] = "ab"
    whole: Annotated[int, Field(ge=1, le=9)] = 1
    number: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.5
    truth: bool = True
    choice: Literal["x", "y"] = "x"
    identity: UUID | None = None
    day: date | None = None
    at: datetime | None = None
    several: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    inner: Inner | None = None


ODD: list[tuple[dict[str, Any], str, str]] = [
    ({"text": 1}, "text", "text must be text."),
    ({"text": "a"}, "text-short", "text is too short: at least 2 characters."),
    ({"text": "abcde"}, "text-long", "text is too long: at most 4 characters."),
    ({"text": "A B"}, "pattern", ""),
    ({"text": "a\0"}, "character", ""),
    ({"whole": "x"}, "integer", "whole must be a whole number."),
    ({"whole": 1.5}, "integer", ""),
    ({"whole": None}, "integer", ""),
    ({"whole": 0}, "low", "whole must be at least 1."),
    ({"whole": 10}, "high", "whole must be at most 9."),
    ({"number": "x"}, "number", ""),
    ({"number": float("inf")}, "number", ""),
    ({"number": 0}, "low-beyond", "number must be more than 0.0."),
    ({"number": 1}, "high-beyond", "number must be less than 1.0."),
    ({"truth": "perhaps"}, "boolean", ""),
    ({"truth": 3.5}, "boolean", ""),
    ({"choice": "z"}, "choice", "choice must be one of these: x, y."),
    ({"identity": "1"}, "uuid", ""),
    ({"identity": 1}, "uuid", ""),
    ({"day": "2026-13-01"}, "date", ""),
    ({"day": "2026-01-01T12:00:00Z"}, "date", ""),
    ({"at": "yesterday"}, "time", ""),
    ({"at": []}, "time", ""),
    ({"several": 1}, "list", ""),
    ({"several": []}, "list-short", ""),
    ({"several": [1, 2, 3]}, "list-long", "several has too many entries: at most 2."),
    ({"several": [1, "x"]}, "integer", "several.1 must be a whole number."),
    ({"inner": 1}, "object", ""),
    ({"more": 1}, "spare", "more is not known here: check how it is spelt."),
]


def _fault(model: type[BaseModel], value: Any) -> tuple[str, dict[str, object]]:
    with pytest.raises(ValidationError) as raised:
        model.model_validate(value)
    return told(raised.value.errors()[0])


@pytest.mark.parametrize(("given", "kind", "english"), ODD)
def test_what_is_wrong_is_told_in_both_languages(given: dict[str, Any], kind: str, english: str) -> None:
    code, params = _fault(Form, given)
    assert code == f"cloud.invalid.{kind}"
    for language in LANGUAGES:
        said = sentence(code, params, language)
        assert said != code
        assert "{" not in said
    assert sentence(code, params) == english or not english


@pytest.mark.parametrize(
    ("model", "value", "code"),
    [
        (Holder, {}, "cloud.invalid.missing"),
        (Holder, {"code": "a", "name": "\0"}, "cloud.invalid.character"),
        (Holder, {"code": "a", "valid_from": "2026-02-01", "valid_until": "2026-01-01"}, "cloud.invalid.days"),
        (Holder, {"code": "a", "cards": ["{x}"]}, "protocols.access.card-text"),
        (Schedule, {"mon": ["6-22"]}, "protocols.access.hours"),
    ],
)
def test_our_own_checks_name_their_sentence(model: type[BaseModel], value: Any, code: str) -> None:
    found, params = _fault(model, value)
    assert found == code
    for language in LANGUAGES:
        assert not sentence(found, params, language).startswith(code)


def test_what_is_rare_keeps_its_reason() -> None:
    code, params = told({"type": "bytes_too_long", "loc": ("body", "raw"), "msg": "Data should be short", "ctx": {}})
    assert (code, params) == ("cloud.request.invalid", {"at": "raw", "why": "Data should be short"})
    assert told({"type": "json_invalid", "loc": ("body", 3), "msg": ""})[0] == "cloud.invalid.json"
