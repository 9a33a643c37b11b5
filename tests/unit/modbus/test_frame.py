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
    build_write_reply,
    crc16,
    seal,
    take_reply,
    take_request,
    take_tcp_reply,
    take_tcp_request,
    to_tcp,
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
    assert (request.address, request.count, request.written) == (1, 2, (10, 0x0102))
    assert build_write_reply(request) == seal(bytes.fromhex("01 10 00 01 00 02"))


def test_writes_of_coils_and_of_one_register() -> None:
    for text, written in (
        ("01 05 00 07 FF 00", (1,)),
        ("01 05 00 07 00 00", (0,)),
        ("01 06 00 07 01 02", (0x0102,)),
        ("01 0F 00 00 00 0A 02 CD 01", (1, 0, 1, 1, 0, 0, 1, 1, 1, 0)),
    ):
        request = take_request(seal(bytes.fromhex(text)))[1]
        assert request is not None
        assert request.written == written


def test_bits_there_and_back() -> None:
    bits = (1, 0, 1, 1, 0, 0, 1, 1, 1, 0)
    frame = build_read_reply(1, 1, bits)
    assert frame == seal(bytes.fromhex("01 01 02 CD 01"))
    assert take_reply(frame)[1] == Reply(unit=1, function=1, words=(*bits, 0, 0, 0, 0, 0, 0))


def test_the_same_over_tcp() -> None:
    question = to_tcp(build_read_request(17, 3, 0x6B, 3), 1)
    assert question == bytes.fromhex("00 01 00 00 00 06 11 03 00 6B 00 03")
    used, transaction, request = take_tcp_request(question + b"\0")
    assert (used, transaction, request) == (12, 1, Request(unit=17, function=3, data=bytes.fromhex("006B0003")))
    answer = to_tcp(build_read_reply(17, 3, (1, 2, 3)), 1)
    assert take_tcp_reply(answer) == (15, 1, Reply(unit=17, function=3, words=(1, 2, 3)))
    assert take_tcp_reply(answer[:-1]) == (0, 1, None)
    refused = to_tcp(build_exception(17, 3, 11), 1)
    assert take_tcp_reply(refused)[2] == Reply(unit=17, function=3, exception=11)


@pytest.mark.parametrize("text", ["0001 0001 0006 110300000001", "0001 0000 0001 11", "0001 0000 0007 11030000000100"])
def test_what_is_no_tcp_frame(text: str) -> None:
    with pytest.raises(ProtocolError):
        take_tcp_request(bytes.fromhex(text))


@given(st.binary(max_size=260))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for take in (take_request, take_reply, take_tcp_request, take_tcp_reply):
        try:
            used = take(data)[0]
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
