"""``liandong decode`` for vending machines: what people try beside captures that are in order."""

from __future__ import annotations

import random

import pytest

from protocols.evadts import write
from protocols.evadts.dex import data_blocks
from protocols.evadts.reader import MAX_LINES
from tests.unit.decode.test_command import Command, decode

__all__ = ["decode"]

AUDIT = write([("ID4", (2, "1156", "CNY")), ("VA1", (700, 2)), ("PA1", ("11", 350)), ("PA2", (2, 700))],
              communication_id="LDG0000001")  # fmt: skip
ODD = AUDIT.replace(b"ID4*2", b"ID4*x")
LINE = b"\x05\x10\x30" + b"".join(data_blocks(AUDIT)) + b"\x10\x31\x04"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["evadts", "dex", "ddcmp"])
def test_random_bytes_are_nothing(decode: Command, kind: str, seed: int) -> None:
    done = decode(kind, given=random.Random(seed).randbytes(60_000))
    assert done.code == 1
    assert "byte" in done.err.splitlines()[0]


def test_more_findings_of_one_kind_than_are_shown(decode: Command) -> None:
    done = decode("dex", given=b"?\x05?".join([LINE] * 60))
    assert done.code == 0
    assert "protocols.capture.more" in {finding["code"] for finding in done.document["findings"]}


def test_hexadecimal_text_of_a_line_needs_no_flag(decode: Command) -> None:
    done = decode("dex", given=LINE.hex(" ").encode())
    assert done.code == 0
    assert len(done.document["audits"]) == 1


@pytest.mark.parametrize(("kind", "data"), [("evadts", ODD), ("dex", b"\x05" + data_blocks(ODD)[0])])
def test_findings_of_an_audit_speak_the_language_of_the_person(decode: Command, kind: str, data: bytes) -> None:
    done = decode(kind, given=data, language="zh-CN")
    said = [finding["what"] for finding in done.document["findings"]]
    assert any(what.startswith("ID4 必须说明") for what in said)
    for audit in done.document.get("audits", ()):
        assert any(finding["what"].startswith("ID4 必须说明") for finding in audit["findings"])


def test_a_file_without_end_is_read_to_its_limit(decode: Command) -> None:
    done = decode("evadts", given=AUDIT + b"EA7*1*1\r\n" * (MAX_LINES + 100))
    assert len(done.document["records"]) == MAX_LINES
    limit = next(finding for finding in done.document["findings"] if finding["code"] == "too-many-lines")
    assert limit["at"] == MAX_LINES + 1
