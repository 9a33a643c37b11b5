"""What is inside of metrics: properties, DataSets and Templates (Sparkplug 3.0.0, chapter 6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from protocols.sparkplug import sparkplug_b_pb2 as pb
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.monitor.rules import Broken, Rule
from protocols.sparkplug.payload import QUALITY, RawMetric

_BASIC: Final = frozenset(range(DataType.INT8, DataType.TEXT + 1))
_PROPERTY: Final = _BASIC | {DataType.PROPERTY_SET, DataType.PROPERTY_SET_LIST}
_QUALITIES: Final = frozenset({0, 192, 500})

PROPERTY_COUNT: Final = Rule(("payloads-propertyset-keys-array-size", "payloads-propertyset-values-array-size"))
PROPERTY_TYPE: Final = Rule(("payloads-metric-propertyvalue-type-value", "payloads-metric-propertyvalue-type-type"))
PROPERTY_TYPE_ABSENT: Final = Rule(("payloads-metric-propertyvalue-type-req",))
QUALITY_TYPE: Final = Rule(("payloads-propertyset-quality-value-type",))
QUALITY_VALUE: Final = Rule(("payloads-propertyset-quality-value-value",))

COLUMNS: Final = Rule(("payloads-dataset-column-size",))
COLUMN_TYPES: Final = Rule(("payloads-dataset-column-num-headers", "payloads-dataset-types-num"))
COLUMN_TYPES_ABSENT: Final = Rule(("payloads-dataset-parameter-type-req",))
COLUMN_TYPE: Final = Rule(("payloads-dataset-types-value", "payloads-dataset-types-type", "payloads-dataset-types-def"))
CELL: Final = Rule(("payloads-template-dataset-value",))

DEFINITION_ELSEWHERE: Final = Rule(("payloads-template-definition-nbirth-only",))
UNDEFINED: Final = Rule(("payloads-template-definition-nbirth", "topics-nbirth-templates"))
UNDECIDED: Final = Rule(("payloads-template-is-definition",))
DEFINITION_WITH_REF: Final = Rule(
    (
        "payloads-template-definition-ref",
        "payloads-template-ref-definition",
        "payloads-template-instance-is-definition",
        "payloads-template-is-definition-instance",
    )
)
INSTANCE_WITHOUT_REF: Final = Rule(
    (
        "payloads-template-instance-ref",
        "payloads-template-ref-instance",
        "payloads-template-definition-is-definition",
        "payloads-template-is-definition-definition",
    )
)
REF_TEXT: Final = Rule(("payloads-template-ref-instance",))
VERSION_TEXT: Final = Rule(("payloads-template-version",))
MEMBERS_UNKNOWN: Final = Rule(("payloads-template-instance-members", "payloads-template-definition-members"))
MEMBERS_MISSING: Final = Rule(("payloads-template-instance-members-birth",))
PARAMETER_UNKNOWN: Final = Rule(("payloads-template-definition-parameters",))
PARAMETER_NAMELESS: Final = Rule(("payloads-template-parameter-name-required",))
PARAMETER_NAME_TEXT: Final = Rule(("payloads-template-parameter-name-type",))
PARAMETER_TYPE: Final = Rule(("payloads-template-parameter-type-value", "payloads-template-parameter-value-type"))
PARAMETER_TYPE_ABSENT: Final = Rule(("payloads-template-parameter-type-req",))
PARAMETER_VALUE: Final = Rule(("payloads-template-parameter-value",))


@dataclass(slots=True)
class Template:
    """What a definition in NBIRTH promised."""

    members: frozenset[str]
    parameters: frozenset[str]


@dataclass(slots=True)
class Templates:
    """The definitions of one node's session."""

    defined: dict[str, Template] = field(default_factory=dict)

    def define(self, raw: pb.Payload) -> None:
        """Take the definitions of an NBIRTH."""
        self.defined = {
            str(metric.name): Template(
                frozenset(map(str, _names(metric.template_value.metrics))),
                frozenset(map(str, _names(metric.template_value.parameters))),
            )
            for metric in raw.metrics
            if metric.HasField("template_value") and metric.template_value.is_definition
        }

    def check(self, raw: pb.Payload.Template, *, birth: bool, node_birth: bool) -> Iterator[Broken]:
        """A Template in a birth, data or command; definitions belong into NBIRTH."""
        if not raw.HasField("is_definition"):
            yield UNDECIDED, "is_definition absent"
        elif raw.is_definition:
            yield from _definition(raw, node_birth=node_birth)
        else:
            yield from self._instance(raw, birth=birth)
        yield from _texts(raw)
        for parameter in raw.parameters:
            yield from _parameter(parameter, needs_type=raw.is_definition and node_birth)

    def _instance(self, raw: pb.Payload.Template, *, birth: bool) -> Iterator[Broken]:
        if not raw.HasField("template_ref"):
            yield INSTANCE_WITHOUT_REF, "template_ref absent"
            return
        reference: object = raw.template_ref
        if not isinstance(reference, str):
            yield REF_TEXT, f"template_ref {reference!r}"
            return
        definition = self.defined.get(reference)
        if definition is None:
            yield UNDEFINED, f"template_ref {reference}"
            return
        members = {name for name in _names(raw.metrics) if isinstance(name, str) and name}
        if extra := members - definition.members:
            yield MEMBERS_UNKNOWN, f"members {sorted(extra)}"
        if birth and (missing := definition.members - members):
            yield MEMBERS_MISSING, f"without {sorted(missing)}"
        parameters = {name for name in _names(raw.parameters) if isinstance(name, str) and name}
        if extra := parameters - definition.parameters:
            yield PARAMETER_UNKNOWN, f"parameters {sorted(extra)}"


