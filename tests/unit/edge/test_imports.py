"""What a running agent has imported: a small gateway pays for each module with memory, all the time."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

from edge.drivers import FAMILIES

NOT_IN_AN_AGENT: Final = (
    "asyncio",
    "difflib",  # names what was meant by a wrong key
    "http.server",
    "multiprocessing",
    "numpy",
    "pydoc",
    "socketserver",
    "subprocess",
    "unittest",
    "xml",
    "benchmarks",
    "cloud",
    "simulators",
    "liandong.decode",
    "liandong.lab",
    "liandong.up",
    "edge.commissioning.html",  # the page of who commissions, and what is printed
    "edge.commissioning.sheet",
    "edge.commissioning.terminal",
    "edge.doctor.agent",
    "edge.doctor.diagnosis",
    "edge.page.server",  # where no table [page] stands
    "edge.scan.search",
)
"""What belongs to commands, to pages or to other programs, and what costs much and is not needed to run."""

OF_FAMILIES: Final = {
    "asyncio": {"modbus"},
    "gpiozero": {"gpio"},
    "osdp_sys": {"osdp"},
    "pymodbus": {"modbus"},
    "serial": {"line", "meters", "modbus", "vending"},
    "edge.drivers.broker": {"chirpstack", "zigbee2mqtt"},
    "edge.drivers.chirpstack": {"chirpstack"},
    "edge.drivers.firepanel": {"gb26875"},
    "edge.drivers.gpio": {"gpio"},
    "edge.drivers.meters": {"line", "meters"},
    "edge.drivers.modbus": {"modbus"},
    "edge.drivers.osdp": {"osdp"},
    "edge.drivers.textline": {"line"},
    "edge.drivers.vending": {"vending"},
    "edge.drivers.web": {"http"},
    "edge.drivers.zigbee2mqtt": {"zigbee2mqtt"},
    "protocols.access": {"osdp"},
    "protocols.evadts": {"vending"},
}
"""Module → the families of drivers that bring it; no others do, and no agent has it without one of them."""

TABLES: Final = {
    "no driver": "",
    "a device that sends lines": """
[[driver]]
family = "line"
name = "scale"
tcp = "127.0.0.1:9"
[[driver.device]]
id = "scale-1"
type = "climate"
pattern = "(?P<t>[0-9]+)"
value = [{ group = "t", metric = "temperature" }]
""",
}

RUNNING: Final = """
import json, sys
from pathlib import Path
from liandong.cli import parse
parse(["edge", "run", "--config", sys.argv[1]], "en")
import edge.run
from edge.app import EdgeAgent
from edge.config import load_config
agent = EdgeAgent(load_config(Path(sys.argv[1])))
agent.start()
agent.works()
print(json.dumps(sorted(sys.modules)))
agent.stop()
"""
EACH_FAMILY: Final = """
import json, os, sys
import edge.app
from edge.drivers import FAMILIES
for family, load in FAMILIES.items():
    child = os.fork()
    if not child:
        load()
        print(json.dumps([family, sorted(sys.modules)]), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def told(program: str, *arguments: str) -> list[Any]:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not done.returncode, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("driver", TABLES.values(), ids=TABLES.keys())
def test_a_running_agent(tmp_path: Path, driver: str) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(f'[gateway]\ngroup = "g"\nnode = "n"\n[uplink]\nhost = "127.0.0.1"\nport = 9\n{driver}')
    (modules,) = told(RUNNING, str(config))
    assert {"edge.pipeline", "edge.uplink.uplink", "edge.configuring"} <= set(modules)
    assert not set(NOT_IN_AN_AGENT) & set(modules)


def test_a_family_brings_its_own() -> None:
    loaded = {family: set(modules) for family, modules in told(EACH_FAMILY)}
    assert loaded.keys() == FAMILIES.keys()
    assert {name: {family for family in loaded if name in loaded[family]} for name in OF_FAMILIES} == OF_FAMILIES


def test_the_lists_name_modules_that_exist() -> None:
    assert [name for name in (*NOT_IN_AN_AGENT, *OF_FAMILIES) if find_spec(name) is None] == []
