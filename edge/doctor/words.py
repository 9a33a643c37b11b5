"""A check and a device's last values as sentences in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from edge.doctor.checks import Check, Diagnosis, exit_code
from edge.status import said, shown
from protocols.catalog import DEVICE_TYPES, MetricSpec
from protocols.errors import LiandongError
from protocols.messages import Language, catalogue, sentence

_MOST: Final = 6
"""Values of one device that are put into its sentence; `--json` has all."""


def title(check: Check, language: Language) -> str:
    """What was looked at, in a few words; a device by its own name."""
    kind, _, name = check.name.partition("/")
    return name if kind == "device" else sentence(f"edge.doctor.name-{kind}", {"name": name}, language).strip()


def told(check: Check, language: Language) -> str:
    """What is the matter."""
    words = dict(check.data)
    if "values" in words:
        words["last"] = values(str(words["type"]), words["values"], language)
    text = said(check.code, words, language)
    where = words.get("where")
    return sentence("edge.doctor.at", {"where": where, "said": text}, language) if where else text


def advice(check: Check, language: Language) -> str:
    """What to do; empty when there is nothing, or `told` says it."""
    return sentence(check.todo, check.data, language) if check.todo else ""


def values(type_code: str, found: Mapping[str, Any], language: Language) -> str:
    """``closed, temperature 4.1 °C``: what a device of this type showed last. What is as it should be is left out."""
    kind = DEVICE_TYPES.get(type_code)
    specs = {} if kind is None else {metric.name: metric for metric in kind.metrics}
    parts = [_value(specs.get(name), name, one, language) for name, one in found.items()]
    found_words = [part for part in parts if part][:_MOST]
    return sentence("edge.doctor.comma", {}, language).join(found_words) or sentence(
        "edge.doctor.nothing-yet", {}, language
    )


def _value(spec: MetricSpec | None, name: str, one: Mapping[str, Any], language: Language) -> str:
    value = one["value"]
    if isinstance(value, bool):
        code = f"edge.state.{name}.{'on' if value else 'off'}"
        return catalogue("edge", language).get(code, f"{name} {str(value).lower()}")
    label = catalogue("edge", language).get(f"edge.metric.{name}", name)
    if value is None:
        return sentence("edge.doctor.no-value", {"metric": label}, language)
    text = f"{label} {shown(value, spec.unit if spec is not None else '')}"
    return text if one.get("quality", "good") == "good" else sentence("edge.doctor.doubtful", {"value": text}, language)


def document(diagnosis: Diagnosis, language: Language) -> dict[str, Any]:
    """The whole as plain JSON."""
    return {
        "grade": diagnosis.grade.word,
        "exit": exit_code(diagnosis),
        "gateway": {"group": diagnosis.group, "node": diagnosis.node, "name": diagnosis.name},
        "at_ms": diagnosis.at_ms,
        "running": diagnosis.running,
        "checks": [
            {
                "name": check.name,
                "grade": check.grade.word,
                "code": check.code,
                "sentence": told(check, language),
                "todo": advice(check, language),
                "data": dict(check.data),
            }
            for check in diagnosis.checks
        ],
    }


def cause(error: LiandongError) -> dict[str, Any]:
    """An error as a part of a check's data, to be said in any language."""
    return {"code": error.code, "params": error.texts()}
