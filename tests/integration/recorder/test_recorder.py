"""A line with real drivers and simulated devices, recorded by the command, read by `decode`, and replayed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.drivers.modbus import FAMILY, ModbusConfig, ModbusDriver
from protocols import recording
from simulators.hardware.line import PtyLine
from simulators.hardware.modbus import ModbusBus, PowerMeter
from simulators.hardware.vending import Selection, VendingMachine
from tests.integration.modbus.agent import Agent, Ledger, until
from tests.integration.vending.rig import BAUD, FileContext, MemoryLedger, Running, make_driver

METER = "meter-1"
SIM = (sys.executable, "-m", "liandong", "sim")


@contextmanager
def sim(*words: object) -> Iterator[subprocess.Popen[str]]:
    """``liandong sim …`` from when it says that it is ready, until it has ended at our SIGTERM."""
    with subprocess.Popen([*SIM, *map(str, words)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        assert "Ctrl-C" in told, told
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def driver(port: Path) -> ModbusDriver:
    device = {"id": METER, "type": "power-meter", "unit": 1, "profile": "eastron-sdm120", "interval_s": 0.3}
    table = {"family": "modbus", "name": "bus-1", "port": port, "timeout_s": 0.5, "retry_max_s": 1, "device": [device]}
    made = FAMILY.make(ModbusConfig.model_validate(table))
    assert isinstance(made, ModbusDriver)
    return made


def test_a_bus_is_recorded_decoded_and_replayed(tmp_path: Path) -> None:
    ledger = Ledger()
    bus = ModbusBus(
        PtyLine(tmp_path / "rs485"),
        [PowerMeter(METER, 1, random.Random(1))],
        ledger=ledger,
        rng=random.Random(3),
        baud=38400,
    )
    out, tap = tmp_path / "bus.rec", tmp_path / "tap"
    bus.start()
    try:
        with sim("record", "--device", tmp_path / "rs485", "--baud", 38400, "--at", tap, "--out", out):
            agent = Agent()
            with agent.running(driver(tap)):
                until(lambda: len(agent.values(METER, "energy-total")) >= 3)
            before = [ledger.values(METER, "energy-total")]
            bus.triggers()["unplug"](METER, {})
            until(lambda: " lost: " in out.read_text("utf-8"))
            bus.triggers()["plug"](METER, {})
            agent = Agent()
            with agent.running(driver(tap)):
                until(lambda: agent.values(METER, "energy-total"))
    finally:
        bus.stop()
    bursts = recording.read(out.read_text("utf-8"))
    assert {burst.way for burst in bursts} == {"to", "from"}

    decoded = subprocess.run(
        [sys.executable, "-m", "liandong", "decode", "modbus", "--hex", out], capture_output=True, text=True, check=True
    )
    document = json.loads(decoded.stdout)
    assert document["ok"], document["findings"]
    assert len(document["frames"]) == len(bursts)
    assert document["frames"][0]["note"].endswith(" to")

    again = tmp_path / "again"
    with sim("replay", out, "--at", again):
        agent = Agent()
        with agent.running(driver(again)):
            until(lambda: len(agent.values(METER, "energy-total")) >= 3)
    assert agent.values(METER, "energy-total")[:2] == before[0][:2]


def test_a_whole_dex_session_is_replayed_over_tcp_speed_and_all(tmp_path: Path) -> None:
    selections = [Selection(number="11", product="WATER", price=200)]
    machine = VendingMachine(
        tmp_path / "dex", "vending-1", selections, ledger=MemoryLedger(), rng=random.Random(7), baud=BAUD
    )
    out, tap, again = tmp_path / "dex.rec", tmp_path / "tap", tmp_path / "again"

    def audits(port: Path, folder: str) -> list[object]:
        ctx = FileContext(tmp_path / folder)
        running = Running(make_driver(port, interval_s=1.0), ctx)
        try:
            until(lambda: len(ctx.rows()) >= 1)
            return [row["readings"] for row in ctx.rows()][:1]
        finally:
            running.end()

    machine.start()
    try:
        with sim("record", "--device", tmp_path / "dex", "--baud", BAUD, "--at", tap, "--out", out):
            first = audits(tap, "first")
    finally:
        machine.stop()
    with sim("replay", out, "--at", again):
        assert len(audits(again, "second")) == len(first) == 1


def refused(*words: object) -> tuple[int, str]:
    done = subprocess.run([*SIM, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def test_a_recording_is_never_overwritten_and_a_line_that_is_not_there_leaves_none(tmp_path: Path) -> None:
    out, nowhere = tmp_path / "line.rec", tmp_path / "nowhere"
    code, told = refused("record", "--device", nowhere, "--out", out)
    assert (code, str(nowhere) in told, out.exists()) == (1, True, False)
    out.write_text("mine")
    code, told = refused("record", "--device", nowhere, "--out", out)
    assert (code, str(out) in told, out.read_text()) == (2, True, "mine")
    code, told = refused("replay", out, "--at", tmp_path / "tap")
    assert (code, "liandong recording" in told) == (2, True)


@pytest.mark.parametrize("at", ["tcp:70000", "tcp:soon"])
def test_a_port_that_is_none_is_told(tmp_path: Path, at: str) -> None:
    code, told = refused("record", "--device", tmp_path / "x", "--at", at, "--out", tmp_path / "out")
    assert (code, at in told) == (2, True)
