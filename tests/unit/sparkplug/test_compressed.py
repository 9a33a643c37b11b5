"""The compression of other people's clients: read, and not fooled by."""

from __future__ import annotations

import gzip
import zlib

import pytest

from protocols.errors import ProtocolError
from protocols.sparkplug.actions import Malformed, Now
from protocols.sparkplug.compressed import COMPRESSED, LIMIT, unwrapped
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.explain import decode_sparkplug
from protocols.sparkplug.host import Host, NodeBorn
from protocols.sparkplug.payload import MOST_METRICS, Metric, Payload, RawPayload, decode_raw, encode

INNER = encode(Payload(seq=0, metrics=(Metric(name="a", datatype=DataType.INT8, value=-1),)))
NOW = Now(at=0, utc_ms=0)


def outer(body: bytes) -> bytes:
    return encode(Payload(uuid=COMPRESSED, body=body))


@pytest.mark.parametrize("squeeze", [zlib.compress, gzip.compress])
def test_what_is_inside_counts(squeeze: object) -> None:
    assert callable(squeeze)
    data = outer(squeeze(INNER))
    assert unwrapped(decode_raw(data)).SerializeToString() == INNER
    (born,) = Host().received("spBv1.0/g/NBIRTH/n", data, NOW)
    assert isinstance(born, NodeBorn)
    assert [metric.name for metric in born.metrics] == ["a"]
    assert decode_sparkplug(data)["frames"][0]["inside"]["metrics"][0]["value"] == -1


def test_what_is_not_compressed_is_left_alone() -> None:
    plain = RawPayload(uuid="x", body=b"\xff")
    assert unwrapped(plain) is plain


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xff", zlib.compress(INNER)[:-4], zlib.compress(bytes(LIMIT + 1)), zlib.compress(b"\xff")]
)
def test_what_is_no_payload(body: bytes) -> None:
    data = outer(body)
    with pytest.raises(ProtocolError):
        unwrapped(decode_raw(data))
    assert isinstance(Host().received("spBv1.0/g/NBIRTH/n", data, NOW)[0], Malformed)
    assert not decode_sparkplug(data)["ok"]


@pytest.mark.parametrize("squeezed", [True, False])
def test_a_few_kilobytes_do_not_become_millions_of_metrics(squeezed: bool) -> None:
    empties = b"\x12\x00" * (MOST_METRICS + 1)
    data = outer(zlib.compress(empties)) if squeezed else empties
    assert isinstance(Host().received("spBv1.0/g/NDATA/n", data, NOW)[0], Malformed)
    assert not decode_sparkplug(data)["ok"]
    assert len(unwrapped(decode_raw(empties[2:])).metrics) == MOST_METRICS
