"""How to break each rule of a metric, its content, and a STATE: one spoiled script per case."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.monitor import Rule, content, rules
from tests.unit.sparkplug.monitored import NOW, Step, on, script, template
from tests.unit.sparkplug.planted import Case, Spoil, become, clear_metric, inside, set_metric


def state(name: str, **fields: Any) -> Spoil:
    return on(name, lambda step: setattr(step, "data", json.dumps(fields).encode()))


def metrics_and_states() -> Iterator[Case]:
    yield rules.NAMELESS, on("dbirth", lambda step: step.raw.metrics.append(_nameless()))
    yield rules.NAMELESS, on("ddata", lambda step: step.raw.metrics[0].ClearField("alias"))
    yield rules.ALIAS_ONLY_BIRTH, on("dbirth", clear_metric("Table", "name"))
    yield rules.ALIAS_ONLY_BIRTH, on("dbirth", clear_metric("Table", "alias"))
    yield rules.ALIAS_TWICE, on("dbirth", set_metric("Table", alias=2))
    yield rules.NAME_IN_DATA, on("ddata", lambda step: setattr(step.raw.metrics[0], "name", "Energy"))
    yield rules.NAME_IN_DATA, on("ddata", _by_name)
    yield rules.METRIC_TIME, on("ddata", lambda step: step.raw.metrics[0].ClearField("timestamp"))
    yield rules.METRIC_TIME, on("nbirth", clear_metric("CPU", "timestamp"))
    yield rules.METRIC_UTC, on("ddata", lambda step: setattr(step.raw.metrics[1], "timestamp", NOW // 1000))
    yield rules.METRIC_UTC, on("ddata", lambda step: setattr(step.raw.metrics[1], "timestamp", NOW + 3_600_000))
    yield rules.TYPE_UNKNOWN, on("dbirth", set_metric("Table", datatype=99))
    yield rules.TYPE_IN_DATA, on("ddata", lambda step: setattr(step.raw.metrics[0], "datatype", DataType.INT32))
    yield rules.NAMES_DIFFER_IN_CASE, on("dbirth", set_metric("Table", name="ENERGY"))
    yield rules.STATE_SHAPE, on("online", become(data=b"ONLINE"))
    yield rules.STATE_SHAPE, state("online", online="true", timestamp=NOW)
    yield rules.STATE_ONLINE, state("online", online=True, timestamp=NOW // 1000)
    yield rules.STATE_ONLINE, state("online", online=True, timestamp=str(NOW))
    yield rules.STATE_OFFLINE, state("offline", online=False)
    yield rules.STATE_QOS[True], on("online", become(qos=0))
    yield rules.STATE_QOS[False], on("offline", become(qos=0))


def _nameless() -> Any:
    metric = script()[2].metric("Energy")
    metric.ClearField("name")
    metric.ClearField("alias")
    return metric


def _by_name(step: Step) -> None:
    for metric in list(step.raw.metrics)[1:]:
        step.raw.metrics.remove(metric)
    step.raw.metrics[0].ClearField("alias")
    step.raw.metrics[0].name = "Energy"


def contents() -> Iterator[Case]:
    c = content
    born: list[tuple[Rule, str, str, Callable[[Any], object]]] = [
        (c.PROPERTY_COUNT, "dbirth", "Energy", lambda m: m.properties.keys.append("more")),
        (c.PROPERTY_TYPE, "dbirth", "Energy", lambda m: setattr(m.properties.values[1], "type", 16)),
        (c.PROPERTY_TYPE_ABSENT, "dbirth", "Energy", lambda m: m.properties.values[1].ClearField("type")),
        (c.QUALITY_TYPE, "dbirth", "Energy", lambda m: setattr(m.properties.values[0], "type", DataType.INT64)),
        (c.QUALITY_VALUE, "dbirth", "Energy", lambda m: setattr(m.properties.values[0], "int_value", 191)),
        (c.QUALITY_VALUE, "dbirth", "Energy", lambda m: setattr(m.properties.values[0], "long_value", 192)),
        (c.COLUMNS, "dbirth", "Table", lambda m: setattr(m.dataset_value, "num_of_columns", 3)),
        (c.COLUMN_TYPES, "dbirth", "Table", lambda m: m.dataset_value.types.pop()),
        (c.COLUMN_TYPES_ABSENT, "dbirth", "Table", lambda m: m.dataset_value.ClearField("types")),
        (c.COLUMN_TYPE, "dbirth", "Table", lambda m: m.dataset_value.types.__setitem__(0, DataType.DATASET)),
        (c.CELL, "dbirth", "Table", lambda m: m.dataset_value.rows[0].elements[0].extension_value.SetInParent()),
    ]
    templates: list[tuple[Rule, str, str, Callable[[Any], object]]] = [
        (c.UNDEFINED, "dbirth", "Pump 1", lambda t: setattr(t, "template_ref", "Fan")),
        (c.UNDECIDED, "dbirth", "Pump 1", lambda t: t.ClearField("is_definition")),
        (c.DEFINITION_WITH_REF, "nbirth", "Pump", lambda t: setattr(t, "template_ref", "Pump")),
        (c.INSTANCE_WITHOUT_REF, "dbirth", "Pump 1", lambda t: t.ClearField("template_ref")),
        (c.MEMBERS_UNKNOWN, "dbirth", "Pump 1", lambda t: t.metrics.add(name="Heat")),
        (c.MEMBERS_MISSING, "dbirth", "Pump 1", lambda t: t.metrics.pop()),
        (c.PARAMETER_UNKNOWN, "dbirth", "Pump 1", lambda t: t.parameters.add(name="Colour", type=DataType.STRING)),
        (c.PARAMETER_NAMELESS, "dbirth", "Pump 1", lambda t: t.parameters[0].ClearField("name")),
        (c.PARAMETER_TYPE, "dbirth", "Pump 1", lambda t: setattr(t.parameters[0], "type", DataType.TEMPLATE)),
        (c.PARAMETER_TYPE_ABSENT, "nbirth", "Pump", lambda t: t.parameters[0].ClearField("type")),
        (c.PARAMETER_VALUE, "dbirth", "Pump 1", lambda t: t.parameters[0].extension_value.SetInParent()),
    ]
    for rule, step, metric, change in born:
        yield rule, on(step, inside(metric, change))
    for rule, step, metric, change in templates:
        yield rule, on(step, lambda found, m=metric, change=change: change(template(found, m)))  # type: ignore[misc]
    yield c.DEFINITION_ELSEWHERE, on("dbirth", _definition_of_a_device)
    for rule, text in ((c.REF_TEXT, b"Pump"), (c.VERSION_TEXT, b"v12"), (c.PARAMETER_NAME_TEXT, b"Size")):
        yield rule, on("dbirth again", lambda step, text=text: _no_utf8(step, text))  # type: ignore[misc]


def _definition_of_a_device(step: Step) -> None:
    made = template(step, "Pump 1")
    made.is_definition = True
    made.ClearField("template_ref")


def _no_utf8(step: Step, text: bytes) -> None:
    """Protobuf itself refuses to write what is no text, so the bytes are changed."""
    template(step, "Pump 1").version = "v12"
    whole = step.raw.SerializeToString()
    marked = bytes([len(text)]) + text
    place = whole.rindex(marked) if text == b"Pump" else whole.index(marked)
    step.data = whole[: place + 1] + b"\xff" + whole[place + 2 :]
