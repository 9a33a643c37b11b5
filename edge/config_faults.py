"""From a validation fault to a ConfigError that names key, value and what is allowed, as a code with parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from protocols.errors import ConfigError

_BOUNDS: Final = {
    "greater_than": (">", "gt"),
    "greater_than_equal": ("≥", "ge"),
    "less_than": ("<", "lt"),
    "less_than_equal": ("≤", "le"),
    "multiple_of": ("n ×", "multiple_of"),
}
_KINDS: Final = ("string", "int", "float", "bool", "list", "tuple", "dict", "path", "model")


def suggestion(word: str, allowed: Iterable[str]) -> str:
    """The allowed word that `word` was probably meant to be; empty when none is close."""
    from difflib import get_close_matches  # costs memory, which an agent whose configuration is right may keep

    return next(iter(get_close_matches(word, list(allowed), n=1, cutoff=0.6)), "")


def config_error(
    error: ValidationError, model: type[BaseModel], data: object, source: Path, at: tuple[str | int, ...]
) -> ConfigError:
    """The first fault of `error`, found when `data` (which stands at `at` in the file `source`) was read as `model`."""
    fault = _most_telling(error)
    kind, context = fault["type"], fault.get("ctx", {})
    path, value = _in_data(fault["loc"], data), fault["input"]
    if kind == "union_tag_invalid":
        tag = str(context["discriminator"]).strip("'")
        path, value = (*path, tag), context["tag"]
    params: dict[str, object] = {"file": source, "key": _dotted((*at, *path)), "value": _shown(value)}
    if kind == "extra_forbidden":
        fields = _fields_at(model, path[:-1], data)
        near = suggestion(str(path[-1]), fields)
        code = "unknown-key-near" if near else "unknown-key"
        return ConfigError(f"edge.config.{code}", **params, hint=near, allowed=", ".join(fields))
    if kind == "missing":
        return ConfigError("edge.config.missing", **params)
    if kind in _BOUNDS:
        sign, name = _BOUNDS[kind]
        return ConfigError("edge.config.out-of-bounds", **params, allowed=f"{sign} {context[name]}")
    if kind in ("literal_error", "union_tag_invalid"):
        allowed = context.get("expected") or context.get("expected_tags")
        return ConfigError("edge.config.not-allowed", **params, allowed=allowed, hint="")
    if kind == "string_pattern_mismatch":
        return ConfigError("edge.config.pattern", **params, allowed=context["pattern"])
    if (wanted := kind.partition("_")[0]) in _KINDS and kind.endswith(("_type", "_parsing", "_from_float")):
        return ConfigError(f"edge.config.needs-{wanted}", **params)
    return ConfigError("edge.config.value", **params, why=fault["msg"])


def _most_telling(error: ValidationError) -> ErrorDetails:
    """The first fault; but a key that is not known explains one that is missing (it is misspelt)."""
    faults = error.errors(include_url=False)
    unknown = (fault for fault in faults if fault["type"] == "extra_forbidden")
    return next(unknown, faults[0]) if faults[0]["type"] == "missing" else faults[0]


def _in_data(loc: Sequence[str | int], data: object) -> tuple[str | int, ...]:
    """`loc` without the segments that pydantic adds for the member of a union: only what stands in the file."""
    path: list[str | int] = []
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(data, dict) and (part in data or last):
            data = data.get(part)
        elif isinstance(data, list | tuple) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            continue
        path.append(part)
    return tuple(path)


def _dotted(path: Sequence[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _fields_at(model: type[BaseModel], path: Sequence[str | int], data: object) -> list[str]:
    """The keys that the table at `path` below `model` may have."""
    models = [model]
    for part in path:
        data = data[part] if isinstance(data, dict | list | tuple) else None  # type: ignore[index]
        if isinstance(part, int):
            continue
        fields = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        models = [found for annotation in fields for found in _models_in(annotation)]
    tag = data.get("type") if isinstance(data, dict) else None
    tagged = [m for m in models if "type" in m.model_fields and m.model_fields["type"].default == tag]
    return sorted({name for m in tagged or models for name in m.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and get_origin(annotation) is None:
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, Annotated, list, tuple, dict):
        return [found for argument in get_args(annotation) for found in _models_in(argument)]
    return []
