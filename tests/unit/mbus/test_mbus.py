"""M-Bus: telegrams of real meters, every kind of value, and bytes that say nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liandong.cli import main
from protocols.errors import ProtocolError
from protocols.mbus import decode_mbus, parse

CASES = Path(__file__).parents[2] / "cases" / "mbus" / "meters.txt"
METERS = [bytes.fromhex(line.partition("|")[0]) for line in CASES.read_text("utf-8").splitlines()]
HEAD = bytes.fromhex("7856341224401007550000 00".replace(" ", ""))


def long(content: int, data: bytes) -> bytes:
    body = bytes([0x08, 0x01, content]) + data
    return bytes([0x68, len(body), len(body), 0x68]) + body + bytes([sum(body) & 0xFF, 0x16])


def records(data: str) -> list[dict[str, Any]]:
    document = decode_mbus(long(0x72, HEAD + bytes.fromhex(data)))
    assert document["ok"], document["findings"]
    told: list[dict[str, Any]] = document["frames"][0]["records"]
    return told


def one(data: str) -> tuple[object, object, object]:
    (record,) = records(data)
    return record["name"], record["value"], record["unit"]


@pytest.mark.parametrize("raw", METERS)
def test_meters_from_the_field(raw: bytes) -> None:
    document = decode_mbus(raw)
    assert document["ok"], document["findings"]
    assert len(document["frames"]) == 1
    assert document["frames"][0]["records"]


def test_a_water_meter() -> None:
    (frame,) = decode_mbus(METERS[0])["frames"]
    meter = {"identification": "04990254", "manufacturer": "EFE", "version": 0, "medium": "warm-water"}
    assert frame["meter"] == meter
    assert frame["conditions"] == ["abnormal", "power-low"]
    told = [(r["name"], r["value"], r["unit"], r["storage"]) for r in frame["records"]]
    assert told[1:6] == [
        ("date-time", "2014-03-13T12:10", None, 0),
        ("volume", 0.332, "m³", 0),
        ("volume", 0.331, "m³", 1),
        ("volume", 0.332, "m³", 2),
        ("date", "2013-12-31", None, 1),
    ]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("0C 13 78 56 34 12", ("volume", 12345.678, "m³")),
        ("0C 06 04 00 00 F1", ("energy", -1000004000, "Wh")),
        ("02 5A 90 01", ("flow-temperature", 40.0, "°C")),
        ("02 65 9C FF", ("external-temperature", -1.0, "°C")),
        ("05 2B 00 00 20 41", ("power", 10.0, "W")),
        ("04 22 02 00 00 00", ("on-time", 7200, "s")),
        ("02 FD 48 FC 08", ("voltage", 230.0, "V")),
        ("03 FD 59 10 27 00", ("current", 10.0, "A")),
        ("01 FB 1B 37", ("relative-humidity", 55, "%")),
        ("04 83 7D 05 00 00 00", ("energy", 5000, "Wh")),
        ("04 86 73 05 00 00 00", ("energy", 5, "Wh")),
        ("0D FD 11 04 44 43 42 41", ("customer", "ABCD", None)),
        ("0D 78 C2 34 12", ("fabrication-number", 1234, None)),
        ("0D 78 D2 34 12", ("fabrication-number", -1234, None)),
        ("01 7C 03 48 52 25 2A", ("%RH", 42, None)),
        ("42 6C DF 1C", ("date", "2014-12-31", None)),
        ("06 6D 1E 0A 0C CD 13 00", ("date-time", "2014-03-13T12:10:30", None)),
        ("00 13", ("volume", None, "m³")),
    ],
)
def test_values(data: str, told: tuple[object, object, object]) -> None:
    assert one(data) == told


def test_storage_tariff_and_function() -> None:
    (record,) = records("DC C1 10 13 78 56 34 12")
    said = (record["function"], record["storage"], record["tariff"], record["subunit"])
    assert said == ("maximum", 3, 4, 1)


def test_what_the_maker_adds_and_fillers() -> None:
    (frame,) = decode_mbus(long(0x72, HEAD + bytes.fromhex("2F 01 13 01 2F 1F AA BB")))["frames"]
    assert (len(frame["records"]), frame["manufacturer_data"], frame["more_follows"]) == (1, "AABB", True)


def test_short_frames_and_errors() -> None:
    capture = bytes.fromhex("10 40 01 41 16 E5 10 7B 01 7C 16") + long(0x70, b"\x08")
    frames = decode_mbus(capture)["frames"]
    assert [frame.get("function") for frame in frames] == ["initialise", None, "request-data", "data"]
    assert frames[3]["error"] == "application-busy"


def test_a_fixed_structure() -> None:
    (frame,) = decode_mbus(long(0x73, bytes.fromhex("78563412 0A 00 E9 7E 01000000 35010000")))["frames"]
    assert frame["meter"] == {"identification": "12345678", "medium": "water"}
    assert [(r["value"], r["unit"], r["storage"]) for r in frame["records"]] == [(0.001, "m³", 0), (0.135, "m³", 1)]


@pytest.mark.parametrize(
    ("data", "code", "at"),
    [
        (long(0x72, HEAD + bytes.fromhex("0C 13 78 56")), "record-cut", 23),
        (long(0x72, HEAD + b"\x84" + b"\x80" * 12), "too-many-extensions", 32),
        (long(0x72, HEAD + bytes.fromhex("0D 13 FA 00")), "record-length", 23),
        (long(0x72, HEAD[:5]), "header", 7),
        (long(0x73, HEAD), "header", 7),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(data: bytes, code: str, at: int) -> None:
    document = decode_mbus(data)
    assert not document["ok"]
    (found,) = [finding for finding in document["findings"] if finding["level"] == "error"]
    assert (found["code"], found["at"]) == (f"protocols.mbus.{code}", at)


def test_encrypted_values_are_not_read_as_values() -> None:
    document = decode_mbus(long(0x72, HEAD[:11] + b"\x05" + bytes(16)))
    assert [finding["code"] for finding in document["findings"]] == ["protocols.mbus.encrypted"]
    assert "records" not in document["frames"][0]


def test_a_wrong_check_sum() -> None:
    raw = bytearray(METERS[0])
    raw[-2] ^= 0x01
    document = decode_mbus(bytes(raw))
    assert not document["ok"]
    assert document["findings"][0]["at"] == len(raw) - 2


def test_garbage_ends_with_its_place(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "noise"
    file.write_bytes(b"\x00\x01\xe5\x02garbage")
    assert main(["decode", "mbus", str(file)]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["findings"][0]["at"] == 0


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    json.dumps(decode_mbus(data))


@given(st.sampled_from([0x72, 0x73, 0x78, 0x7A]), st.binary(max_size=240))
def test_no_contents_raise(content: int, data: bytes) -> None:
    document = decode_mbus(long(content, data))
    assert len(document["frames"]) == 1
    json.dumps(document)


@given(st.binary(max_size=40))
def test_only_a_frame_is_a_frame(raw: bytes) -> None:
    try:
        frame = parse(raw)
    except ProtocolError:
        return
    assert frame.form in ("acknowledge", "short", "long")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("04 FB 02 10 27 00 00", ("reactive-energy", 10000, "kvarh")),
        ("04 FB 05 05 00 00 00", ("apparent-energy", 50, "kVAh")),
        ("02 FB 14 D0 07", ("reactive-power", 2.0, "kvar")),
        ("02 FB 34 D2 04", ("apparent-power", 1.234, "kVA")),
        ("02 FB 2E F3 01", ("frequency", 49.9, "Hz")),
        ("02 FB 2B 1E 00", ("phase-angle", 3.0, "°")),
        ("02 FD 74 0A 00", ("battery-left", 864_000, "s")),
        ("01 FD 71 B0", ("radio-level", -80, "dBm")),
    ],
)
def test_values_of_newer_meters(data: str, told: tuple[object, object, object]) -> None:
    assert one(data) == told


def test_a_makers_own_values_are_told_apart_by_their_bytes() -> None:
    told = records("04 FF 90 01 07 00 00 00 04 FF 91 01 08 00 00 00")
    assert [(r["name"], r["vif"], r["value"]) for r in told] == [
        ("manufacturer", "FF 90 01", 7),
        ("manufacturer", "FF 91 01", 8),
    ]
