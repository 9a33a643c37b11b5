"""A day of an installer: real agents, broker, cloud and database. Commissioned, walked through, handed over."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.identity import sessions
from cloud.registry.estate import import_estate
from cloud.storage.database import Database
from cloud.storage.migrate import migrate
from edge.config import parse_config
from liandong.cli import main
from protocols import configuration
from protocols.events import Event, Reading
from tests.integration.edge.bench import Bench, BenchDriver, document
from tests.integration.ingest.service import Service
from tests.services.brokers import Broker

ESTATE = Path(__file__).parents[3] / "simulators" / "scenarios" / "peach-garden" / "estate.toml"
API = "/api/v1/gateways/peach-garden"
HOME = "donggang/taoyuan/peach-garden/3/1/301"
PATIENCE_S = 60.0


def eventually(holds: Callable[[], Any], what: str) -> Any:
    """What `holds` gives once it is true."""
    end = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.1)
    return found


class Gateway:
    """An agent in this process with devices that a test works by hand, and the command line beside it."""

    def __init__(self, folder: Path, node: str, port: int, devices: dict[str, str]) -> None:
        folder.mkdir()
        self.file = folder / "gateway.toml"
        made = document(port)
        made["gateway"] |= {"node": node, "data": str(folder / "data"), "name": f"Gateway {node}"}
        made["driver"][0]["device"] = [{"id": name, "type": kind} for name, kind in devices.items()]
        self._bench = Bench()
        self._config = parse_config(made, self.file, self._bench.families)
        self.file.write_text(configuration.to_toml({key: made[key] for key in ("gateway", "uplink")}), "utf-8")
        (folder / "data").mkdir()

    @property
    def driver(self) -> BenchDriver:
        return self._bench.driver

    @contextmanager
    def running(self) -> Iterator[None]:
        from edge.app import EdgeAgent

        agent = EdgeAgent(self._config)
        agent.start()
        try:
            assert self.driver.started.wait(10)
            assert self.driver.ctx is not None
            for device in self.driver.devices:
                self.driver.ctx.status(device.id, online=True)
            yield
        finally:
            agent.stop()

    def reads(self, device: str, metric: str, value: Any) -> None:
        now_ms = self.driver.ctx.now_ms() if self.driver.ctx is not None else 0
        self.driver.emit(Reading(device=device, metric=metric, value=value, at_ms=now_ms), durable=True)

    def happens(self, device: str, kind: str) -> None:
        now_ms = self.driver.ctx.now_ms() if self.driver.ctx is not None else 0
        self.driver.emit(Event(device=device, kind=kind, at_ms=now_ms), durable=True)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """A command of ``liandong edge``; its exit code and what it printed."""
    capsys.readouterr()
    code = main(["edge", *words])
    return code, capsys.readouterr().out


@contextmanager
def signed_in(database: Database, port: int, login: str) -> Iterator[httpx.Client]:
    with database.transaction() as tx:
        token = sessions.make_link(tx, login, datetime.now(UTC))
    base = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=base, headers={"Origin": base}, timeout=20) as client:
        eventually(lambda: _answers(client), "the service answers")
        assert client.post("/api/v1/session/link", json={"token": token}).status_code == 200
        yield client


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/in").status_code == 200
    except httpx.TransportError:
        return False


def test_commissioned_walked_through_and_handed_over(
    postgres: str,
    iotcore_broker: Broker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIANDONG_LANG", "en")
    with ExitStack() as stack:
        database = Database(postgres)
        database.open()
        stack.callback(database.close)
        migrate(database)
        import_estate(database, ESTATE)
        new = Gateway(tmp_path / "new", "gw-2", iotcore_broker.port, {"smoke-9": "smoke", "sos-9": "sos-button"})
        other = Gateway(tmp_path / "other", "gw-1", iotcore_broker.port, {"smoke-8": "smoke"})
        stack.enter_context(new.running())
        new.reads("smoke-9", "smoke", False)

        # Offline: the cloud is not there yet.
        there = ["--config", str(new.file)]
        wrong = run(capsys, "commission", *there, "--device", "smoke-9", "--place", "3//502")
        assert wrong[0] == 1
        assert run(capsys, "commission", *there, "--device", "smoke-9", "--place", "3/1/301", "--name", "Hall")[0] == 0
        listed = json.loads(run(capsys, "commission", *there, "--list", "--json")[1])
        assert [row["stage"] for row in listed["devices"]] == ["placed", "unplaced"]

        service = Service(tmp_path, postgres, iotcore_broker.port, "liandong")
        service.ready()
        stack.callback(service.stop)
        stack.enter_context(other.running())
        assert (
            main(["edge", "commission", "--config", str(other.file), "--device", "smoke-8", "--place", "3/1/502"]) == 0
        )
        page = stack.enter_context(signed_in(database, service.port, "chenjing"))

        def device(gateway: str, code: str) -> dict[str, Any]:
            shown = page.get(f"{API}/{gateway}/installation").json()
            return next((one for one in shown["devices"] if one["code"] == code), {"live": False})

        eventually(lambda: device("gw-2", "smoke-9")["live"], "the cloud knows the place")
        assert device("gw-2", "smoke-9")["place"]["path"] == HOME
        eventually(lambda: device("gw-1", "smoke-8")["live"], "the other one, too")
        eventually(lambda: "id" in device("gw-2", "sos-9"), "the button is listed")

        # The estate's places have come down, and come anew when they change.
        def names(*words: str) -> str:
            return run(capsys, "commission", *there, *words)[1]

        eventually(lambda: "Building 3, Unit 1, 301" in names("--list"), "the places are known")
        with database.transaction() as tx:
            tx.execute("UPDATE place SET name = '{\"en\": \"The mill\"}' WHERE path LIKE '%peach-garden/3'")
        eventually(lambda: "The mill, Unit 1, 301" in names("--list"), "another name comes down")

        # A device without a place calls nobody.
        new.happens("sos-9", "sos")
        sos = "SELECT event.id FROM event JOIN device ON device.id = device_id WHERE code = 'sos-9' AND kind = 'sos'"
        eventually(lambda: _rows(database, sos), "the call is stored")
        assert _rows(database, "SELECT id FROM alarm") == []

        # The walk test: asked for at the gateway, agreed to by a person.
        walk = run(capsys, "walk-test", *there, "--minutes", "10", "--no-wait")
        assert (walk[0], "Asked for" in walk[1]) == (0, True)
        asked = eventually(lambda: page.get(f"{API}/gw-2/installation").json()["walk_test"], "the wish arrives")
        begun = page.post(f"{API}/gw-2/walk-test", json={"minutes": 10, "action_id": asked["id"]})
        assert begun.json()["walk_test"]["state"] == "running"

        def state() -> str:
            return str(json.loads(run(capsys, "commission", *there, "--list", "--json")[1])["walk"]["state"])

        eventually(lambda: state() == "running", "the gateway hears of it")
        new.reads("smoke-9", "smoke", True)
        eventually(lambda: (device("gw-2", "smoke-9")["tick"] or {}).get("result") == "alarm", "a tick in the cloud")
        rows = json.loads(run(capsys, "commission", *there, "--list", "--json")[1])["devices"]
        assert [(row["id"], row["ticked"]) for row in rows] == [("smoke-9", True), ("sos-9", False)]
        assert _rows(database, "SELECT id FROM incident") == []
        other.reads("smoke-8", "smoke", True)
        eventually(lambda: _rows(database, "SELECT id FROM offer"), "another gateway's alarm calls people")
        assert len(_rows(database, "SELECT id FROM incident")) == 1
        new.reads("smoke-9", "smoke", False)
        eventually(
            lambda: not page.get(f"{API}/gw-2/installation").json()["walk_test"]["alarms"][0]["active"], "cleared"
        )
        assert run(capsys, "walk-test", *there, "--stop")[0] == 0
        eventually(lambda: page.get(f"{API}/gw-2/installation").json()["walk_test"] is None, "it ends")
        assert device("gw-2", "smoke-9")["tested"]["result"] == "alarm"
        new.reads("smoke-9", "smoke", True)
        eventually(lambda: len(_rows(database, "SELECT id FROM alarm WHERE walk_test_id IS NULL")) == 2, "meant again")

        # Handed over.
        sheet = tmp_path / "handover.html"
        assert run(capsys, "handover", *there, "--out", str(sheet))[0] == 0
        text = sheet.read_text("utf-8")
        assert "3/1/301" in text
        assert re.search(r"heard \d{4}-\d\d-\d\d \d\d:\d\d: SMOKE", text)
        assert "Devices whose place this gateway does not know: 1." in text
        assert "9/9/999 is not in the list of places. Near: -." in names("--device", "sos-9", "--place", "9/9/999")
        assert run(capsys, "commission", *there, "--device", "smoke-9", "--place", "3/1/502")[0] == 0
        rows = json.loads(run(capsys, "commission", *there, "--list", "--json")[1])["devices"]
        assert (rows[0]["place"], rows[0]["name"]) == ("3/1/502", "Hall"), "a device that moves keeps its name"


def _rows(database: Database, statement: str) -> list[Any]:
    with database.transaction() as tx:
        return tx.fetch(statement)
