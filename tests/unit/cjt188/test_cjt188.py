"""CJ/T 188: published frames byte for byte, water, heat and gas readings, both orders of the identifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protocols.cjt188 import BROADCAST, Frame, decode_cjt188, encode, parse, read_reply, read_request, refusal, take
from protocols.errors import ProtocolError

SEEN = (Path(__file__).parents[2] / "cases" / "cjt188" / "seen-in-the-field.txt").read_text("utf-8").splitlines()
CLOCK_AND_STATUS = "31012211051520" + "0500"


def one(raw: bytes) -> dict[str, Any]:
    (frame,) = decode_cjt188(raw)["frames"]
    assert isinstance(frame, dict)
    return frame


def seen(number: int) -> bytes:
    return bytes.fromhex(SEEN[number].partition("|")[0])


@pytest.mark.parametrize("line", SEEN)
def test_frames_from_the_field(line: str) -> None:
    raw, _, note = line.partition("|")
    document = decode_cjt188(bytes.fromhex(raw))
    assert len(document["frames"]) == 1
    assert document["ok"] is ("NEGATIVE" not in note)
    for finding in document["findings"]:
        if finding["level"] == "error":
            assert finding["params"] == {"expected": "08", "computed": "13"}


def test_published_bytes() -> None:
    asked = read_request(0x10, "78330011223344")
    assert encode(asked, preamble=4) == seen(0)
    assert encode(read_request(0x10, "00000805000001"), preamble=0) == seen(3)
    any_meter = Frame(meter=0xAA, address=BROADCAST, control=0x03, data=bytes.fromhex("810A00"))
    assert encode(any_meter, preamble=4) == seen(6)
    used, read = take(b"\xfe\x00" + seen(0))
    assert used == 2 + len(seen(0))
    assert read is not None
    assert (read.identifier, read.order, read.fits) == (0x901F, "little", True)


def test_both_orders_of_the_identifier() -> None:
    told = one(seen(2))
    assert (told["identifier"], told["identifier_bytes"]) == ("901F", "90 1F")
    assert told["values"][0] == {"name": "volume", "raw": "000200002C", "value": 2.0, "unit": "m³"}
    asked = read_request(0x10, "00002020120218", order="big")
    assert read_reply(asked, seen(2)[17:-2]).data == parse(seen(2)[3:]).data


def test_a_cold_water_meter() -> None:
    told = one(seen(1))
    assert told["address"] == "78330011223344"
    assert told["clock"] == "2015-05-11T22:01:31"
    assert [(v["name"], v["value"], v["unit"]) for v in told["values"]] == [
        ("volume", 556677.0, "m³"),
        ("settled-volume", 556677.0, "m³"),
    ]
    assert told["status"] == {"raw": "2184", "valve": "closed", "battery_low": False, "maker_bits": "00100 10000100"}


def test_a_heat_meter() -> None:
    payload = bytes.fromhex("0012000005003412000856341200175634120035785634122C506500254500341200" + CLOCK_AND_STATUS)
    asked = read_request(0x20, "00000000000001")
    told = one(encode(read_reply(asked, payload)))
    assert [(v["name"], v["value"], v["unit"]) for v in told["values"]] == [
        ("settled-energy", 12.0, "kWh"),
        ("energy", 1234.0, "MWh"),
        ("power", 1234.56, "kW"),
        ("flow", 12.3456, "m³/h"),
        ("volume", 123456.78, "m³"),
        ("supply-temperature", 65.5, "°C"),
        ("return-temperature", 45.25, "°C"),
        ("worked", 1234, "h"),
    ]
    assert told["status"]["valve"] == "closed"
    assert told["status"]["battery_low"]


def test_units_of_ten_and_a_hundred() -> None:
    payload = bytes.fromhex("000100002D000100002E" + CLOCK_AND_STATUS)
    told = one(encode(read_reply(read_request(0x30, "00000000000001"), payload)))
    assert told["meter"] == "gas"
    assert [(v["value"], v["unit"]) for v in told["values"]] == [(10.0, "m³"), (100.0, "m³")]


def test_deviations_are_findings() -> None:
    payload = bytes.fromhex("00AB0000F0000100002C")
    document = decode_cjt188(encode(read_reply(read_request(0x10, "00000000000001"), payload)))
    codes = {finding["code"].rpartition(".")[2] for finding in document["findings"]}
    assert codes == {"length", "unit", "not-decimal"}
    assert document["ok"]
    assert document["frames"][0]["values"][0]["value"] is None


def test_valve_orders_and_their_answers() -> None:
    order = Frame(meter=0x10, address="00000000000001", control=0x04, data=bytes.fromhex("17A00199"))
    assert one(encode(order))["order"] == "close"
    done = Frame(meter=0x10, address="00000000000001", control=0x84, data=bytes.fromhex("17A0010100"))
    assert one(encode(done))["status"]["valve"] == "closed"


def test_a_refusal_has_its_status() -> None:
    told = one(encode(refusal(read_request(0x10, "00000000000001", ser=7), 0x0003)))
    assert told["refused"]
    assert told["sequence"] == 7
    assert told["status"]["valve"] == "fault"


def test_what_is_no_frame() -> None:
    for raw in (b"", b"\x68", seen(0)):
        with pytest.raises(ProtocolError):
            parse(raw)
    for frame in (
        Frame(meter=0x10, address="1", control=1),
        Frame(meter=0x10, address="0" * 14, control=1, data=bytes(256)),
    ):
        with pytest.raises(ProtocolError):
            encode(frame)
    told = decode_cjt188(encode(Frame(meter=0x10, address="0" * 14, control=0x01, data=b"\x1f")))
    assert not told["ok"]


@pytest.mark.parametrize(
    ("clock", "told", "codes"),
    [
        ("31012211051520", "2015-05-11T22:01:31", set()),
        ("20150511220131", "2015-05-11T22:01:31", {"clock-order"}),
        ("60202000000000", None, {"clock"}),
        ("3A012211051520", None, {"clock"}),
        ("FFFFFFFFFFFFFF", None, set()),
        ("00000000000000", None, set()),
    ],
)
def test_a_clock_is_a_moment_or_nothing(clock: str, told: str | None, codes: set[str]) -> None:
    payload = bytes.fromhex("000100002C000100002C" + clock + "0000")
    document = decode_cjt188(encode(read_reply(read_request(0x10, "00000000000001"), payload)))
    assert document["frames"][0]["clock"] == told
    assert {finding["code"].rpartition(".")[2] for finding in document["findings"]} == codes


@pytest.mark.parametrize(
    ("meter", "identifier", "payload", "told"),
    [
        (0x10, 0x810A, "", [("address", "00000000000001", None)]),
        (0x10, 0xD120, "000100002C", [("settled-volume", 1.0, "m³")]),
        (0x20, 0xD12B, "0001000005", [("settled-energy", 1.0, "kWh")]),
        (
            0x10,
            0x8102,
            "450200 150000 600300 300000 750400",
            [
                ("price-1", 2.45, "CNY"),
                ("up-to-1", 15, None),
                ("price-2", 3.6, "CNY"),
                ("up-to-2", 30, None),
                ("price-3", 4.75, "CNY"),
            ],
        ),
        (
            0x30,
            0x8105,
            "03 00500000 00001000 56341200 0400",
            [
                ("purchase", 3, None),
                ("bought", 50.0, "CNY"),
                ("bought-in-all", 1000.0, "CNY"),
                ("money-left", 1234.56, "CNY"),
            ],
        ),
    ],
)
def test_what_else_a_meter_tells(meter: int, identifier: int, payload: str, told: list[tuple[object, ...]]) -> None:
    frame = one(encode(read_reply(read_request(meter, "00000000000001", identifier), bytes.fromhex(payload))))
    assert [(v["name"], v["value"], v["unit"]) for v in frame["values"]] == told
    assert ("status" in frame) is (identifier == 0x8105)
