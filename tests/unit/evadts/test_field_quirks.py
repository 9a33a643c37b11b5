"""What public audits of the field do that the standard does not foresee; each sample here is made up after them."""

from __future__ import annotations

import pytest

from protocols.evadts import Audit, read, write
from protocols.evadts.dex import data_blocks
from protocols.evadts.facts import facts
from protocols.evadts.records import Record, currency_name

RECORDS = [
    ("ID1", ("SN1", "MODEL", "1", "", "", "", "6.00", "01")),
    ("ID4", (2, "1840", "USD")),
    ("VA1", (700, 2)),
    ("PA1", ("11", 350, "TEA")),
    ("PA2", (2, 700)),
]
GOOD = write(RECORDS, communication_id="LDG0000001")


def codes(audit: Audit) -> list[tuple[str, int, str]]:
    return [(finding.level, finding.at, finding.code) for finding in audit.findings]


def only(audit: Audit, kind: str) -> Record:
    (record,) = audit.of(kind)
    return record


def with_records(*more: tuple[str, tuple[object, ...]]) -> Audit:
    return read(write([*RECORDS, *more], communication_id="LDG0000001"))


def test_the_level_of_the_standard_is_written_as_a_version_by_some() -> None:
    assert codes(read(GOOD)) == []
    assert only(read(GOOD), "ID1")["level"] == "6.00"


def test_the_activity_of_an_event_is_its_fifth_field() -> None:
    event = only(with_records(("EA2", ("EGS", 4, 36, "15V LOW", 1, 952))), "EA2")
    assert (event["count-reset"], event["count-init"], event["user-field"]) == (4, 36, "15V LOW")
    assert (event["active"], event["minutes"]) == (True, 952)
    assert only(with_records(("EA1", ("EGS", "020624", "1430", 52))), "EA1")["minutes"] == 52


def test_the_activity_of_an_event_before_it_had_a_field_of_its_own() -> None:
    event = only(with_records(("EA2", ("EJJ_A", 2, 2, 1))), "EA2")
    assert (event["active"], event["user-field"]) == (True, None)
    note = only(with_records(("EA2", ("EJJ_A", 2, 2, 5))), "EA2")
    assert (note["active"], note["user-field"]) == (None, "5")


def test_a_file_of_several_machines_is_checked_one_by_one() -> None:
    other = write(
        [("ID4", (0, "1392", "JPY")), ("VA1", (120, 1)), ("PA1", ("1", 120)), ("PA2", (1, 120))],
        communication_id="LDG0000002",
    )
    audit = read(GOOD + other + GOOD.replace(b"*TEA", b"*TEE"))
    begin, third = len(GOOD.splitlines()) + 1, len((GOOD + other).splitlines())
    assert codes(audit) == [("info", begin, "several-transmissions"), ("error", third + 8, "g85-mismatch")]
    assert [(str(total["value-init"]), total.fields[0].unit) for total in audit.of("VA1")] == [
        ("7.00", "USD"),
        ("120", "JPY"),
        ("7.00", "USD"),
    ]


def test_text_that_a_carrier_puts_before_dxs_into_its_line() -> None:
    audit = read(b"<000|route 7|20260101|\x11>" + GOOD + b"<AAAA|BBBB>")
    assert codes(audit) == [
        ("warning", 1, "text-before-record"),
        ("warning", 1, "not-a-record"),
        ("warning", 11, "not-a-record"),
        ("warning", 11, "after-dxe"),
    ]
    assert audit.records[0].text == "DXS*LDG0000001*VA*V0/6*1"
    assert audit.stray[0] == (1, "<000|route 7|20260101|\x11>")


def test_a_captured_dex_line_is_read_through_its_frames() -> None:
    blocks = data_blocks(GOOD)
    line = b"\x05\x10\x30" + b"\x10\x31".join([blocks[0], *blocks]) + b"\x10\x30\x04"  # the first block twice
    audit = read(line)
    assert codes(audit) == [("warning", 0, "link-framing")]
    assert only(audit, "PA2").count("count-init") == 2


@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig"])
def test_what_editors_do_to_a_file(codec: str) -> None:
    audit = read(GOOD.decode("ascii").encode(codec))
    assert [finding.code for finding in audit.findings] == (["utf-16"] if codec == "utf-16" else [])
    assert audit.ok


def test_lower_case_and_numbered_sets() -> None:
    data = GOOD.replace(b"ST*001", b"ST-1*001").replace(b"SE*8", b"SE-1*8").replace(b"PA2*2", b"pa2*2")
    audit = read(data)
    kinds = [finding.params["record"] for finding in audit.findings if finding.code == "odd-kind"]
    assert kinds == ["ST", "PA2", "SE"]
    assert "missing-record" not in {finding.code for finding in audit.findings}
    assert only(audit, "PA2").text == "pa2*2*700"


def test_words_alone_are_no_records() -> None:
    audit = read(b"the end\r\nST\r\nSE\r\nID1\r\n")
    assert audit.records == ()
    assert [finding.code for finding in audit.findings] == ["nothing-recognised"]


