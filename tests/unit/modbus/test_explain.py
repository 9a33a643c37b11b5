"""Captures of Modbus lines: RTU and TCP, requests and their replies, refusals, damage."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.modbus import crc16, seal
from protocols.modbus.explain import _Rtu, decode_modbus

# MODBUS over Serial Line and the application protocol's example of function 3 (V1.1b3, 6.3): registers 108–110.
ASKED = bytes.fromhex("0300 6B 0003")
ANSWERED = bytes.fromhex("0306 022B 0000 0064")


def frames(data: bytes) -> list[dict[str, Any]]:
    document = decode_modbus(data)
    assert document["ok"]
    return list(document["frames"])


def test_a_question_and_its_answer_on_a_serial_line() -> None:
    data = seal(b"\x11" + ASKED) + seal(b"\x11" + ANSWERED)
    assert data[:8].hex() == "1103006b00037687"
    asked, answered = frames(data)
    assert (asked["direction"], asked["address"], asked["count"]) == ("request", 107, 3)
    assert (answered["direction"], answered["address"], answered["registers"]) == ("reply", 107, [555, 0, 100])
    assert (asked["medium"], answered["at"]) == ("rtu", 8)


def test_the_same_over_tcp() -> None:
    head = bytes.fromhex("0015 0000")
    data = head + b"\x00\x06\x11" + ASKED + head + b"\x00\x09\x11" + ANSWERED
    asked, answered = frames(data)
    assert (asked["medium"], asked["transaction"], asked["direction"]) == ("tcp", 0x15, "request")
    assert (answered["direction"], answered["address"], answered["registers"]) == ("reply", 107, [555, 0, 100])


def test_pairs_of_registers_as_numbers() -> None:
    (answered,) = frames(seal(bytes.fromhex("01 04 04 43668000")))
    assert (answered["registers"], answered["float32"]) == ([0x4366, 0x8000], [230.5])
    (swapped,) = frames(seal(bytes.fromhex("01 04 04 80004366")))
    assert swapped["float32_cdab"] == [230.5]


IDENTIFICATION = "2B0E01 01 00 00 02 00 04 41434D45 02 03 312E34"


@pytest.mark.parametrize(
    ("asked", "answered", "says"),
    [
        ("07", "07 6D", {"status": 0x6D}),
        ("08 0000 A537", "08 0000 A537", {"subfunction": 0, "data": "A537"}),
        ("0B", "0B FFFF 0108", {"busy": True, "events": 264}),
        ("0C", "0C 08 0000 0108 0121 2000", {"data": "0000010801212000"}),
        ("11", "11 03 0AFF01", {"data": "0AFF01"}),
        ("14 07 06 0004 0001 0002", "14 06 05 06 0DFE0020", {"data": "05060DFE0020"}),
        ("15 09 06 0004 0007 0001 06AF", "15 09 06 0004 0007 0001 06AF", {"data": "0600040007000106AF"}),
        ("18 04DE", "18 0006 0002 01B81284", {"data": "01B81284"}),
        ("2B 0E 01 00", IDENTIFICATION, {"level": 1, "objects": {"vendor": "ACME", "revision": "1.4"}, "more": False}),
    ],
)
def test_what_a_unit_tells_of_itself(asked: str, answered: str, says: dict[str, Any]) -> None:
    pdus = [bytes.fromhex(asked), bytes.fromhex(answered)]
    serial = frames(b"".join(seal(b"\x11" + pdu) for pdu in pdus))
    tcp = frames(b"".join(struct.pack(">HHHB", 7, 0, len(pdu) + 1, 0x11) + pdu for pdu in pdus))
    for found in (serial, tcp):
        assert [frame["direction"] for frame in found] == ["request", "reply"]
        assert found[1].items() >= says.items()
        assert found[0]["name"] == found[1]["name"]


def test_a_makers_own_function_over_tcp() -> None:
    (found,) = frames(bytes.fromhex("0001 0000 0004 01 5A 00 02"))
    assert (found["function"], found["name"], found["data"]) == (90, "user-defined", "0002")


def test_a_refusal() -> None:
    (refused,) = frames(seal(bytes.fromhex("0A 84 02")))
    assert (refused["function"], refused["exception"], refused["exception_name"]) == (4, 2, "illegal-address")


def test_writes_and_their_echoes() -> None:
    one = seal(bytes.fromhex("11 06 0001 0003"))
    many = seal(bytes.fromhex("11 10 0001 0002 04 000A 0102"))
    done = seal(bytes.fromhex("11 10 0001 0002"))
    coils = seal(bytes.fromhex("11 0F 0013 000A 02 CD01"))
    told = frames(one + one + many + done + coils)
    assert [frame["direction"] for frame in told] == ["request", "reply", "request", "reply", "request"]
    assert told[0]["value"] == told[1]["value"] == 3
    assert told[2]["registers"] == [10, 258]
    assert told[4]["bits"] == [1, 0, 1, 1, 0, 0, 1, 1, 1, 0]


def test_coils_come_as_bits() -> None:
    data = seal(bytes.fromhex("11 01 0013 000A")) + seal(bytes.fromhex("11 01 02 CD01"))
    assert frames(data)[1]["bits"] == [1, 0, 1, 1, 0, 0, 1, 1, 1, 0]


def test_a_wrong_check_sum_has_both_values() -> None:
    document = decode_modbus(bytes.fromhex("1103006b00037688"))
    assert not document["ok"]
    assert len(document["frames"]) == 1
    (finding,) = document["findings"]
    assert (finding["at"], finding["params"]) == (6, {"expected": "8876", "computed": "8776"})


def test_noise_between_frames_is_told_with_its_place() -> None:
    frame = seal(b"\x11" + ASKED)
    document = decode_modbus(b"\xff\xff" + frame + b"\x00\x01\x02" + frame)
    assert [told["at"] for told in document["frames"]] == [2, 13]
    assert [(finding["level"], finding["at"]) for finding in document["findings"]] == [("warning", 0), ("warning", 10)]


@given(st.binary(max_size=600), st.data())
def test_the_check_sum_of_any_stretch(data: bytes, draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(start, len(data)))
    assert _Rtu(data)._crc(start, end) == crc16(data[start:end])
