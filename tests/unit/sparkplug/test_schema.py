"""The committed code is what protoc makes of the committed schema, and the schema has the specification's numbers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from protocols.sparkplug import sparkplug_b_pb2 as pb
from protocols.sparkplug.datatype import DataType

ROOT = Path(__file__).parents[3]
SCHEMA = "protocols/sparkplug/sparkplug_b.proto"


def _without_version(text: str) -> str:
    """Generated code without the version of the compiler that made it."""
    text = re.sub(r"# Protobuf Python Version: .*", "", text)
    return re.sub(r"ValidateProtobufRuntimeVersion\(.*?\)", "", text, flags=re.DOTALL)


def test_generated_code_is_current(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        "-I.",
        f"--python_out={tmp_path}",
        f"--pyi_out={tmp_path}",
        SCHEMA,
    ]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    for name in ("sparkplug_b_pb2.py", "sparkplug_b_pb2.pyi"):
        made = (tmp_path / "protocols/sparkplug" / name).read_text("utf-8")
        kept = (ROOT / "protocols/sparkplug" / name).read_text("utf-8")
        assert _without_version(made) == _without_version(kept), f"regenerate {name}: see the head of {SCHEMA}"


def test_field_numbers() -> None:
    """Chapter 6, "Google Protocol Buffer Schema"."""

    def numbers(message: str) -> dict[str, int]:
        return {
            field.name: field.number
            for field in pb.DESCRIPTOR.message_types_by_name["Payload"].nested_types_by_name[message].fields
        }

    payload = {field.name: field.number for field in pb.Payload.DESCRIPTOR.fields}
    assert payload == {"timestamp": 1, "metrics": 2, "seq": 3, "uuid": 4, "body": 5}
    assert numbers("Metric") == {
        "name": 1,
        "alias": 2,
        "timestamp": 3,
        "datatype": 4,
        "is_historical": 5,
        "is_transient": 6,
        "is_null": 7,
        "metadata": 8,
        "properties": 9,
        "int_value": 10,
        "long_value": 11,
        "float_value": 12,
        "double_value": 13,
        "boolean_value": 14,
        "string_value": 15,
        "bytes_value": 16,
        "dataset_value": 17,
        "template_value": 18,
        "extension_value": 19,
    }
    assert numbers("PropertySet") == {"keys": 1, "values": 2}


def test_datatypes_are_those_of_the_schema() -> None:
    """tck-id-payloads-metric-datatype-value."""
    ours = {datatype.name.replace("_", "").lower(): datatype.value for datatype in DataType}
    assert ours == {name.lower(): number for name, number in pb.DataType.items()}
