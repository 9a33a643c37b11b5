"""A device nobody named: heard, listed in words, approved on the spot, and live; nothing of the others is disturbed."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.app import EdgeAgent
from edge.config_store import Versions
from edge.doctor.diagnosis import of_running
from edge.doctor.words import document
from liandong.cli import main
from protocols.messages import Language
from simulators.hardware.chirpstack import NetworkServer, make_device
from simulators.hardware.field_client import FieldBroker
from simulators.hardware.zigbee import ZigbeeBridge
from simulators.hardware.zigbee import make_device as make_zigbee
from tests.integration.edge.host import Host
from tests.integration.modbus.agent import Ledger, until
from tests.services.brokers import Broker

EUI = "24e124136b777777"


@pytest.fixture
def file(tmp_path: Path, iotcore_broker: Broker) -> Path:
    made = tmp_path / "gateway.toml"
    made.write_text(
        f"""# written by hand
[gateway]
group = "estate"
node = "gw-1"

[uplink]
host = "127.0.0.1"
port = {iotcore_broker.port}

[[driver]]
family = "chirpstack"
name = "lora-1"
port = {iotcore_broker.port}

[[driver.device]]
id = "sos-1"
type = "sos-button"
dev_eui = "24e1240000000001"
codec = "milesight-ws101-sos"

[[driver]]
family = "zigbee2mqtt"
name = "zigbee-1"
port = {iotcore_broker.port}
""",
        encoding="utf-8",
    )
    return made


@pytest.fixture
def host(iotcore_broker: Broker) -> Iterator[Host]:
    with Host(iotcore_broker.port) as made:
        made.state(online=True)
        yield made


@pytest.fixture
def agent(file: Path) -> Iterator[EdgeAgent]:
    versions = Versions(file)
    made = EdgeAgent(versions.start(), versions)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def lora(iotcore_broker: Broker) -> Iterator[NetworkServer]:
    button = make_device("sos-1", "WS101-SOS", "24e1240000000001", random.Random(1))
    made = NetworkServer(FieldBroker(port=iotcore_broker.port), [button], ledger=Ledger(), rng=random.Random(2))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def zigbee(iotcore_broker: Broker) -> Iterator[ZigbeeBridge]:
    siren = make_zigbee("siren", "siren", "siren", random.Random(1))
    made = ZigbeeBridge(FieldBroker(port=iotcore_broker.port), [siren], ledger=Ledger())
    made.start()
    yield made
    made.stop()


def waiting(agent: EdgeAgent) -> dict[str, str]:
    return {one.address: one.type for listed in agent._board.strangers().values() for one in listed}


def test_from_a_join_to_a_live_device(
    file: Path,
    host: Host,
    agent: EdgeAgent,
    lora: NetworkServer,
    zigbee: ZigbeeBridge,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIANDONG_LANG", "en")

    def met() -> bool:
        lora.triggers()["join"]("", {"eui": EUI, "profile": "WS303"})
        zigbee.triggers()["join"]("", {"name": "kitchen leak"})
        return waiting(agent).keys() >= {EUI, "kitchen leak", "siren"}

    until(met)
    until(lambda: waiting(agent)["kitchen leak"] == "water-leak" == waiting(agent)[EUI])
    found = document(of_running(agent._config, agent.report()), "en")
    told = {check["name"]: check for check in found["checks"]}[f"waiting/{EUI}"]
    assert (told["grade"], "Milesight WS303" in told["sentence"]) == ("attention", True)
    assert f"liandong edge approve {EUI}" in told["todo"]
    before = agent._board.drivers()["zigbee-1"]

    assert main(["edge", "approve", "--config", str(file)]) == 0
    assert EUI in capsys.readouterr().out
    assert main(["edge", "approve", EUI, "--id", "leak-9", "--set", "interval_s=600", "--config", str(file)]) == 0
    text = file.read_text("utf-8")
    assert text.startswith("# written by hand\n")
    assert tomllib.loads(text)["driver"][0]["device"][1] == {
        "id": "leak-9",
        "type": "water-leak",
        "dev_eui": EUI,
        "codec": "milesight-ws303",
        "interval_s": 600,
    }
    assert file.with_name("gateway.toml.before").is_file()
    assert agent._board.drivers()["zigbee-1"] == before, "the other driver was not disturbed"

    def lives() -> bool:
        lora.triggers()["join"]("", {"eui": EUI, "profile": "WS303"})
        return agent._board.devices()["leak-9"].online is True and "leak" in agent._board.latest("leak-9")

    until(lives)
    assert EUI not in waiting(agent)
    host.until(lambda seen: any("device.waiting-over" in text for text in seen.values(None, "Event")))
    told_up = [text for text in host.values(None, "Event") if '"device.waiting"' in text]
    assert all(any(address in text for text in told_up) for address in (EUI, "kitchen leak", "siren"))


def test_a_mistake_leaves_the_file_as_it_was(
    file: Path,
    agent: EdgeAgent,
    lora: NetworkServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIANDONG_LANG", "en")

    def met() -> bool:
        lora.triggers()["join"]("", {"eui": EUI, "profile": "WS303"})
        return EUI in waiting(agent)

    until(met)
    text = file.read_text("utf-8")
    for words, said in [
        (["24e124136b000000", "--id", "x"], "Nobody called"),
        ([EUI], "--id"),
        ([EUI, "--id", "sos-1"], "taken already"),
        ([EUI, "--id", "leak-9", "--set", "codec=milesight-ws999"], "milesight-ws303"),
        ([EUI, "--id", "leak-9", "--set", "what"], "KEY=VALUE"),
        ([EUI, "--id", "leak-9", "--type", "no-such-type"], "no-such-type"),
    ]:
        assert main(["edge", "approve", *words, "--config", str(file)]) != 0
        assert said in capsys.readouterr().err
        assert file.read_text("utf-8") == text
    assert agent._board.devices().keys() == {"sos-1"}


def test_that_the_list_is_full_is_told_in_both_languages(agent: EdgeAgent, lora: NetworkServer) -> None:
    euis = iter(range(0x24E124136B000000, 2**63))

    def full() -> bool:
        lora.triggers()["join"]("", {"eui": f"{next(euis):016x}", "profile": "WS303"})
        return bool(agent._board.unlisted())

    until(full)
    report = agent.report()
    assert "unlisted/lora-1" in [part["name"] for part in report["parts"]]
    wanted: dict[Language, str] = {"en": "32 unknown devices wait at lora-1", "zh-CN": "lora-1 已有 32 台未知设备"}
    for language, said in wanted.items():
        checks = document(of_running(agent._config, report), language)["checks"]
        told = next(check for check in checks if check["name"] == "unlisted/lora-1")
        assert (told["grade"], said in told["sentence"], bool(told["todo"])) == ("attention", True, True)
