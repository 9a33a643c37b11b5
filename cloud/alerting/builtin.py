"""The rules that come with the program (``rules.toml``)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from protocols.rules import Rule


@cache
def builtin_rules() -> tuple[Rule, ...]:
    """All of them. Raises pydantic.ValidationError when the file is not what it must be."""
    text = (files("cloud.alerting") / "rules.toml").read_text("utf-8")
    return tuple(Rule.model_validate(table) for table in tomllib.loads(text)["rule"])
