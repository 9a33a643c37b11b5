"""The named statements of an ``.sql`` file beside the code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files


@cache
def text(package: str, file: str) -> str:
    """The SQL text `file` of `package`."""
    return files(package).joinpath(file).read_text("utf-8")


@cache
def statements(package: str, file: str) -> Mapping[str, str]:
    """The statements of `file` by the name in the ``-- name:`` line above each."""
    parts = re.split(r"^-- name: (\w+)\n", text(package, file), flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))
