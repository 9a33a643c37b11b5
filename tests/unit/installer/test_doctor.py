"""The doctor's grades, sentences and exit codes; the machine's files are stand-ins below a folder."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge import machine
from edge.config import UplinkTable
from edge.doctor import agent
from edge.doctor.certificate import valid_until
from edge.doctor.checks import AGENT, Check, Diagnosis, Grade, exit_code
from edge.doctor.machine import look
from edge.doctor.screen import columns, fitted, lines, wrapped
from edge.doctor.words import advice, document, told, values
from edge.tally import HALF_MS, Tally
from edge.uplink.link import refused, unreachable
from protocols.catalog import DEVICE_TYPES
from protocols.messages import LANGUAGES, catalogue, sentence

HERE = Path(__file__).parent


def files(root: Path, **content: str) -> Path:
    for name, text in content.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def diagnosis(*checks: Check, running: bool = True) -> Diagnosis:
    return Diagnosis(group="peach-garden", node="gw-1", name="", at_ms=0, running=running, checks=checks)


def device(**data: Any) -> dict[str, Any]:
    known = {
        "driver": "bus",
        "type": "door",
        "round_trip_ms": 12.0,
        "jitter_ms": None,
        "asked": 100,
        "failed": 0,
        "values": {"contact-open": {"value": False, "quality": "good"}, "tamper": {"value": False, "quality": "good"}},
    }
    return {"name": "device/door-3-1", "ok": True, "code": "edge.status.device-online", "data": known | data}


def test_a_door_is_told_in_words() -> None:
    (check,) = agent.look([device()], 0, tls=False)
    assert told(check, "en") == "closed, reader online 12.0 ms, 0.0 % errors"
    assert told(check, "zh-CN") == "门已关，读卡器在线 12.0 毫秒，错误率 0.0 %"
    assert check.grade is Grade.WELL
    (check,) = agent.look([device(where="3/1/hall Main door")], 0, tls=False)
    assert told(check, "en") == "3/1/hall Main door: closed, reader online 12.0 ms, 0.0 % errors"
    assert told(check, "zh-CN").startswith("3/1/hall Main door：门已关，")


def test_a_line_that_loses_questions_needs_attention() -> None:
    (check,) = agent.look([device(failed=10)], 0, tls=False)
    assert (check.grade, check.todo) == (Grade.ATTENTION, "edge.doctor.do-line")
    assert "10.0 % errors" in told(check, "en")


def test_a_silent_device_says_why_and_a_silent_bus_blames_the_line() -> None:
    cause = {"code": "edge.driver.modbus.silent", "params": {"unit": "9", "port": "/dev/ttyUSB0"}}
    away = device(cause=cause) | {"ok": False, "code": "edge.status.device-offline"}
    bus: dict[str, Any] = {
        "name": "driver/bus",
        "ok": True,
        "code": "edge.status.driver-running",
        "data": {"family": "modbus", "line": "/dev/ttyUSB0", "restarts": 0, "cause": None, "error": ""},
    }
    bus_check, check = agent.look([bus, away], 0, tls=False)
    assert check.grade is Grade.WRONG
    assert "Unit 9 on /dev/ttyUSB0 does not answer: check its power" in told(check, "en")
    assert (bus_check.grade, bus_check.code) == (Grade.WRONG, "edge.doctor.port-missing")
    for family, line, todo in (
        ("modbus", "/dev/null", "do-bus-silent"),
        ("modbus", "10.0.0.9:502", "do-bus-silent-network"),
        ("zigbee2mqtt", "127.0.0.1:1883", "do-bus-silent-bridge"),
    ):
        bus["data"] = {**bus["data"], "family": family, "line": line}
        bus_check, _ = agent.look([bus, away], 0, tls=False)
        assert (bus_check.code, bus_check.todo) == ("edge.doctor.bus-silent", f"edge.doctor.{todo}")


def test_a_clock_is_compared_only_with_what_is_known() -> None:
    data = {"skew_ms": None, "skew": "", "step": ""}
    clock = {"name": "clock", "ok": True, "code": "edge.status.clock-kernel", "data": data}
    (check,) = agent.look([clock], 0, tls=False)
    assert told(check, "en") == "known, set by a time server"
    clock["data"] = {"skew_ms": -6, "skew": "-6 ms", "step": "+3.0 s"}
    (check,) = agent.look([clock], 0, tls=False)
    assert told(check, "en") == "known, set by a time server; the cloud's clock beside it: -6 ms; last set by +3.0 s"
    assert told(check, "zh-CN").endswith("；云端时钟与其相差 -6 ms；最近一次校准 +3.0 s")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [80, 120])
def test_a_small_screen_keeps_what_is_wrong_and_folds_what_is_well(language: Any, width: int) -> None:
    doors = [device() | {"name": f"device/door-{number}"} for number in range(60)]
    doors[7]["code"] = "edge.status.device-unknown"
    checks = agent.look(doors, 0, tls=False)
    assert len(list(lines(diagnosis(*checks), language, width))) > 24
    shown = fitted(diagnosis(*checks), language, width, 23)
    assert len(shown) <= 23
    assert [line for line in shown if line.startswith("! door-7 ")]
    assert "59" in "".join(shown)
    assert "door-59" in "".join(shown)
    parts = ("disk", "memory", "temperature", "network", "broker", "outbox", "clock")
    own = [Check(name=name, grade=Grade.WELL, code="edge.doctor.untold") for name in parts]
    first = fitted(diagnosis(*own, *checks[:5]), language, width, 12)
    assert len([line for line in first if line.startswith("✓ door-")]) == 5, "devices are folded last"
    assert fitted(diagnosis(*checks), language, width, 500) == list(lines(diagnosis(*checks), language, width))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (socket.gaierror(-2, "Name or service not known"), "edge.uplink.no-such-name"),
        (ConnectionRefusedError(111, "refused"), "edge.uplink.nobody-there"),
        (TimeoutError("timed out"), "edge.uplink.no-answer"),
        (OSError(113, "No route to host"), "edge.uplink.broker-away"),
    ],
)
def test_why_a_broker_is_not_reached_is_told_in_words(error: OSError, code: str) -> None:
    found = unreachable(UplinkTable(host="broker.example"), error, 8.0)
    assert found.code == code
    assert all("{" not in sentence(found.code, found.params, language) for language in LANGUAGES)
    assert refused("broker.example", "Not authorized").code == "edge.uplink.not-let-in"


def test_values_that_no_catalogue_names_are_still_told() -> None:
    found = {"something": {"value": 1.5}, "flag": {"value": True}, "gone": {"value": None}}
    assert values("nothing-known", found, "en") == "something 1.5, flag true, gone without a value"
    assert values("door", {}, "en") == "no value yet"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_and_metric_has_its_word(language: Any) -> None:
    words = catalogue("edge", language)
    metrics = [metric for row in DEVICE_TYPES.values() for metric in row.metrics]
    booleans = {metric.name for metric in metrics if metric.datatype == "Boolean"}
    numbers = {metric.name for metric in metrics} - booleans
    assert {f"edge.state.{name}.{value}" for name in booleans for value in ("on", "off")} <= words.keys()
    assert {f"edge.metric.{name}" for name in numbers} <= words.keys()


@pytest.mark.parametrize(
    ("days", "grade"), [(400, Grade.WELL), (29, Grade.ATTENTION), (0, Grade.ATTENTION), (-1, Grade.WRONG)]
)
def test_a_certificate_is_graded_by_what_is_left(days: int, grade: Grade) -> None:
    day = 86_400_000
    assert agent.certificate(days * day + 1, 0).grade is grade
    assert agent.certificate(None, 0).grade is Grade.ATTENTION


@pytest.mark.parametrize("file", ["before-2050", "after-2050"])
def test_the_end_of_a_certificate_is_read_from_its_file(file: str) -> None:
    expected = {
        "before-2050": datetime(2036, 1, 2, 3, 4, 5, tzinfo=UTC),
        "after-2050": datetime(2076, 1, 2, 3, 4, 5, tzinfo=UTC),
    }
    assert valid_until(HERE / "certificates" / f"{file}.pem") == expected[file]


def test_what_is_no_certificate_has_no_end(tmp_path: Path) -> None:
    for text in ("", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"):
        files(tmp_path, **{"x.pem": text})
        assert valid_until(tmp_path / "x.pem") is None


def test_exit_codes_tell_the_condition() -> None:
    well, care, wrong = (Check(name=grade.word, grade=grade, code="edge.doctor.untold") for grade in Grade)
    stopped = Check(name=AGENT, grade=Grade.ATTENTION, code="edge.doctor.agent-stopped")
    assert exit_code(diagnosis(well)) == 0
    assert exit_code(diagnosis(well, wrong, care)) == 1
    assert exit_code(diagnosis(well, care)) == 3
    assert exit_code(diagnosis(stopped, well, running=False)) == 4
    assert exit_code(diagnosis(stopped, care, running=False)) == 3


def test_the_machine_is_read_from_the_kernels_files(tmp_path: Path) -> None:
    root = files(
        tmp_path,
        proc__meminfo="MemTotal: 1000000 kB\nMemFree: 1 kB\nMemAvailable: 20000 kB\n",
        sys__class__thermal__thermal_zone0__temp="51000\n",
        sys__class__thermal__thermal_zone1__temp="88500\n",
        sys__block__mmcblk0__device__life_time="0x01 0x09\n",
        proc__net__route="Iface Destination Gateway Flags\nwlan0 00000000 0101A8C0 0003 0 0 0\n",
        proc__net__wireless="Inter-| sta\n face | tus\nwlan0: 0000   14.  -80.  -256\n",
    )
    checks = {check.name: check for check in look(tmp_path, "broker.example", root)}
    assert checks["memory"].grade is Grade.WRONG
    assert checks["temperature"].grade is Grade.WRONG
    assert checks["temperature"].data["celsius"] == 88.5
    assert (checks["flash"].grade, checks["flash"].data["percent"]) == (Grade.ATTENTION, 90.0)
    assert (checks["network"].grade, checks["network"].data["quality"]) == (Grade.ATTENTION, 20.0)
    assert all(advice(check, "zh-CN") for check in checks.values() if check.grade)


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    checks = {check.name: check for check in look(tmp_path, "broker.example", tmp_path)}
    assert checks["network"].grade is Grade.WRONG
    assert {check.name: check.grade for check in look(tmp_path, "127.0.0.1", tmp_path)}["network"] is Grade.WELL
    assert machine.wear_percent(tmp_path) is None
    assert machine.Processor(tmp_path).percent() is None


def test_the_processors_share_is_of_the_time_between(tmp_path: Path) -> None:
    files(tmp_path, proc__stat="cpu 100 0 100 800 0 0 0 0\n")
    processor = machine.Processor(tmp_path)
    files(tmp_path, proc__stat="cpu 150 0 125 825 0 0 0 0\n")
    assert processor.percent() == 75.0
    assert processor.percent() is None, "no time has passed"


def test_a_tally_covers_the_last_minutes_only() -> None:
    tally = Tally()
    for number in range(10):
        tally.count(failed=number < 2, now_ms=1_000_000)
    assert tally.sums(1_000_000 + HALF_MS) == (10, 2)
    tally.count(failed=False, now_ms=1_000_000 + HALF_MS + 1)
    assert tally.sums(1_000_000 + HALF_MS + 2) == (11, 2)
    assert tally.sums(1_000_000 + 3 * HALF_MS) == (0, 0)


def test_a_tally_keeps_the_worst_jitter_of_the_last_minutes() -> None:
    tally = Tally()
    assert tally.jitter_s(1_000_000) is None
    for jitter_s in (0.1, 0.4, None, 0.2):
        tally.count(failed=False, now_ms=1_000_000, jitter_s=jitter_s)
    assert tally.jitter_s(1_000_000) == 0.4
    tally.count(failed=False, now_ms=1_000_000 + HALF_MS, jitter_s=0.3)
    assert tally.jitter_s(1_000_000 + HALF_MS) == 0.4
    assert tally.jitter_s(1_000_000 + 2 * HALF_MS) == 0.3
    assert tally.jitter_s(1_000_000 + 4 * HALF_MS) is None


def test_a_bus_says_how_well_its_periods_are_kept() -> None:
    driver = {"family": "modbus", "line": "/dev/null", "restarts": 0, "cause": None, "error": ""}
    bus: dict[str, Any] = {"name": "driver/bus", "ok": True, "code": "edge.status.driver-running", "data": driver}
    check, _ = agent.look([bus, device(jitter_ms=80.5)], 0, tls=False)
    assert check.data["jitter_ms"] == 80.5
    assert "periods kept to 80.5 ms" in told(check, "en")
    assert "周期偏差不超过 80.5 毫秒" in told(check, "zh-CN")


def test_lines_keep_their_width_and_words_stay_whole() -> None:
    text = "请检查 [uplink] 的 host、port、username、tls，以及防火墙是否放行；期间数据不会丢失。"
    rows = wrapped(text, 24)
    assert all(columns(row) <= 26 for row in rows)  # a full stop may hang over
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")
    assert any("username" in row for row in rows)
    found = diagnosis(Check(name="disk", grade=Grade.WRONG, code="edge.doctor.disk-read-only", data={"folder": "/x"}))
    shown = list(lines(found, "zh-CN", 60))
    assert shown[1].startswith("✗ 磁盘 ")
    assert document(found, "en")["checks"][0]["grade"] == "wrong"
