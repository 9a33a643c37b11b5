"""Each way in which files break the rules: read all the same, and said with its line."""

from __future__ import annotations

import pytest

from protocols.errors import ProtocolError
from protocols.evadts import crc16, decode_evadts, read, write
from protocols.evadts.crc import swapped
from protocols.evadts.findings import MAX_PER_CODE
from protocols.evadts.reader import read_date, read_time

RECORDS = [
    ("ID1", ("SN1", "MODEL")),
    ("ID4", (2, "1156", "CNY")),
    ("VA1", (700, 2, 700, 2)),
    ("PA1", ("11", 350, "TEA", 10, 10, "", 0, 8, 2)),
    ("PA2", (2, 700, 2, 700)),
]
GOOD = write(RECORDS, communication_id="LDG0000001")


def codes(data: bytes) -> list[tuple[int, str]]:
    return [(finding.at, finding.code) for finding in read(data).findings]


def test_crc_of_the_catalogue_of_crcs() -> None:
    assert crc16(b"123456789") == 0xBB3D
    assert crc16(b"6789", crc16(b"12345")) == 0xBB3D
    assert crc16(b"") == 0


def test_what_the_writer_writes_has_no_findings() -> None:
    assert GOOD.splitlines()[:2] == [b"DXS*LDG0000001*VA*V0/6*1", b"ST*001*0001"]
    assert GOOD.splitlines()[-2:] == [b"SE*8*0001", b"DXE*1*1"]
    audit = read(GOOD)
    assert audit.findings == ()
    assert audit.ok
    price = audit.first("PA1")
    assert price is not None
    assert price.minor("price") == 350
    assert str(price["price"]) == "3.50"


@pytest.mark.parametrize("word", ["A*B", "A\r", "é"])
def test_the_writer_refuses_what_cannot_stand_in_a_field(word: str) -> None:
    with pytest.raises(ProtocolError):
        write([("ID1", (word,))], communication_id="LDG0000001")


def g85() -> bytes:
    begin = GOOD.index(b"G85*") + 4
    return GOOD[begin : begin + 4]


def test_swapped_sum() -> None:
    other = f"{swapped(int(g85(), 16)):04X}".encode()
    data = GOOD.replace(b"G85*" + g85(), b"G85*" + other)
    assert codes(data) == [(8, "g85-swapped")]
    assert read(data).ok


def test_lower_case_sum() -> None:
    data = GOOD.replace(b"G85*" + g85(), b"G85*" + g85().lower())
    assert codes(data) == [(8, "g85-lowercase")]


def test_swapped_lower_case_sum_with_bare_line_ends() -> None:
    other = f"{swapped(int(g85(), 16)):04x}".encode()
    data = GOOD.replace(b"G85*" + g85(), b"G85*" + other).replace(b"\r\n", b"\n")
    assert sorted(code for _, code in codes(data)) == ["g85-line-ends", "g85-lowercase", "g85-swapped"]
    assert read(data).ok


@pytest.mark.parametrize("word", [b"", b"12", b"GGGG", b"12345"])
def test_a_sum_that_is_none(word: bytes) -> None:
    data = GOOD.replace(b"G85*" + g85(), b"G85*" + word)
    assert (8, "g85-unreadable") in codes(data)
    assert not read(data).ok


def test_trailing_blanks_count() -> None:
    assert not read(GOOD.replace(b"*TEA*", b"*TEA *")).ok
    spaced = GOOD.replace(b"*MODEL", b"*MODEL  ")
    covered = spaced[spaced.index(b"ST*") : spaced.index(b"G85*")]
    assert read(spaced.replace(g85(), f"{crc16(covered):04X}".encode())).findings == ()


@pytest.mark.parametrize("line_end", [b"\n", b"\r"])
def test_line_ends_are_normalised(line_end: bytes) -> None:
    data = GOOD.replace(b"\r\n", line_end)
    assert codes(data) == [(8, "g85-line-ends")]
    assert read(data).ok