def _names(parts: Iterable[RawMetric | pb.Payload.Template.Parameter]) -> Iterator[object]:
    """Text, or the bytes where they are none."""
    return (part.name for part in parts)


def check_metric(raw: RawMetric, templates: Templates, *, birth: bool, node_birth: bool) -> Iterator[Broken]:
    """The properties and the value of one metric."""
    if raw.HasField("properties"):
        yield from _properties(raw.properties, birth=birth)
    if raw.HasField("dataset_value"):
        yield from _dataset(raw.dataset_value)
    if raw.HasField("template_value"):
        yield from templates.check(raw.template_value, birth=birth, node_birth=node_birth)


def _properties(raw: pb.Payload.PropertySet, *, birth: bool) -> Iterator[Broken]:
    if len(raw.keys) != len(raw.values):
        yield PROPERTY_COUNT, f"{len(raw.keys)} keys, {len(raw.values)} values"
    for key, value in zip(raw.keys, raw.values, strict=False):
        if not value.HasField("type"):
            if birth:
                yield PROPERTY_TYPE_ABSENT, f"{key}: type absent"
        elif value.type not in _PROPERTY:
            yield PROPERTY_TYPE, f"{key}: type {value.type}"
        elif key == QUALITY and value.type != DataType.INT32:
            yield QUALITY_TYPE, f"type {value.type}"
        if key == QUALITY and (not value.HasField("int_value") or value.int_value not in _QUALITIES):
            yield QUALITY_VALUE, f"{value.WhichOneof('value')} {value.int_value}"
        if value.HasField("propertyset_value"):
            yield from _properties(value.propertyset_value, birth=birth)
        for nested in value.propertysets_value.propertyset:
            yield from _properties(nested, birth=birth)


def _dataset(raw: pb.Payload.DataSet) -> Iterator[Broken]:
    if not raw.HasField("num_of_columns") or raw.num_of_columns != len(raw.columns):
        yield COLUMNS, f"num_of_columns {raw.num_of_columns}, {len(raw.columns)} columns"
    if raw.columns and not raw.types:
        yield COLUMN_TYPES_ABSENT, f"{len(raw.columns)} columns"
    elif len(raw.types) != len(raw.columns):
        yield COLUMN_TYPES, f"{len(raw.columns)} columns, {len(raw.types)} types"
    for datatype in raw.types:
        if datatype not in _BASIC:
            yield COLUMN_TYPE, f"type {datatype}"
    if any(cell.HasField("extension_value") for row in raw.rows for cell in row.elements):
        yield CELL, "extension_value"


def _definition(raw: pb.Payload.Template, *, node_birth: bool) -> Iterator[Broken]:
    if raw.HasField("template_ref"):
        yield DEFINITION_WITH_REF, f"template_ref {raw.template_ref}"
    if not node_birth:
        yield DEFINITION_ELSEWHERE, "is_definition true"


def _texts(raw: pb.Payload.Template) -> Iterator[Broken]:
    version: object = raw.version
    if not isinstance(version, str):
        yield VERSION_TEXT, f"version {version!r}"


def _parameter(raw: pb.Payload.Template.Parameter, *, needs_type: bool) -> Iterator[Broken]:
    name: object = raw.name
    if not raw.HasField("name"):
        yield PARAMETER_NAMELESS, "name absent"
    elif not isinstance(name, str):
        yield PARAMETER_NAME_TEXT, f"name {name!r}"
    if not raw.HasField("type"):
        if needs_type:
            yield PARAMETER_TYPE_ABSENT, f"{name}: type absent"
    elif raw.type not in _BASIC:
        yield PARAMETER_TYPE, f"{name}: type {raw.type}"
    if raw.HasField("extension_value"):
        yield PARAMETER_VALUE, f"{name}: extension_value"
