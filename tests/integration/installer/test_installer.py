"""From cables to a page: a scan of the simulators' lines, an agent by what it proposes, the doctor and the page."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.config import load_config
from edge.doctor.checks import Grade
from edge.doctor.diagnosis import diagnose
from liandong.cli import main
from tests.integration.installer.rig import KEY, Site, eventually, running
from tests.services.brokers import Broker
from tests.services.ports import free_port


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    site.start()
    try:
        yield site
    finally:
        site.stop()


def scan(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any], str]:
    code = main(["edge", "scan", *map(str, words), "--json"])
    captured = capfd.readouterr()
    return code, json.loads(captured.out), captured.err


def grades(file: Path) -> dict[str, Grade]:
    return {check.name: check.grade for check in diagnose(load_config(file)).checks}


def test_what_a_scan_proposes_runs_and_is_diagnosed(
    site: Site, iotcore_broker: Broker, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.toml"
    ports = (site.bus, site.door, site.machine)
    code, told, said = scan(
        capfd,
        *ports,
        "--addresses",
        "1-8",
        "--write",
        file,
        "--config",
        file,
        "--group",
        "peach-garden",
        "--node",
        "gw-1",
    )
    assert code == 0, said
    found = [(one["kind"], one["address"], one["model"]) for one in told["found"]]
    assert found[:2] == [("modbus", 3, "eastron-sdm120"), ("modbus", 7, "xy-md02")]
    assert [one[:2] for one in found[2:]] == [("osdp", 5), ("dex", None)]
    key = tmp_path / "keys" / "door-1.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.write_text(KEY.hex())
    page = free_port()
    text = file.read_text("utf-8").replace("port = 1883", f"port = {iotcore_broker.port}")
    file.write_text(text.replace("[page]\n", f"[page]\nport = {page}\n"), "utf-8")

    before = grades(file)
    assert before.pop("agent") is Grade.ATTENTION
    assert {name: grade for name, grade in before.items() if name.startswith("bus/") or name == "broker"} == {
        "broker": Grade.WELL,
        "bus/modbus-1": Grade.WELL,
        "bus/osdp-2": Grade.WELL,
        "bus/dex-3": Grade.WELL,
    }
    with running(file) as agent:
        devices = ("power-meter-1", "cold-chain-1", "door-1", "vending-1")
        eventually(lambda: all(grades(file)[f"device/{name}"] is Grade.WELL for name in devices), "all devices answer")
        with urllib.request.urlopen(f"http://127.0.0.1:{page}/status.json", timeout=20) as answer:
            shown = {check["name"]: check for check in json.load(answer)["checks"]}
        assert {"disk-free", "memory-available", "memory"} <= agent._board.latest("").keys()
        assert shown["device/door-1"]["sentence"].startswith("closed, reader online ")
        assert {name for name in shown if "/" in name} == {name for name in grades(file) if "/" in name}

        code, told, _ = scan(capfd, site.bus, "--config", file)
        assert code == 1
        assert told["found"] == []
        assert "held by the running agent (driver modbus-1)" in told["refused"][0]["sentence"]
        code, told, _ = scan(capfd, site.bus, "--config", tmp_path / "another" / "gateway.toml")
        assert "is held by another program" in told["refused"][0]["sentence"], "also when nobody says who"

        site.modbus.triggers()["unplug"]("meter", {})
        eventually(lambda: grades(file)["bus/modbus-1"] is Grade.WRONG, "the pulled cable is told")
        assert main(["edge", "doctor", "--config", str(file)]) == 1
        screen = capfd.readouterr().out
        assert "is the adapter plugged in" in " ".join(screen.split())
        site.modbus.triggers()["plug"]("meter", {})
        # The errors of the last minutes may still want attention; what counts is that everything on it answers again.
        again = ("bus/modbus-1", "device/power-meter-1", "device/cold-chain-1")
        eventually(lambda: all(grades(file)[name] is not Grade.WRONG for name in again), "it is plugged in again")

    with running(file):  # a door that stays closed has nothing to tell
        eventually(lambda: grades(file)["device/door-1"] is Grade.WELL, "the door answers again")
        told = {check.name: dict(check.data) for check in diagnose(load_config(file)).checks}["device/door-1"]
        assert told["values"]["contact-open"]["value"] is False


def test_a_line_that_is_named_from_here_is_named_wholly_in_a_file_that_lies_elsewhere(
    site: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site.bus.parent)
    file = tmp_path / "etc" / "gateway.toml"
    words = (site.bus.name, "--kind", "modbus", "--addresses", "3", "--write", file, "--config", file)
    assert scan(capfd, *words)[0] == 0
    assert f'port = "{site.bus}"' in file.read_text("utf-8")


def test_nothing_is_overwritten_and_a_missing_port_is_told(
    site: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[gateway]\n")
    words = ["edge", "scan", str(site.bus), "--kind", "modbus", "--addresses", "3", "--write", str(file)]
    assert main(words) == 1
    assert "is not overwritten" in capfd.readouterr().err
    assert file.read_text() == "[gateway]\n"
    code, told, _ = scan(capfd, tmp_path / "nowhere", "--config", file)
    assert (code, "is not there" in told["refused"][0]["sentence"]) == (1, True)
    assert main(["edge", "scan", "--addresses", "0-300"]) == 2
