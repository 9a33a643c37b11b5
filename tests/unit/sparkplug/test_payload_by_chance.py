"""Payloads by chance: what is written is read again, and no bytes do harm."""

from __future__ import annotations

import math
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ProtocolError
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.explain import decode_sparkplug
from protocols.sparkplug.payload import Metric, Payload, decode, encode
from tests.unit.sparkplug.payloads import PAYLOADS


@given(PAYLOADS)
def test_round_trip(payload: Payload) -> None:
    data = encode(payload)
    assert decode(data) == payload
    assert encode(decode(data)) == data
    assert decode_sparkplug(data)["frames"] or not data


def test_nan_survives() -> None:
    value = decode(encode(Payload(metrics=(Metric(datatype=DataType.DOUBLE, value=math.nan),)))).metrics[0].value
    assert isinstance(value, float)
    assert math.isnan(value)


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_but_protocol_error(data: bytes) -> None:
    with suppress(ProtocolError):
        decode(data)


@given(PAYLOADS, st.data())
def test_damaged_payload_raises_nothing_but_protocol_error(payload: Payload, data: st.DataObject) -> None:
    good = bytearray(encode(payload))
    for _ in range(3):
        if good:
            good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ProtocolError):
        decode(bytes(good))
