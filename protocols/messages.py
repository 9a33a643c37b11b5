"""Sentences for codes, in both languages: ``<package>/locale/<language>.toml``.

A code's first segment names the package whose catalogue holds its sentence. Servers send codes and parameters;
whoever shows them to a person looks the sentence up here (or in the same catalogues sent to a page).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Literal

Language = Literal["en", "zh-CN"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh-CN", "en")


def flatten(table: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Nested TOML tables as ``{"a.b.c": "sentence"}``."""
    flat: dict[str, str] = {}
    for key, value in table.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, Mapping):
            flat |= flatten(value, name)
        else:
            flat[name] = str(value)
    return flat


@cache
def catalogue(package: str, language: Language) -> Mapping[str, str]:
    """All sentences of `package` in `language`, by full code (``edge.config.…``). Empty if the package has none."""
    path = files(package) / "locale" / f"{language}.toml"
    if not path.is_file():
        return {}
    return flatten(tomllib.loads(path.read_text("utf-8")), package)


class _Params(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def sentence(code: str, params: Mapping[str, object], language: Language = "en") -> str:
    """The sentence of `code` with `params` filled in; the bare code and its parameters when the catalogue lacks it."""
    package = code.partition(".")[0]
    try:
        template = catalogue(package, language).get(code)
    except ModuleNotFoundError:
        template = None
    if template is None:
        return f"{code} {dict(params)}" if params else code
    return template.format_map(_Params(params))
