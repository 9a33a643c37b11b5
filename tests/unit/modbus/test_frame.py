"""RTU frames against published vectors and against pymodbus's own framer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from protocols.errors import ProtocolError
from protocols.modbus.frame import (
    Reply,
    Request,
    build_exception,
    build_read_reply,
    build_read_request,
    crc16,
    seal,
    take_reply,
    take_request,
)

VECTORS = [
    # MODBUS over Serial Line V1.02, appendix B: 02 07 gives 1241H, sent 41 12
    ("02 07", "41 12"),
    # Eastron SDM120-Modbus protocol, the example read of one parameter from address 0
    ("01 04 00 00 00 02", "71 CB"),
    # the catalogue check value of CRC-16/MODBUS: "123456789" gives 4B37H
    ("31 32 33 34 35 36 37 38 39", "37 4B"),
]


@pytest.mark.parametrize(("body", "crc"), VECTORS)
def test_published_check_sums(body: str, crc: str) -> None:
    assert seal(bytes.fromhex(body)) == bytes.fromhex(body + crc)


def test_the_eastron_example() -> None:
    request = bytes.fromhex("01 04 00 00 00 02 71 CB")
    assert build_read_request(1, 4, 0, 2) == request
    assert take_request(request) == (8, Request(unit=1, function=4, data=bytes(3) + b"\x02"))
    # 230.2 V as float32 43 66 33 33
    reply = seal(bytes.fromhex("01 04 04 43 66 33 33"))
    assert build_read_reply(1, 4, (0x4366, 0x3333)) == reply
    assert take_reply(reply) == (9, Reply(unit=1, function=4, words=(0x4366, 0x3333)))


def test_a_refusal() -> None:
    frame = build_exception(2, 4, 2)
    assert frame == seal(bytes.fromhex("02 84 02"))
    assert take_reply(frame) == (5, Reply(unit=2, function=4, exception=2))


@pytest.mark.parametrize("length", range(8))
def test_a_part_of_a_frame_asks_for_more(length: int) -> None:
    assert take_request(build_read_request(1, 4, 0, 2)[:length]) == (0, None)
    assert take_reply(build_read_reply(1, 4, (1, 2))[:length]) == (0, None)


def test_what_follows_a_frame_is_left() -> None:
    frame = build_read_request(1, 3, 10, 4)
    assert take_request(frame + b"\x01\x04")[0] == len(frame)


@pytest.mark.parametrize("at", range(8))
def test_every_damaged_byte_is_noticed(at: int) -> None:
    frame = bytearray(build_read_request(1, 4, 0, 2))
    frame[at] ^= 0x04
    # a flipped function or count byte may also make the frame longer: then it is not complete
    try:
        used, request = take_request(bytes(frame))
    except ProtocolError:
        return
    assert (used, request) == (0, None)


def test_the_error_names_both_sums() -> None:
    with pytest.raises(ProtocolError) as wrong:
        take_request(bytes.fromhex("01 04 00 00 00 02 00 00"))
    assert wrong.value.params == {"said": "0000", "computed": "CB71", "at": 6}


def test_a_write_of_many_registers() -> None:
    frame = seal(bytes.fromhex("01 10 00 01 00 02 04 00 0A 01 02"))
    used, request = take_request(frame)
    assert used == len(frame)
    assert request is not None
    assert (request.address, request.count) == (1, 2)


@given(st.binary(max_size=260))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for take in (take_request, take_reply):
        try:
            used, _ = take(data)
        except ProtocolError:
            continue
        assert 0 <= used <= len(data)


@given(st.binary(min_size=2, max_size=250))
def test_pymodbus_computes_the_same_sum(body: bytes) -> None:
    assert crc16(body).to_bytes(2, "little") == FramerRTU.compute_CRC(body).to_bytes(2, "big")


@given(st.integers(1, 247), st.sampled_from([3, 4]), st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=125))
def test_pymodbus_reads_our_replies(unit: int, function: int, words: list[int]) -> None:
    used, pdu = FramerRTU(DecodePDU(False)).handleFrame(build_read_reply(unit, function, words), unit, 0)
    assert used == 5 + 2 * len(words)
    assert pdu is not None
    assert pdu.registers == words
