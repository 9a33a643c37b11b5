"""Exact bytes of the DEX/UCS link."""

from __future__ import annotations

import pytest

from protocols.errors import ProtocolError
from protocols.evadts import crc16
from protocols.evadts.dex import Block, Control, Decoder, Identity, block, data_blocks

REQUEST = bytes.fromhex("1001 4c444730303030303031 52 5230304c3036 1003")


def test_the_request_byte_for_byte() -> None:
    frame = Identity(id="LDG0000001").request("R")
    covered = b"LDG0000001RR00L06\x03"
    assert frame == REQUEST + bytes([crc16(covered) & 0xFF, crc16(covered) >> 8])
    assert frame[-2:].hex() == "8240"


def test_the_answer_carries_its_response_first() -> None:
    frame = Identity(id="SIM1234567", revision="R01L01").answer("00")
    assert frame[2:-4] == b"00SIM1234567R01L01"


@pytest.mark.parametrize(("wrong", "revision"), [("SHORT", "R00L06"), ("LDG0000001", "R00"), ("LDG\n000001", "R00L06")])
def test_an_identity_has_its_length(wrong: str, revision: str) -> None:
    with pytest.raises(ProtocolError):
        Identity(id=wrong, revision=revision)


def test_controls_alone_and_after_dle() -> None:
    tokens = Decoder().feed(bytes.fromhex("05 1030 1031 103b 15 04"))
    assert tokens == [Control.ENQ, Control.ACK0, Control.ACK1, Control.WACK, Control.NAK, Control.EOT]


def test_blocks_of_at_most_245_bytes_with_their_end_the_last_one_marked() -> None:
    frames = data_blocks(b"x" * 500)
    assert [len(frame) - 6 for frame in frames] == [243, 243, 14]
    assert [frame[-4:-2] for frame in frames] == [b"\x10\x17", b"\x10\x17", b"\x10\x03"]
    tokens = Decoder().feed(b"".join(frames))
    assert [(token.fits, token.last) for token in tokens if isinstance(token, Block)] == [
        (True, False),
        (True, False),
        (True, True),
    ]


@pytest.mark.parametrize("body", [b"", b"x" * 246, b"a\x10b", b"a\x16b"])
def test_what_no_block_can_carry(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        block("STX", body)


def test_bytes_come_as_they_like_with_syn_between() -> None:
    frame = block("STX", b"PA1*1*100\r\n")
    filled = b"\x16\x16" + frame[:4] + b"\x16" + frame[4:6] + b"\x10\x16" + frame[6:]
    decoder = Decoder()
    tokens = [token for byte in filled for token in decoder.feed(bytes([byte]))]
    assert tokens == [Block(head="STX", body=b"PA1*1*100\r\n", last=True, fits=True)]
    assert not decoder.inside


def test_a_crc_byte_may_look_like_anything() -> None:
    seen = {}
    for number in range(4000):
        frame = block("STX", b"PA2*%d" % number)
        if frame[-1] == 0x10 or frame[-2] == 0x10:
            seen[number] = Decoder().feed(frame + b"\x04")
    assert seen
    assert all(isinstance(tokens[0], Block) and tokens[0].fits and tokens[1] is Control.EOT for tokens in seen.values())


def test_every_flipped_bit_is_noticed() -> None:
    frame = block("STX", b"VA1*700*2\r\n")
    for bit in range(8 * len(frame)):
        broken = bytearray(frame)
        broken[bit // 8] ^= 1 << bit % 8
        tokens = Decoder().feed(bytes(broken))
        assert not [token for token in tokens if isinstance(token, Block) and token.fits], bit


def test_an_endless_block_ends() -> None:
    (token,) = Decoder().feed(b"\x10\x02" + b"x" * 1025)
    assert isinstance(token, Block)
    assert not token.fits


def test_a_lost_block_end_does_not_swallow_the_next_block() -> None:
    good = block("STX", b"PA1*1")
    tokens = Decoder().feed(good[:5] + good)
    assert tokens == [Block(head="STX", body=b"PA1*1", last=True, fits=True)]


def test_filling_between_frames_is_no_noise() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x10\x16\x16\x05") == [Control.ENQ]
    assert decoder.noise == 0