@pytest.mark.parametrize(
    "row",
    [
        (3040, 705, 735, 16, 681_825, 219_995, 172_030, 2898),  # the cash adds up only so
        ("", "", "", "", 681_825, "", "", 2898, "", 289_800),  # stated a second time
    ],
)
def test_bills_in_whole_units(row: tuple[object, ...]) -> None:
    audit = with_records(("CA3", row))
    assert [finding.code for finding in audit.findings] == ["bills-in-whole-units"]
    bills = only(audit, "CA3")
    assert (str(bills["bills-init"]), bills.minor("bills-init")) == ("2898", 289_800)


def test_bills_in_minor_units() -> None:
    audit = with_records(("CA3", (3040, 705, 735, 1600, 4000, 1000, 1000, 2000)))
    assert audit.findings == ()
    assert str(only(audit, "CA3")["bills-init"]) == "20.00"


@pytest.mark.parametrize(
    ("number", "alpha", "name"),
    [
        ("1156", "", "CNY"),
        ("840", "USD", "USD"),
        ("036", "AUD", "AUD"),
        ("0086", "", "CNY"),
        ("001", "5", "USD"),
        ("0007", "", "RUB"),
        ("39", "", None),
        ("0", "978", "EUR"),
        ("0049", "", "EUR"),
        ("FFFF", "1", None),
        ("0000", "", None),
        ("1978", "050", "EUR"),
    ],
)
def test_currencies(number: str, alpha: str, name: str | None) -> None:
    assert currency_name(number, alpha, 2) == name


def test_money_without_decimals_by_a_telephone_code_was_before_the_euro() -> None:
    assert currency_name("0039", "", 0) is None
    assert currency_name("1978", "", 0) == "EUR"


def named(product: bytes, currency: bytes = b"1840") -> Audit:
    return read(GOOD.replace(b"TEA", product).replace(b"1840*USD", currency))


@pytest.mark.parametrize(
    ("product", "currency", "shown", "charset"),
    [
        ("可乐".encode(), b"1156*CNY", "可乐", None),
        ("可乐 500ml".encode("gb18030"), b"1156*CNY", "可乐 500ml", "gb18030"),
        ("Чай".encode("cp1251"), b"1643*RUB", "Чай", "cp1251"),
        ("Чипсы".encode("cp1251"), b"0000", "Чипсы", "cp1251"),
        ("Горячая вода".encode("cp1251"), b"0000", "Горячая вода", "cp1251"),
        ("Käse".encode("latin-1"), b"1978*EUR", "Käse", None),
        (b"^D7^^E0^^E9^ 2^2A^1", b"1643*RUB", "Чай 2*1", "cp1251"),
        (b"A^B", b"1978*EUR", "A^B", None),
    ],
)
def test_characters(product: bytes, currency: bytes, shown: str, charset: str | None) -> None:
    audit = named(product, currency)
    record = only(audit, "PA1")
    assert record["product"] == shown
    assert [f.params["charset"] for f in audit.findings if f.code == "charset"] == ([charset] if charset else [])


def test_totals_that_nobody_states_disagree_with_nothing() -> None:
    audit = read(
        write(
            [*RECORDS[:2], ("VA1", ("", 90)), ("PA1", ("1", 5)), ("PA2", ("", "", 3, 0))],
            communication_id="LDG0000001",
        )
    )
    assert audit.findings == ()


def test_selections_without_a_number_are_one_finding() -> None:
    audit = read(
        write([*RECORDS[:3], *[("PA1", ("", n, 5)) for n in range(4)]], communication_id="LDG0000001"),
    )
    (finding,) = audit.findings
    assert (finding.code, finding.params["count"]) == ("selection-unnamed", 4)


def test_selections_that_are_never_counted_leave_the_total() -> None:
    audit = with_records()
    assert set(facts(audit).snapshot.slots) == {"11"}
    zeros = read(
        write([*RECORDS[:2], ("VA1", (175_735, 3264)), ("PA1", ("11", 50)), ("PA2", (0, 0, 84, 4200))],
              communication_id="LDG0000001")
    )  # fmt: skip
    assert {key: (slot.count, slot.value) for key, slot in facts(zeros).snapshot.slots.items()} == {"": (3264, 175_735)}


def test_price_lists_count_where_the_selections_do_not() -> None:
    lists = [("PA7", ("11", "CA", 0, 350, 5, 1750)), ("PA7", ("11", "DA", 1, 300, 2, 600))]
    audit = read(
        write([*RECORDS[:2], ("VA1", (2350, 7)), ("PA1", ("11", 350)), ("PA2", (0, 0)), *lists],
              communication_id="LDG0000001")
    )  # fmt: skip
    slot = facts(audit).snapshot.slots["11"]
    assert (slot.count, slot.value, slot.price) == (7, 2350, 350)


@pytest.mark.parametrize(
    ("fields", "degrees"),
    [
        (("TEMP", "4.5", "C"), 4.5),
        (("TEMP", "Snack", "41", "F", "---"), 5.0),
        (("DETECTED TEMPERATURE", "600", "C"), None),
        (("TEMP", "Snack", "OPEN", "F"), None),
        (("ERROR", "4", "C"), None),
    ],
)
def test_temperatures(fields: tuple[object, ...], degrees: float | None) -> None:
    assert facts(with_records(("MA5", fields))).temperature == degrees
