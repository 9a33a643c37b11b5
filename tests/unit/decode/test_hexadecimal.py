"""Hexadecimal text as loggers, programs and people write it; what is none is named by its place."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liandong.hexadecimal import hex_lines
from protocols.errors import ProtocolError


def one(text: str) -> tuple[str, str]:
    (line,) = hex_lines(text)
    return line.data.hex(), line.note


@pytest.mark.parametrize(
    ("text", "data", "note"),
    [
        ("68 61 01", "686101", ""),
        ("6861 0100 0000", "686101000000", ""),
        ("0x68, 0x61,0x01", "686101", ""),
        ("{0x68,0x61}; ", "6861", ""),
        ("\\x68\\x61", "6861", ""),
        ("68H 61h", "6861", ""),
        ("68-61:01 | a note", "686101", "a note"),
        ("->Rx:FE FE FE FE 68 27 59", "fefefefe682759", "Rx"),
        ("[17:00:01.123] RX: 68 61 01 00 | mine", "68610100", "mine"),
        ("2020-11-22 10:00:00 TX 68 61 01 00 05", "6861010005", "2020-11-22 10:00:00 TX"),
        ("15:44:29接收原始报文:68 61 01 00 00", "6861010000", "15:44:29接收原始报文"),
        ("sent data 68 61 01 00", "68610100", "sent data"),
    ],
)
def test_ways_to_write_bytes(text: str, data: str, note: str) -> None:
    assert one(text) == (data, note)


@pytest.mark.parametrize(
    ("text", "line", "at"),
    [
        ("68 61 0G 00 00 00 00 68 91", 1, 8),
        ("68\n# a comment\n\nhello", 4, 1),
        ("68 6", 1, 4),
        ("D 04 04", 1, 1),
        ("RX: 68", 1, 1),
        ("68 61 ? 01", 1, 7),
    ],
)
def test_slips_are_named_by_their_place(text: str, line: int, at: int) -> None:
    with pytest.raises(ProtocolError) as raised:
        list(hex_lines(text))
    assert (raised.value.params["line"], raised.value.params["at"]) == (line, at)


@pytest.mark.parametrize("piece", ["00 ", "a:", "x ", "a", "ab cd ;"])
def test_the_time_grows_with_the_text_only(piece: str) -> None:
    began = time.process_time()
    with pytest.raises(ProtocolError):
        list(hex_lines(piece * 100_000 + "?"))
    assert time.process_time() - began < 20, "a second for each character before would be hours"


@given(st.text(alphabet="0aF x\\:|#[]\n>R", max_size=40))
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        lines = list(hex_lines(text))
    except ProtocolError:
        return
    assert all(line.data for line in lines)
