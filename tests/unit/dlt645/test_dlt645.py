"""DL/T 645: published frames byte for byte, values with their units, both editions, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protocols.dlt645 import (
    Form,
    Frame,
    address_reply,
    address_request,
    decode_dlt645,
    encode,
    item,
    parse,
    read_form,
    read_reply,
    read_request,
    refusal,
    take,
    write_number,
)
from protocols.errors import ProtocolError

SEEN = (Path(__file__).parents[2] / "cases" / "dlt645" / "seen-in-the-field.txt").read_text("utf-8").splitlines()


def one(raw: bytes) -> dict[str, Any]:
    (frame,) = decode_dlt645(raw)["frames"]
    assert isinstance(frame, dict)
    return frame


def values(frame: Frame) -> list[tuple[str, Any, str | None]]:
    return [(value["name"], value["value"], value["unit"]) for value in one(encode(frame))["values"]]


@pytest.mark.parametrize("line", SEEN)
def test_frames_from_the_field(line: str) -> None:
    raw, _, note = line.partition("|")
    document = decode_dlt645(bytes.fromhex(raw))
    assert len(document["frames"]) == 1
    assert document["ok"] is ("NEGATIVE" not in note)
    for finding in document["findings"]:
        assert finding["params"] == {"expected": "C6", "computed": "8E"}
        assert finding["at"] == 18


@pytest.mark.parametrize(
    ("frame", "preamble", "raw"),
    [
        (read_request("000000000161", 0x00010000), 4, SEEN[0]),
        (read_reply("000000000161", 0x00010000, bytes.fromhex("26000000")), 0, SEEN[1]),
        (address_request(), 3, SEEN[2]),
        (read_request("138000130754", 0x9010, "1997"), 0, SEEN[3]),
        (read_reply("138000130754", 0x9010, bytes.fromhex("01000000"), "1997"), 0, SEEN[4]),
    ],
)
def test_published_bytes(frame: Frame, preamble: int, raw: str) -> None:
    wanted = bytes.fromhex(raw.partition("|")[0])
    assert encode(frame, preamble=preamble) == wanted
    used, read = take(b"\x00" + wanted + b"\x68")
    assert used == 1 + len(wanted)
    assert read is not None
    assert read.fits
    assert (read.address, read.control, read.data) == (frame.address, frame.control, frame.data)


def test_energy_in_kilowatt_hours() -> None:
    assert one(bytes.fromhex(SEEN[1].partition("|")[0]))["values"] == [
        {
            "name": "forward-active-energy",
            "raw": "26000000",
            "value": 0.26,
            "unit": "kWh",
            "settlement": 0,
            "tariff": "total",
        }
    ]


def test_a_block_of_voltages_with_an_absent_phase() -> None:
    frame = read_reply("000000000001", 0x0201FF00, bytes.fromhex("0523FFFF8922"))
    told = one(encode(frame))["values"]
    assert [(v["phase"], v["value"], v["unit"]) for v in told] == [
        ("A", 230.5, "V"),
        ("B", None, "V"),
        ("C", 228.9, "V"),
    ]


def test_a_block_of_tariffs() -> None:
    frame = read_reply("000000000001", 0x0001FF00, bytes.fromhex("000100000100000002000000"))
    assert [(v["tariff"], v["value"]) for v in one(encode(frame))["values"]] == [("total", 1.0), (1, 0.01), (2, 0.02)]


def test_power_fed_back_is_negative() -> None:
    frame = read_reply("000000000001", 0x02030000, bytes.fromhex("563492"))
    assert values(frame) == [("active-power", -12.3456, "kW")]


def test_demand_comes_with_its_minute() -> None:
    frame = read_reply("000000000001", 0x01010000, bytes.fromhex("341200") + bytes.fromhex("3018220726"))
    assert values(frame) == [
        ("forward-active-maximum-demand", 0.1234, "kW"),
        ("forward-active-maximum-demand-at", "2026-07-22T18:30", None),
    ]


@pytest.mark.parametrize(
    ("identifier", "payload", "name", "value", "unit"),
    [
        (0x02800002, "9949", "frequency", 49.99, "Hz"),
        (0x02060000, "9809", "power-factor", 0.998, None),
        (0x02020100, "505000", "current", 5.05, "A"),
        (0x02800007, "5502", "temperature", 25.5, "°C"),
        (0x04000101, "04260726", "date", "2026-07-26", None),
        (0x04000102, "593018", "time", "18:30:59", None),
        (0x04000402, "610100000000", "meter-number", "000000000161", None),
        (0x04000501, "0100", "status-word", 1, None),
    ],
)
def test_values(identifier: int, payload: str, name: str, value: Any, unit: str | None) -> None:
    assert values(read_reply("000000000001", identifier, bytes.fromhex(payload))) == [(name, value, unit)]


@pytest.mark.parametrize(
    ("identifier", "payload", "name", "value", "unit"),
    [
        (0xB611, "3002", "voltage", 230, "V"),
        (0xB621, "0505", "current", 5.05, "A"),
        (0xB630, "563412", "active-power", 12.3456, "kW"),
        (0x9420, "78563412", "reverse-active-energy", 123456.78, "kWh"),
        (0x9110, "78563412", "forward-reactive-energy", 123456.78, "kvarh"),
    ],
)
def test_values_of_1997(identifier: int, payload: str, name: str, value: Any, unit: str) -> None:
    assert values(read_reply("000000000001", identifier, bytes.fromhex(payload), "1997")) == [(name, value, unit)]


def test_the_meter_says_its_address() -> None:
    told = one(encode(address_reply("000000000161")))
    assert told["values"][0]["value"] == "000000000161"
    assert one(encode(address_request()))["broadcast"]


def test_a_refusal_has_its_reason() -> None:
    assert one(encode(refusal("000000000161", 0x02)))["refused"] == ["no-such-data"]
    assert one(encode(refusal("000000000161", 0x04, "1997")))["refused"] == ["password"]


def test_digits_that_are_none_are_found() -> None:
    document = decode_dlt645(encode(read_reply("000000000001", 0x00010000, bytes.fromhex("2A000000"))))
    assert document["ok"]
    assert [finding["code"] for finding in document["findings"]] == ["protocols.dlt645.not-decimal"]
    assert document["frames"][0]["values"][0]["value"] is None


def test_noise_between_frames_is_told_with_its_place() -> None:
    raw = encode(read_request("000000000161", 0x00010000), preamble=0)
    document = decode_dlt645(raw + b"\x01\x02\x03" + raw)
    assert [frame["at"] for frame in document["frames"]] == [0, len(raw) + 3]
    (finding,) = document["findings"]
    assert (finding["level"], finding["at"], finding["params"]["size"]) == ("warning", len(raw), 3)


def test_a_frame_cut_short_is_an_error() -> None:
    raw = encode(read_request("000000000161", 0x00010000), preamble=0)
    document = decode_dlt645(raw + raw[:12])
    assert not document["ok"]
    assert document["findings"][0]["at"] == len(raw)
    assert take(raw[:12]) == (0, None)


def test_numbers_are_written_as_they_are_read() -> None:
    form = Form(size=3, decimals=4, unit="kW", signed=True)
    for value in (0.0, 12.3456, -79.9999, -0.0001):
        assert read_form(form, write_number(form, value)) == (value, True)
    for value in (80.0, -80.0, 1e9, float("nan")):
        with pytest.raises(ProtocolError):
            write_number(form, value)
    with pytest.raises(ProtocolError):
        write_number(Form(size=2, decimals=1), -1.0)


@pytest.mark.parametrize("address", ["161", "00000000016", "GGGGGGGGGGGG"])
def test_addresses_are_twelve_digits(address: str) -> None:
    with pytest.raises(ProtocolError, match="twelve digits"):
        encode(Frame(address=address, control=0x11))


def test_what_is_no_frame() -> None:
    for raw in (b"", b"\x68", bytes.fromhex("6861010000000068110433333433331416")):
        with pytest.raises(ProtocolError):
            parse(raw)
    with pytest.raises(ProtocolError, match="255"):
        encode(Frame(address="000000000161", control=0x91, data=bytes(256)))


def test_phase_energies_and_unknown_identifiers() -> None:
    phase_b = item(0x00290000, "2007")
    assert phase_b is not None
    assert (phase_b.name, phase_b.facts["phase"]) == ("forward-active-energy", "B")
    assert item(0x00014000, "2007") is None
    assert item(0x0F000000, "2007") is None
    assert item(0x9000, "1997") is None
