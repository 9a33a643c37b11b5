"""A gateway's share in a configuration from afar, with an agent that a test turns: faults at every step, and disks."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge import config_store
from edge.approval.file import approve
from edge.config import EdgeConfig
from edge.config_store import Versions
from edge.config_trial import Trial
from edge.configuring import Configuring
from edge.local import LocalServer
from protocols import configuration
from protocols.errors import ConfigError, DeviceError, StorageError, UnavailableError
from protocols.events import Event
from tests.unit.edge.test_config_trial import DOCUMENT, attempt, versions, wanted

HOST = "cloud"
PATIENCE_S = 20.0


class Agent:
    """What a configuration proves itself by."""

    def __init__(self) -> None:
        self.made = 1
        self.reached = True
        self.lives_by: list[EdgeConfig] = []
        self.began_anew: list[EdgeConfig] = []
        self.judge: Callable[[EdgeConfig], None] = lambda _: None

    def births(self) -> int:
        return self.made

    def answered(self) -> bool:
        return self.reached

    def online(self) -> Mapping[str, bool | None]:
        return {}

    def check(self, config: EdgeConfig) -> None:
        self.judge(config)

    def change(self, config: EdgeConfig) -> None:
        self.lives_by.append(config)
        self.made += 1

    def anew(self, config: EdgeConfig) -> None:
        self.began_anew.append(config)


class Bench:
    """One `Configuring` and the host that writes to it."""

    def __init__(self, store: Versions, agent: Agent) -> None:
        self.agent = agent
        self.events: queue.Queue[Event] = queue.Queue()
        self.configuring = Configuring(store, agent, host=HOST, tell=self.events.put, now_ms=lambda: 0)

    def next(self, *kinds: str) -> Event:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            event = self.events.get(timeout=max(0.0, deadline - time.monotonic()))
            if event.kind in kinds:
                return event

    def send(self, text: str, digest: str, number: int = 1, hold_s: int = 60) -> None:
        identity, pieces = uuid.uuid4(), configuration.to_pieces(text)
        offer = configuration.Offer(
            host=HOST, id=identity, number=number, hash=digest, pieces=len(pieces), hold_s=hold_s
        )
        self.configuring.hear(offer.model_dump_json())
        ticket = self.next(configuration.READY).data["ticket"]
        for piece, part in enumerate(pieces):
            said = configuration.Piece(host=HOST, id=identity, ticket=ticket, piece=piece, text=part)
            self.configuring.hear(said.model_dump_json())

    def outcome(self) -> Event:
        return self.next(*configuration.OUTCOMES)


@contextmanager
def bench(store: Versions, agent: Agent | None = None) -> Iterator[Bench]:
    made = Bench(store, agent or Agent())
    made.configuring.start()
    try:
        yield made
    finally:
        made.configuring.close()


def a_text(document: dict[str, Any]) -> tuple[str, str]:
    return configuration.to_toml(document), configuration.content_hash(document)


def test_a_new_agent_whose_birth_was_answered_before_anybody_looked_has_proved_itself(tmp_path: Path) -> None:
    store = versions(tmp_path)
    store.start()
    store.begin(attempt(1, wanted(port=2000)), configuration.to_toml(wanted(port=2000)))
    store.trial = Trial(devices=frozenset(), births=5, until=time.monotonic() + 3600, hold_s=3600)
    with bench(store) as made:
        assert made.outcome().kind == configuration.CONFIRMED


@pytest.mark.parametrize(
    "text",
    ["gateway = 3\n", "a" + ".a" * 5000 + " = 1\n", "[[uplink]]\n[[gateway]]\n", "driver = [1]\n"],
    ids=["no-table", "deep", "lists", "no-driver"],
)
def test_whatever_is_wrong_with_a_text_who_sent_it_hears_of_it(tmp_path: Path, text: str) -> None:
    store = versions(tmp_path)
    store.start()
    with bench(store) as made:
        made.send(text, "0" * 64)
        refused = made.outcome()
        assert (refused.kind, refused.data["error"] != "edge.config.crashed") == (configuration.REFUSED, True)
        made.send(*a_text(wanted(port=2000)), number=2)
        assert made.outcome().kind == configuration.CONFIRMED


def test_a_fault_of_our_own_in_a_check_is_an_answer_too(tmp_path: Path) -> None:
    def crash(_: EdgeConfig) -> None:
        raise RuntimeError("a bug in a driver")

    agent = Agent()
    agent.judge = crash
    store = versions(tmp_path)
    store.start()
    with bench(store, agent) as made:
        made.send(*a_text(wanted(port=2000)))
        refused = made.outcome()
        assert (refused.kind, refused.data["error"]) == (configuration.REFUSED, "edge.config.crashed")


class Disk:
    """Refuses to write while `full`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = threading.Event()
        self._replace = config_store.replace_file
        monkeypatch.setattr(config_store, "replace_file", self._write)

    def _write(self, path: Path, text: str) -> None:
        if self.full.is_set():
            raise StorageError("edge.storage.unusable", file=path, why="No space left on device")
        self._replace(path, text)


def test_a_full_disk_refuses_a_version_and_the_next_one_finds_nothing_on_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, store = Disk(monkeypatch), versions(tmp_path)
    store.start()
    with bench(store) as made:
        disk.full.set()
        made.send(*a_text(wanted(port=2000)))
        refused = made.outcome()
        assert (refused.kind, refused.data["error"]) == (configuration.REFUSED, "edge.storage.unusable")
        disk.full.clear()
        made.send(*a_text(wanted(port=2000)), number=2)
        assert made.outcome().kind == configuration.CONFIRMED


