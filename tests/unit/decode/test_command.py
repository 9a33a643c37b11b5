"""``liandong decode``: hexadecimal text with notes, captures, garbage, and both languages."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from liandong.cli import main

CASES = Path(__file__).parents[2] / "cases"
FILES = [
    ("dlt645", "seen-in-the-field.txt", 6),
    ("cjt188", "seen-in-the-field.txt", 7),
    ("gb26875", "seen-in-the-field.txt", 2),
    ("cjt188", "heat-meters.txt", 3),
    ("dlt645", "readings.txt", 3),
    ("gb26875", "makers.txt", 2),
]
KINDS = ("cjt188", "ddcmp", "dex", "dlt645", "gb26875", "mbus", "modbus", "osdp")


class Decoded:
    """What one run of the command said."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.document: dict[str, Any] = json.loads(out) if out else {}
        self.err = err


class Command:
    """Runs ``liandong decode`` in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str, given: bytes = b"", language: str = "en") -> Decoded:
        self._monkeypatch.setenv("LIANDONG_LANG", language)
        self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
        code = main(["decode", *words])
        said = self._capsys.readouterr()
        return Decoded(code, said.out, said.err)


@pytest.fixture
def decode(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


@pytest.mark.parametrize(("kind", "name", "count"), FILES)
@pytest.mark.parametrize("flags", [("--hex", "--json"), ()])
def test_a_file_with_a_frame_a_line(decode: Command, kind: str, name: str, count: int, flags: tuple[str, ...]) -> None:
    path = CASES / kind / name
    done = decode(kind, str(path), *flags)
    lines = path.read_text("utf-8").splitlines()
    assert done.code == 0
    assert [frame["line"] for frame in done.document["frames"]] == list(range(1, count + 1))
    for frame, line in zip(done.document["frames"], lines, strict=True):
        assert frame["note"] == line.partition("|")[2].strip()
        assert frame["ok"] is ("NEGATIVE" not in line)
    wrong = [number for number, line in enumerate(lines, start=1) if "NEGATIVE" in line]
    assert [f["line"] for f in done.document["findings"] if f["level"] == "error"] == wrong
    assert done.document["ok"] is not bool(wrong)


def test_readings_of_real_meters(decode: Command) -> None:
    heat = decode("cjt188", str(CASES / "cjt188" / "heat-meters.txt")).document["frames"]
    told = [{value["name"]: (value["value"], value["unit"]) for value in frame["values"]} for frame in heat]
    assert [row["energy"] for row in told] == [(3.0, "kWh"), (540.6, "kWh"), (1.27, "MWh")]
    assert [row["supply-temperature"] for row in told] == [(14.6, "°C"), (19.14, "°C"), (36.6, "°C")]
    assert [frame["status"]["battery_low"] for frame in heat] == [True, False, False]
    electricity = decode("dlt645", str(CASES / "dlt645" / "readings.txt")).document["frames"]
    assert [frame["values"][0]["value"] for frame in electricity] == [1.86, 1234.56, 6.78]
    (detector, alive) = decode("gb26875", str(CASES / "gb26875" / "makers.txt")).document["frames"]
    assert detector["objects"][0]["component_type_name"] == "optical smoke detector"
    assert detector["objects"][0]["text"] == "1号接口板1回路1号"
    assert "objects" not in alive


def test_flags_stand_anywhere(decode: Command) -> None:
    path = str(CASES / "dlt645" / "seen-in-the-field.txt")
    for words in (["--hex", "--json", "dlt645", path], ["dlt645", "--hex", path, "--json"], ["dlt645", path, "--hex"]):
        assert len(decode(*words).document["frames"]) == 6


def test_an_osdpcap_file(decode: Command) -> None:
    done = decode("osdp", str(CASES / "osdp" / "sia_1-poll-cycle.osdpcap"))
    assert (done.code, done.document["ok"], len(done.document["frames"])) == (0, True, 16)


def test_one_frame_broken_over_lines_is_one_frame(decode: Command) -> None:
    text = b"68 61 01 00 00 00\n00 68 91 08 33 33\n\n# the rest\n34 33 59 33 33 33 8A 16\n"
    done = decode("dlt645", "--hex", given=text)
    (frame,) = done.document["frames"]
    assert frame["values"][0]["value"] == 0.26
    assert "line" not in frame


def test_lines_without_notes(decode: Command) -> None:
    raw = b"FE FE FE 68AAAAAAAAAAAA681300DF16\n0x68,61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"
    done = decode("dlt645", "--hex", given=raw)
    assert [frame["line"] for frame in done.document["frames"]] == [1, 2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("garbage", [bytes(range(200)), b"not a frame at all", b"\xff" * 100, b"", b"{}\n{}"])
def test_garbage_ends_with_a_sentence_and_its_place(decode: Command, kind: str, garbage: bytes) -> None:
    done = decode(kind, given=garbage)
    assert done.code == 1
    assert not done.document["ok"]
    assert not done.document["frames"]
    (said,) = done.err.splitlines()
    assert said.startswith("liandong: ")
    assert "byte" in said


def test_garbage_is_placed_behind_the_preamble(decode: Command) -> None:
    done = decode("dlt645", given=b"\xfe\xfe\xfe\x00garbage")
    assert "byte 3: 00 67" in done.err


def test_text_that_is_not_hexadecimal_is_named_by_its_line(decode: Command) -> None:
    done = decode("modbus", "--hex", given=b"01 02\nxx | note")
    assert done.code == 1
    assert "Line 2 is not hexadecimal from character 1 on: xx" in done.err


def test_findings_speak_the_language_of_the_person(decode: Command) -> None:
    path = str(CASES / "dlt645" / "seen-in-the-field.txt")
    (finding,) = decode("dlt645", path, language="zh-CN").document["findings"]
    assert finding["what"] == "字节 18 处的校验和错误：帧中为 C6，计算值为 8E。"
