"""DL/T 645: what a meter keeps of the past: frozen values, load records, demands of the edition of 1997."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.dlt645 import Edition, decode_dlt645, encode, read_reply

AT = "3018220726"
VOLTAGES = "0523 FFFF 8922 505000 000000 010080 9949"
COUNTERS = "26000000 00000000 01000080 00000000"


def one(identifier: int, payload: bytes, edition: Edition = "2007") -> dict[str, Any]:
    document = decode_dlt645(encode(read_reply("000000000161", identifier, payload, edition)))
    (frame,) = document["frames"]
    return {**frame, "codes": [finding["code"] for finding in document["findings"]]}


def record(classes: list[str], *, start: str = "A0A0", wrong: int = 0) -> bytes:
    body = bytes.fromhex(AT) + b"".join(bytes.fromhex(one) + b"\xaa" for one in classes)
    raw = bytes.fromhex(start) + bytes([len(body)]) + body
    return raw + bytes([sum(raw) + wrong & 0xFF, 0xE5])


@pytest.mark.parametrize(
    ("identifier", "payload", "told"),
    [
        (0x05060001, AT, [("frozen-at", "2026-07-22T18:30", None, "daily", 1)]),
        (0x05040102, "26000000", [("frozen-forward-active-energy", 0.26, "total", "hourly", 2)]),
        (
            0x05000201,
            "2600000001000000",
            [
                ("frozen-reverse-active-energy", 0.26, "total", "timed", 1),
                ("frozen-reverse-active-energy", 0.01, 1, "timed", 1),
            ],
        ),
        (
            0x0506093E,
            "341200" + AT,
            [
                ("frozen-forward-active-maximum-demand", 0.1234, "total", "daily", 62),
                ("frozen-forward-active-maximum-demand-at", "2026-07-22T18:30", "total", "daily", 62),
            ],
        ),
    ],
)
def test_frozen_values(identifier: int, payload: str, told: list[tuple[object, ...]]) -> None:
    frame = one(identifier, bytes.fromhex(payload))
    assert frame["codes"] == []
    assert [(v["name"], v["value"], v.get("tariff"), v["freeze"], v["ago"]) for v in frame["values"]] == told


def test_frozen_powers_by_phase() -> None:
    frame = one(0x05061001, bytes.fromhex("341200" * 4 + "000081" * 4))
    told = [(v["name"], v["phase"], v["value"], v["unit"]) for v in frame["values"]]
    assert told[1] == ("active-power", "A", 0.1234, "kW")
    assert told[7] == ("reactive-power", "C", -1.0, "kvar")
    assert len(told) == 8


@pytest.mark.parametrize(
    ("identifier", "classes"),
    [
        (0x06000001, [VOLTAGES, "", "", COUNTERS, "", ""]),
        (0x06010001, [VOLTAGES]),
        (0x06040002, ["", "", "", COUNTERS, "", ""]),
        (0x06040002, [COUNTERS]),
    ],
)
def test_a_load_record(identifier: int, classes: list[str]) -> None:
    frame = one(identifier, record(classes))
    assert frame["codes"] == []
    assert frame["item"] == "load-record"
    (told,) = frame["records"]
    assert (told["stored"], told["damaged"]) == ("2026-07-22T18:30", False)
    values = {(v["name"], v.get("phase")): v["value"] for v in told["values"]}
    if VOLTAGES in classes:
        voltages = [values["voltage", phase] for phase in "ABC"]
        assert (voltages, values["current", "C"], values["frequency", None]) == ([230.5, None, 228.9], -0.001, 49.99)
    if COUNTERS in classes:
        assert (values["forward-active-energy", None], values["combined-reactive-1-energy", None]) == (0.26, -0.01)
    assert len(values) == 7 * (VOLTAGES in classes) + 4 * (COUNTERS in classes)


def test_load_records_that_are_damaged() -> None:
    good, bad = record([COUNTERS]), record([COUNTERS], start="E0E0", wrong=1)
    frame = one(0x06040002, good + bad + good[:12])
    told = [(one["damaged"], len(one["values"])) for one in frame["records"]]
    assert told == [(False, 4), (True, 4), (False, 0)]
    assert frame["codes"] == [f"protocols.dlt645.load-{code}" for code in ("sum", "damaged", "record")]
    assert one(0x06040002, b"\x01\x02")["codes"] == ["protocols.dlt645.load-record"]


@pytest.mark.parametrize(
    ("identifier", "payload", "edition", "told"),
    [
        (0x00900200, "12345600", "2007", ("money-left", 5634.12, "CNY")),
        (0x03300D00, "120000", "2007", ("cover-openings", 12, None)),
        (0x04000106, "0000010127", "2007", ("time-zones-switch-at", "2027-01-01T00:00", None)),
        (0xA010, "341200", "1997", ("forward-active-maximum-demand", 0.1234, "kW")),
        (0xB410, "30182207", "1997", ("forward-active-maximum-demand-at", "07-22 18:30", None)),
        (0xB212, "0300", "1997", ("programmings", 3, None)),
    ],
)
def test_others(identifier: int, payload: str, edition: Edition, told: tuple[object, ...]) -> None:
    (value,) = one(identifier, bytes.fromhex(payload), edition)["values"]
    assert (value["name"], value["value"], value["unit"]) == told


def test_a_demand_that_has_not_come_yet_and_one_of_no_calendar() -> None:
    frame = one(0x01010000, bytes(8))
    assert [v["value"] for v in frame["values"]] == [0.0, None]
    assert frame["codes"] == []
    assert one(0x01010000, bytes.fromhex("000000 0000321326"))["codes"] == ["protocols.dlt645.no-moment"]


@given(st.sampled_from([0, 1, 4, 6, 7, 0xFF]), st.binary(max_size=80), st.booleans())
def test_no_load_record_raises(kind: int, payload: bytes, begin: bool) -> None:
    one(0x06000001 | kind << 16, (b"\xa0\xa0" if begin else b"") + payload)
