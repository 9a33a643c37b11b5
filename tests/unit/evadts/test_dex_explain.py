"""Captured DEX sessions: frames with their places, handshakes, and the audit put together again."""

from __future__ import annotations

from pathlib import Path

from protocols.evadts import decode_evadts
from protocols.evadts.dex import Identity, data_blocks
from protocols.evadts.dex.explain import decode_dex

AUDIT = (Path(__file__).parents[2] / "cases" / "evadts" / "mkrasselt1_animo.eva_dts").read_bytes()
ACKS = (b"\x10\x30", b"\x10\x31")
BLOCKS = data_blocks(AUDIT)
CARRIER, MACHINE = Identity(id="LDG0000001"), Identity(id="LIA0000001")
HANDSHAKES = b"".join(
    (b"\x05", ACKS[0], CARRIER.request("R"), ACKS[1], b"\x04", b"\x05", ACKS[0], MACHINE.answer("00"), ACKS[1], b"\x04")
)


def session(blocks: list[bytes]) -> bytes:
    answered = (block + ACKS[(place + 1) % 2] for place, block in enumerate(blocks))
    return HANDSHAKES + b"\x05" + ACKS[0] + b"".join(answered) + b"\x04"


def test_a_whole_session() -> None:
    document = decode_dex(session(BLOCKS))
    assert document["ok"]
    request, response = (frame for frame in document["frames"] if frame["frame"] == "SOH")
    assert (request["at"], request["asks"], request["id"], request["revision"]) == (
        3,
        "read-audit",
        "LDG0000001",
        "R00L06",
    )
    assert (response["answers"], response["id"]) == ("ok", "LIA0000001")
    (audit,) = document["audits"]
    assert audit == decode_evadts(AUDIT)
    assert sum(len(frame["raw"]) // 2 for frame in document["frames"]) == len(session(BLOCKS))


def test_a_block_sent_again_counts_once() -> None:
    damaged = bytearray(BLOCKS[1])
    damaged[5] ^= 1
    again = [BLOCKS[0] + ACKS[1] + BLOCKS[0], bytes(damaged) + b"\x15" + BLOCKS[1], *BLOCKS[2:]]
    document = decode_dex(session(again))
    assert document["audits"] == [decode_evadts(AUDIT)]
    assert not document["ok"]
    (error,) = [finding for finding in document["findings"] if finding["level"] == "error"]
    assert error["code"] == "protocols.capture.check-sum"
    assert error["params"]["expected"] != error["params"]["computed"]


def test_one_direction_is_enough() -> None:
    assert decode_dex(b"\x05" + b"".join(BLOCKS) + b"\x04")["audits"] == [decode_evadts(AUDIT)]


def test_findings_of_the_audit_are_named_as_such() -> None:
    document = decode_dex(session(BLOCKS))
    assert all(finding["audit"] == 0 for finding in document["findings"])
    assert "g85-line-ends" in {finding["code"] for finding in document["findings"]}


def test_an_unfinished_block_is_an_error() -> None:
    document = decode_dex(HANDSHAKES + BLOCKS[0][:30])
    assert not document["ok"]
    assert (document["findings"][0]["code"], document["findings"][0]["at"]) == (
        "protocols.dex.cut-short",
        len(HANDSHAKES),
    )


def test_control_characters_in_a_text_are_no_dex() -> None:
    document = decode_dex(b"some text\x05 and more\x04 of it")
    assert not document["frames"]
    assert document["findings"][0]["at"] == 0
