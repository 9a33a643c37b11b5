"""The bytes that pysparkplug 0.6.1, an independent implementation, makes of the same values: DBIRTH, seq 1."""

from __future__ import annotations

import pytest

from protocols.sparkplug.datatype import DataType, Scalar
from protocols.sparkplug.payload import Metric, Payload, decode, encode

STAMP = 1486144502122
HEAD, TAIL = "08eaf2f5a8a02b", "1801"


@pytest.mark.parametrize(
    ("name", "value", "metric_bytes"),
    [
        ("INT8", -23, "12120a04494e543818eaf2f5a8a02b200150e901"),
        ("INT16", -30000, "12140a05494e54313618eaf2f5a8a02b200250d09502"),
        ("INT32", -1, "12160a05494e54333218eaf2f5a8a02b200350ffffffff0f"),
        ("INT64", -1, "121b0a05494e54363418eaf2f5a8a02b200458ffffffffffffffffff01"),
        ("UINT8", 255, "12130a0555494e543818eaf2f5a8a02b200550ff01"),
        ("UINT32", 4294967295, "12170a0655494e54333218eaf2f5a8a02b200750ffffffff0f"),
        ("UINT64", 18446744073709551615, "121c0a0655494e54363418eaf2f5a8a02b200858ffffffffffffffffff01"),
        ("FLOAT", 1.5, "12150a05464c4f415418eaf2f5a8a02b2009650000c03f"),
        ("DOUBLE", -2.0, "121a0a06444f55424c4518eaf2f5a8a02b200a6900000000000000c0"),
        ("BOOLEAN", True, "12140a07424f4f4c45414e18eaf2f5a8a02b200b7001"),
        ("STRING", "桃", "12160a06535452494e4718eaf2f5a8a02b200c7a03e6a183"),
        ("TEXT", "t", "12120a045445585418eaf2f5a8a02b200e7a0174"),
        ("UUID", "u", "12120a045555494418eaf2f5a8a02b200f7a0175"),
        ("DATETIME", STAMP, "121a0a084441544554494d4518eaf2f5a8a02b200d58eaf2f5a8a02b"),
        ("BYTES", b"\x00\xff", "12150a05425954455318eaf2f5a8a02b201182010200ff"),
        ("INT32", None, "12120a05494e54333218eaf2f5a8a02b20033801"),
    ],
)
def test_same_bytes(name: str, value: Scalar | None, metric_bytes: str) -> None:
    metric = Metric(name=name, datatype=DataType[name], value=value, timestamp_ms=STAMP, is_null=value is None)
    payload = Payload(timestamp_ms=STAMP, seq=1, metrics=(metric,))
    data = bytes.fromhex(HEAD + metric_bytes + TAIL)
    assert encode(payload) == data
    assert decode(data) == payload
