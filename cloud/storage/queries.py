"""Named SQL: ``queries/<file>.sql`` holds statements, each under a line ``-- name: what it is for``."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString

_NAME = re.compile(r"^-- (?P<name>[a-z][a-z0-9_]*): .+$", re.MULTILINE)


@cache
def load(file: str) -> dict[str, LiteralString]:
    """The statements of ``queries/<file>.sql`` by name. Raises ValueError for a name that stands twice."""
    text = (files("cloud.storage") / "queries" / f"{file}.sql").read_text("utf-8")
    heads = list(_NAME.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    found: dict[str, LiteralString] = {}
    for head, end in zip(heads, ends, strict=True):
        name = head["name"]
        if name in found:
            raise ValueError(f"queries/{file}.sql names {name} twice")
        found[name] = text[head.end() : end].strip()
    return found