def test_what_failed_is_taken_back_also_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, store, agent = Disk(monkeypatch), versions(tmp_path), Agent()
    store.start()
    agent.reached = False
    with bench(store, agent) as made:
        made.send(*a_text(wanted(port=2000)), hold_s=1)
        made.next(configuration.TRYING)
        disk.full.set()
        assert made.outcome().kind == configuration.ROLLED_BACK
        deadline = time.monotonic() + PATIENCE_S
        while len(agent.lives_by) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert [config.uplink.port for config in agent.lives_by] == [2000, 1883]
    disk.full.clear()
    again = versions(tmp_path)
    assert again.start().uplink.port == 1883
    assert again.record.last is not None
    assert again.record.last.kind == configuration.ROLLED_BACK


def test_what_has_proved_itself_is_confirmed_once_the_disk_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, store, agent = Disk(monkeypatch), versions(tmp_path), Agent()
    store.start()
    agent.reached = False
    with bench(store, agent) as made:
        made.send(*a_text(wanted(port=2000)))
        made.next(configuration.TRYING)
        disk.full.set()
        agent.reached = True
        with pytest.raises(queue.Empty):
            made.events.get(timeout=1.5)
        disk.full.clear()
        assert made.outcome().kind == configuration.CONFIRMED
    assert versions(tmp_path).start().uplink.port == 2000


def test_an_agent_starts_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = versions(tmp_path)
    store.start()
    store.begin(attempt(1, wanted(port=2000)), configuration.to_toml(wanted(port=2000)))
    Disk(monkeypatch).full.set()
    assert versions(tmp_path).start().uplink.port == 1883


def test_a_version_that_no_driver_can_work_by_any_more_gives_way_to_the_spot(tmp_path: Path) -> None:
    store = versions(tmp_path)
    store.start()
    store.begin(attempt(1, wanted(port=2000)), configuration.to_toml(wanted(port=2000)))
    store.confirm()

    def refuses(config: EdgeConfig) -> None:
        if config.uplink.port == 2000:
            raise ConfigError("edge.config.missing", file="x", key="profile")

    assert versions(tmp_path).start().uplink.port == 2000
    assert versions(tmp_path).start(refuses).uplink.port == 1883


def test_files_outside_the_gateways_folder_are_named_on_the_spot_only(tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "key").write_text("a")
    folder = tmp_path / "gateway"
    folder.mkdir()
    (folder / "key").write_text("b")
    store = versions(folder, wanted(username="a", password_file=str(outside / "key")))
    vending = {"family": "vending", "name": "v", "device": [{"id": "m", "type": "vending"}]}
    modbus = {"family": "modbus", "name": "b", "port": "/dev/ttyS0"}
    device = {"id": "p", "type": "power-meter", "unit": 1}
    for path in (str(outside / "key"), "key"):
        store.check(configuration.to_toml(wanted(username="a", password_file=path)), 1)
    store.check(configuration.to_toml(DOCUMENT | {"driver": [vending | {"port": "/dev/ttyUSB0"}]}), 1)
    bad: list[tuple[dict[str, Any], str]] = [
        (wanted(username="a", password_file="/etc/passwd"), "uplink.password_file"),
        (wanted(username="a", password_file="../elsewhere/key"), "uplink.password_file"),
        (wanted(tls={"ca_file": "/etc/passwd"}), "uplink.tls.ca_file"),
        (DOCUMENT | {"driver": [vending | {"port": str(folder / "key")}]}, "driver[0].port"),
        (DOCUMENT | {"driver": [vending | {"port": "/dev/../etc/passwd"}]}, "driver[0].port"),
        (
            DOCUMENT | {"driver": [modbus | {"device": [device | {"profile_file": "/etc/passwd"}]}]},
            "driver[0].device[0].profile_file",
        ),
    ]
    for document, key in bad:
        with pytest.raises(ConfigError) as caught:
            store.check(configuration.to_toml(document), 1)
        assert (caught.value.code, caught.value.params["key"]) == ("edge.config.path", key)


class Slow(Agent):
    """Takes a file up once a test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may = threading.Event(), threading.Event()

    def check(self, config: EdgeConfig) -> None:
        self.asked.set()
        assert self.may.wait(PATIENCE_S)


def test_a_file_that_is_still_being_applied_keeps_its_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that the agent has not begun with is as it was, and stays so."""
    monkeypatch.setattr("edge.configuring.REREAD_S", 0.2)
    store, agent = versions(tmp_path), Slow()
    store.start()
    file, device = tmp_path / "gateway.toml", {"id": "new", "type": "water-leak", "dev_eui": "24e124136b777777"}
    device["codec"] = "milesight-ws303"
    file.write_text(file.read_text() + '\n[[driver]]\nfamily = "chirpstack"\nname = "lora"\n')
    with bench(store, agent) as made, closing(LocalServer(tmp_path, made.configuring.answer)) as server:
        server.start()
        with pytest.raises(UnavailableError) as unsaid:
            approve(file, tmp_path, "lora", device)
        assert (unsaid.value.code, agent.asked.is_set()) == ("edge.approve.open", True)
        assert "24e124136b777777" in file.read_text()
        with pytest.raises(DeviceError) as refused:
            approve(file, tmp_path, "lora", {**device, "id": "newer", "dev_eui": "24e124136b888888"})
        assert refused.value.code == "edge.config.busy"
        assert "newer" not in file.read_text()
        assert "24e124136b777777" in file.read_text()
        agent.may.set()
        made.next(configuration.RUNNING)
        made.next(configuration.RUNNING)
        assert len(agent.lives_by) == 1, "what was given up is not applied"
