"""What is wrong with values from outside, as a code and its parameters: pydantic's own words are English only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

KINDS: Final[Mapping[str, str]] = {
    "missing": "missing",
    "extra_forbidden": "spare",
    "json_invalid": "json",
    "string_type": "text",
    "string_too_short": "text-short",
    "string_too_long": "text-long",
    "string_pattern_mismatch": "pattern",
    "int_type": "integer",
    "int_parsing": "integer",
    "int_parsing_size": "integer",
    "int_from_float": "integer",
    "float_type": "number",
    "float_parsing": "number",
    "finite_number": "number",
    "bool_type": "boolean",
    "bool_parsing": "boolean",
    "greater_than": "low-beyond",
    "greater_than_equal": "low",
    "less_than": "high-beyond",
    "less_than_equal": "high",
    "literal_error": "choice",
    "enum": "choice",
    "union_tag_invalid": "choice",
    "uuid_type": "uuid",
    "uuid_parsing": "uuid",
    "date_type": "date",
    "date_parsing": "date",
    "date_from_datetime_parsing": "date",
    "date_from_datetime_inexact": "date",
    "datetime_type": "time",
    "datetime_parsing": "time",
    "datetime_from_date_parsing": "time",
    "list_type": "list",
    "tuple_type": "list",
    "too_short": "list-short",
    "too_long": "list-long",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
}
"""Pydantic's types of errors, and the sentences ``cloud.invalid.…`` that stand for them."""
_LIMITS: Final = {"min_length": "least", "max_length": "most", "ge": "least", "le": "most", "gt": "least", "lt": "most"}
_QUOTED: Final = re.compile(r"'([^']*)'")


def told(fault: Mapping[str, Any]) -> tuple[str, dict[str, object]]:
    """The code and parameters of one of pydantic's error details; what is rare keeps its English words in `why`."""
    at, kind, context = _place(fault["loc"]), fault["type"], fault.get("ctx", {})
    if "." in kind:  # a validator of our own, which names its sentence
        return kind, {"at": at, **{name: value for name, value in context.items() if name != "why"}}
    if kind in ("too_short", "too_long") and isinstance(fault.get("input"), str):
        kind = f"string_{kind}"
    if kind not in KINDS:
        return "cloud.request.invalid", {"at": at, "why": fault["msg"]}
    params: dict[str, object] = {"at": at}
    params |= {_LIMITS[name]: value for name, value in context.items() if name in _LIMITS}
    if "pattern" in context:
        params["pattern"] = context["pattern"]
    allowed = context.get("expected", context.get("expected_tags"))
    if allowed is not None:
        params["choices"] = ", ".join(_QUOTED.findall(str(allowed))) or str(allowed)
    return f"cloud.invalid.{KINDS[kind]}", params


def _place(where: Sequence[int | str]) -> str:
    """The path of the value; a body as a whole is `body`."""
    return ".".join(str(part) for part in where if part != "body") or "body"
