"""Cards as bits: published vectors, every format there and back, and what fits no format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.access.wiegand import FORMATS, MAX_BITS, RAW, Card, WiegandFormat, decode, encode, parse_card
from protocols.errors import ProtocolError


def test_the_published_vector_of_26_bits() -> None:
    card = Card(length=26, data=bytes.fromhex("95181CC0"), format="H10301", facility=42, number=12345)
    assert encode("H10301", 42, 12345) == card
    assert decode(26, bytes.fromhex("95181CC0")) == card
    assert card.text == "H10301:42:12345"


def test_bits_beyond_the_length_are_ignored() -> None:
    assert decode(26, bytes.fromhex("95181CFFFF")).identity == (26, bytes.fromhex("95181CC0"))


@given(data=st.data())
def test_every_format_there_and_back(data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(FORMATS))
    facility = data.draw(st.integers(0, 2 ** (row.facility[1] - row.facility[0]) - 1))
    number = data.draw(st.integers(0, 2 ** (row.number[1] - row.number[0]) - 1))
    card = encode(row.code, facility, number)
    assert decode(card.length, card.data) == card == parse_card(card.text)


@given(row=st.sampled_from(FORMATS), data=st.data())
def test_one_wrong_bit_is_never_read_as_another_card(row: WiegandFormat, data: st.DataObject) -> None:
    card = encode(row.code, 200, 54321)
    bit = data.draw(st.integers(0, row.bits - 1))
    flipped = int.from_bytes(card.data, "big") ^ 1 << (len(card.data) * 8 - 1 - bit)
    wrong = decode(card.length, flipped.to_bytes(len(card.data), "big"))
    assert wrong.format == RAW
    assert wrong.number is None
    assert parse_card(wrong.text) == wrong


def test_an_unknown_length_is_kept_as_bits() -> None:
    card = decode(40, bytes.fromhex("DEADBEEF00"))
    assert (card.format, card.facility, card.number) == (RAW, None, None)
    assert card.text == "RAW:40:DEADBEEF00"


@given(length=st.integers(1, MAX_BITS), data=st.data())
def test_whatever_bits_come_they_are_read_back(length: int, data: st.DataObject) -> None:
    size = (length + 7) // 8
    card = decode(length, data.draw(st.binary(min_size=size, max_size=size + 2)))
    assert parse_card(card.text) == card


@pytest.mark.parametrize(
    ("length", "data"), [(0, b""), (26, b"\x00\x00\x00"), (MAX_BITS + 1, bytes(100)), (-1, b"\x00")]
)
def test_bits_that_cannot_be(length: int, data: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(length, data)
    assert caught.value.code == "protocols.access.bits"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("12345", "protocols.access.card-text"),
        ("H10301:forty:2", "protocols.access.card-text"),
        ("RAW:26:95181C", "protocols.access.card-text"),
        ("RAW:26:zz", "protocols.access.card-text"),
        ("H99999:1:2", "protocols.access.format"),
        ("H10301:256:2", "protocols.access.range"),
        ("H10301:1:65536", "protocols.access.range"),
        ("H10301:-1:2", "protocols.access.range"),
    ],
)
def test_texts_that_are_no_card(text: str, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_card(text)
    assert caught.value.code == code
    assert text.split(":")[0] in str(caught.value) or "fit" in str(caught.value)
