"""No bytes make an explainer raise, hang, or answer with more than they hold; what is sent is read back."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liandong.decode import DECODERS
from protocols import cjt188, dlt645, gb26875, osdp
from protocols.capture import MAX_FRAMES
from protocols.chirpstack import CODECS
from protocols.evadts import ddcmp
from protocols.mbus.messages import long as mbus_long
from protocols.modbus import seal
from tests.fuzz.seeds import KINDS as FUZZED
from tests.fuzz.seeds import seeds

KINDS = ("chirpstack", "cjt188", "ddcmp", "dex", "dlt645", "gb26875", "mbus", "modbus", "osdp", "zigbee2mqtt")

small = st.integers(0, 255)
built: dict[str, st.SearchStrategy[bytes]] = {
    "dlt645": st.builds(
        lambda control, data: dlt645.encode(dlt645.Frame(address="000000000161", control=control, data=data)),
        small,
        st.binary(max_size=60),
    ),
    "cjt188": st.builds(
        lambda meter, control, data: cjt188.encode(
            cjt188.Frame(meter=meter, address="00000000000001", control=control, data=data)
        ),
        small,
        st.sampled_from([0x01, 0x81, 0x84, 0xC1, 0x04, 0x77]),
        st.one_of(st.binary(max_size=60), st.binary(max_size=50).map(lambda b: b"\x1f\x90" + b)),
    ),
    "gb26875": st.builds(
        lambda command, time, kind, count, data: gb26875.encode(
            gb26875.Frame(sequence=1, command=command, time=time, data=bytes([kind, count]) + data)
        ),
        small,
        st.binary(min_size=6, max_size=6),
        st.one_of(st.sampled_from(sorted(gb26875.OBJECTS)), small),
        small,
        st.binary(max_size=150),
    ),
    "osdp": st.builds(
        lambda reply, code, data, crc, block: osdp.encode(
            osdp.Packet(address=1, reply=reply, sequence=1, code=code, data=data, crc=crc, security=block)
        ),
        st.booleans(),
        st.one_of(st.sampled_from(sorted({*osdp.COMMANDS, *osdp.REPLIES})), small),
        st.binary(max_size=40),
        st.booleans(),
        st.none() | st.binary(min_size=1, max_size=3),
    ),
    "modbus": st.one_of(
        st.builds(lambda function, data: seal(bytes([1, function]) + data), small, st.binary(max_size=20)),
        st.builds(lambda pdu: b"\0\1\0\0\0" + bytes([len(pdu) + 1, 9]) + pdu, st.binary(min_size=2, max_size=20)),
    ),
    "mbus": st.builds(
        lambda control, ci, data: mbus_long(control, 1, ci, data),
        small,
        st.one_of(st.sampled_from([0x51, 0x52, 0x70, 0x72, 0x73, 0x76, 0x78, 0x7A]), small),
        st.binary(max_size=120),
    ),
    "ddcmp": st.one_of(
        st.builds(lambda kind, at, to: ddcmp.control(kind, received=at, parameter=to), small, small, small),
        st.builds(
            lambda head, body, sent, last: ddcmp.message(head + body, received=0, sent=sent, last=last),
            st.sampled_from([b"\x99\x00", b"\x77\xe0", b"\x88\xe2\x01"]),
            st.binary(max_size=80),
            small,
            st.booleans(),
        ),
    ),
    "chirpstack": st.builds(
        lambda codec, port, data, object_: json.dumps(
            {
                "deviceInfo": {"devEui": "24e124535c378901", "deviceProfileName": codec},
                "fPort": port,
                "data": base64.b64encode(data).decode(),
                "object": object_,
            }
        ).encode(),
        st.sampled_from(CODECS),
        st.sampled_from([85, 10]),
        st.binary(max_size=60),
        st.dictionaries(st.text(max_size=5), st.none() | st.floats() | st.text(max_size=5), max_size=3),
    ),
    "zigbee2mqtt": st.builds(
        lambda topic, body: topic.encode("utf-8", "replace") + b" " + json.dumps(body).encode() + b"\n",
        st.sampled_from(["zigbee2mqtt/a", "zigbee2mqtt/a/availability", "z/bridge/devices", "z/bridge/event", "", "/"]),
        st.dictionaries(
            st.sampled_from(["smoke", "action", "battery", "contact", "volume", "topic", "payload", "type", "data"]),
            st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.lists(st.none(), max_size=1),
            max_size=4,
        ),
    ),
    "dex": st.lists(st.sampled_from([b"\x10", b"\x01", b"\x02", b"\x03", b"\x17", b"\x16", b"\x05", b"ID1*A\r\n"])).map(
        b"".join
    ),
}


@st.composite
def hostile(draw: st.DrawFn, kind: str) -> bytes:
    pieces = draw(st.lists(st.one_of(st.sampled_from(seeds(kind)), built[kind], st.binary(max_size=40)), max_size=4))
    data = bytearray(b"".join(pieces))
    for place, value in draw(st.lists(st.tuples(st.integers(0, 400), small), max_size=3)):
        if place < len(data):
            data[place] = value
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


def sound(kind: str, document: dict[str, Any], size: int) -> None:
    json.dumps(document, ensure_ascii=False, allow_nan=False)
    assert document["kind"] == kind
    assert document["ok"] is all(finding["level"] != "error" for finding in document["findings"])
    assert sum(len(frame["raw"]) // 2 for frame in document["frames"]) <= size
    for finding in document["findings"]:
        assert not finding["what"].startswith("protocols."), finding
        assert "{" not in finding["what"], finding


def test_every_kind_is_fuzzed() -> None:
    """Those with frames here; audits and Sparkplug, which know records and one message, in folders of their own."""
    assert set(FUZZED) == set(DECODERS) == {*KINDS, "evadts", "sparkplug"}
    assert all(len(seeds(kind)) > 1 for kind in FUZZED)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_comes(kind: str) -> None:
    @given(hostile(kind))
    def run(data: bytes) -> None:
        sound(kind, DECODERS[kind](data), len(data))

    run()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "pattern",
    [
        b"\x68",
        b"\xfe",
        b"@@",
        b"@",
        b"\x53",
        b"\xff\x53\x00\xa0\x05\x00\x60",
        b"\x10\x02",
        b"\x16",
        b"\x01\x03\xfa\x01",
        b"\x00",
    ],
)
def test_a_hundred_kilobytes_of_the_same(kind: str, pattern: bytes) -> None:
    data = pattern * (100_000 // len(pattern))
    document = DECODERS[kind](data)
    sound(kind, document, len(data))
    assert len(document["findings"]) <= 500


@pytest.mark.parametrize(("kind", "frame"), [("dex", b"\x05"), ("modbus", seal(b"\x01\x83\x02"))])
def test_more_frames_than_a_list_should_hold(kind: str, frame: bytes) -> None:
    document = DECODERS[kind](frame * (MAX_FRAMES + 10))
    assert len(document["frames"]) == MAX_FRAMES
    assert document["findings"][-1]["code"] == "protocols.capture.too-many"
    assert document["findings"][-1]["at"] == MAX_FRAMES * len(frame)


@pytest.mark.parametrize("module", [dlt645, cjt188, gb26875], ids=lambda module: str(module.__name__))
def test_a_line_read_in_pieces_gives_the_same_frames(module: Any) -> None:
    kind = module.__name__.rpartition(".")[2]

    @given(st.lists(st.one_of(built[kind], st.binary(max_size=5)), max_size=4).map(b"".join), st.integers(1, 7))
    def run(data: bytes, step: int) -> None:
        at_once, piecewise = [], []
        rest = data
        while True:
            used, frame = module.take(rest)
            rest = rest[used:]
            if frame is None:
                break
            at_once.append(frame)
        rest = b""
        for place in range(0, len(data), step):
            rest += data[place : place + step]
            while True:
                used, frame = module.take(rest)
                rest = rest[used:]
                if frame is None:
                    break
                piecewise.append(frame)
        assert piecewise == at_once

    run()