def test_no_st_no_g85() -> None:
    data = b"".join(line for line in GOOD.splitlines(keepends=True) if line[:2] != b"ST" and line[:3] != b"G85")
    assert {code for _, code in codes(data)} == {"missing-record", "se-count"}
    assert read(data).ok


def test_text_before_dxs_and_after_dxe() -> None:
    data = b"Machine log of today\r\n" + GOOD + b"bye\r\n"
    assert sorted(codes(data)) == [(1, "before-dxs"), (1, "not-a-record"), (12, "after-dxe"), (12, "not-a-record")]
    assert read(data).stray == ((1, "Machine log of today"), (12, "bye"))


def test_wrong_count_wrong_number_and_records_after_se() -> None:
    data = GOOD.replace(b"SE*8*0001\r\n", b"SE*9*0002\r\nEA7*1*2\r\n")
    assert codes(data) == [(9, "se-count"), (9, "se-number"), (10, "after-se")]
    assert any(record.kind == "EA7" for record in read(data).records)


def test_totals_that_disagree() -> None:
    data = write([*RECORDS[:2], ("VA1", (900, 3, 0, 0)), *RECORDS[3:]], communication_id="LDG0000001")
    (finding,) = read(data).findings
    assert finding.code == "totals-disagree"
    assert "900" in finding.what()


def test_odd_records_are_kept() -> None:
    odd = [("ZZ9", ("a", "b")), ("PA1", ("11", "x")), ("PA2", ("1", "-5")), ("ID5", ("20261340", "2561"))]
    audit = read(write([("PA2", (1, 2)), *RECORDS, *odd], communication_id="LDG0000001"))
    assert {finding.code for finding in audit.findings} == {
        "pa2-alone",
        "selection-twice",
        "bad-number",
        "bad-date",
        "totals-disagree",
    }
    unknown = audit.first("ZZ9")
    assert unknown is not None
    assert (unknown.known, unknown.text) == (False, "ZZ9*a*b")


def test_two_sets_are_checked_one_by_one() -> None:
    body = GOOD[GOOD.index(b"ST*") : GOOD.index(b"DXE*")]
    second = body.replace(b"ST*001*0001", b"ST*001*0002").replace(b"SE*8*0001", b"SE*8*0002")
    data = b"DXS*LDG0000001*VA*V0/6*1\r\n" + body + second + b"DXE*1*2\r\n"
    assert codes(data) == [(16, "g85-mismatch")]


def test_noise_is_no_audit() -> None:
    for data in (b"", b"\x00\xff" * 50, b"Hello, world\n", b"AB*1\n"):
        document = decode_evadts(data)
        assert (document["ok"], document["records"]) == (False, [])
        assert [finding["level"] for finding in document["findings"]] == ["error"]


def test_findings_of_one_kind_are_limited() -> None:
    audit = read(GOOD + b"noise here\r\n" * 500)
    assert len(audit.findings) == 2 * MAX_PER_CODE + 2
    assert audit.findings[-1].params["more"] == 450


def test_money_without_currency_has_the_two_decimals_of_the_standard() -> None:
    audit = read(write([("VA1", (700, 2))], communication_id="LDG0000001"))
    total = audit.first("VA1")
    assert total is not None
    assert total.fields[0].unit == "major"
    assert str(total["value-init"]) == "7.00"
    assert [finding.code for finding in audit.findings] == ["no-currency"]


def test_money_with_unreadable_decimals_is_in_minor_units() -> None:
    audit = read(write([("ID4", ("FF", "1840", "USD")), ("VA1", (700, 2))], communication_id="LDG0000001"))
    total = audit.first("VA1")
    assert total is not None
    assert total.fields[0].unit == "minor"
    assert str(total["value-init"]) == "700"


def test_dates_and_times() -> None:
    assert read_date("230111") == "2023-01-11"
    assert read_date("20240229") == "2024-02-29"
    assert read_date("20230229") is None
    assert read_date("٢٣٠١١١") is None
    assert read_time("2359") == "23:59:00"
    assert read_time("232706") == "23:27:06"
    assert read_time("2460") is None
