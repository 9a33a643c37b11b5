"""The whole street on one machine: which parts there are, in which order they start, and the files each is given."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from edge.local import ask
from liandong.up.broker import embedded_broker, listening
from liandong.up.layout import DataDirectory, free_port, read_run, replace_file
from liandong.up.postgres import EmbeddedPostgres
from liandong.up.supervisor import Part
from protocols.errors import LiandongError, UnavailableError
from simulators.scenario import ScenarioFiles, scenario_files

HOST_ID: Final = "liandong"
_PORTS: Final = ("postgres", "broker", "field-broker", "fire-panel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the person chose on the command line."""

    listen: str
    port: int
    scenario: str
    seed: int
    speed: float


class Street:
    """Writes every part's configuration below the data directory and says how each part is started.

    `cabled`: parts of the infrastructure that the cloud reaches through a cable of the simulation, as the gateways
    reach the broker. `database`: settings of PostgreSQL beside ours.
    """

    def __init__(
        self,
        data: DataDirectory,
        choices: Choices,
        *,
        cabled: tuple[str, ...] = (),
        database: Mapping[str, object] | None = None,
    ) -> None:
        self.data = data
        self.choices = choices
        self._cabled = cabled
        self.files: ScenarioFiles = scenario_files(choices.scenario)
        self.gateways = tuple(self.files.gateways())
        self.ports = _ports(data.path, (*_PORTS, *self.gateways, *map(_cable_to, cabled)))
        self.sockets = data.sockets()
        self.control = self.sockets / "simulation.sock"
        self.postgres = EmbeddedPostgres(data, self.ports["postgres"], database)
        self.logs = data.path / "logs"

    @property
    def url(self) -> str:
        """Where the pages are."""
        host = f"[{self.choices.listen}]" if ":" in self.choices.listen else self.choices.listen
        return f"http://{host}:{self.choices.port}"

    def prepare(self) -> None:
        """Make directories, secrets and the configuration files. Everything is written anew: the choices may differ."""
        for name in ("logs", "sim", "mqtt", "config"):
            (self.data.path / name).mkdir(exist_ok=True, mode=0o700)
        for name in ("hardware.toml", "cardholders.toml", *(f"{gateway}.toml" for gateway in self.gateways)):
            more = self._cables() if name == "hardware.toml" else ""
            replace_file(self.data.path / "config" / name, self.files.fill(name, self._values()) + more)
        replace_file(self.data.path / "config" / "cloud.toml", self._cloud_config())

    def infrastructure(self) -> tuple[Part, ...]:
        """The database and the brokers; they need nobody."""
        users = {name: self.data.secret(f"mqtt-{name}") for name in ("cloud", *self.gateways)}
        field_users = {"field": self.data.secret("mqtt-field")}
        home = self.data.path / "mqtt"
        return (
            self.postgres.part(),
            embedded_broker("broker", home, self.ports["broker"], users),
            embedded_broker("field-broker", home, self.ports["field-broker"], field_users),
        )

    def estate(self) -> Part:
        """The simulated hardware."""
        config = self.data.path / "config"
        options = {
            "--hardware": config / "hardware.toml",
            "--estate": self.files.estate,
            "--home": self.data.path / "sim",
            "--control": self.control,
            "--seed": self.choices.seed,
            "--speed": self.choices.speed,
        }
        words = [str(word) for pair in options.items() for word in pair]
        return Part(name="simulation", command=_liandong("sim", "run", *words), ready=self.control.exists)

    def cloud(self) -> Part:
        """The cloud service."""
        command = _liandong("cloud", "run", "--config", str(self.data.path / "config" / "cloud.toml"))
        return Part(name="cloud", command=command, ready=lambda: answers(f"{self.url}/healthz"), ready_within_s=40)

    def agents(self) -> Iterator[Part]:
        """The gateways; each connects through a cable of the simulation."""
        for gateway in self.gateways:
            command = _liandong("edge", "run", "--config", str(self.data.path / "config" / f"{gateway}.toml"))
            home = self.data.path / gateway
            yield Part(name=gateway, command=command, ready=partial(agent_answers, home))

    def import_estate(self) -> None:
        """Migrate the database and import the scenario's places, people and devices.

        Raises UnavailableError with the last line that the command said.
        """
        config = str(self.data.path / "config" / "cloud.toml")
        _once("cloud", "import", "--config", config, str(self.files.estate))

    def links(self) -> list[dict[str, Any]]:
        """New one-time sign-in links: ``[{"login", "name", "roles", "url"}]``."""
        config = str(self.data.path / "config" / "cloud.toml")
        said = _once("cloud", "link", "--config", config, "--json", "--url", self.url, "--all")
        found: list[dict[str, Any]] = json.loads(said)
        return found

    def facts(self) -> dict[str, Any]:
        """What `run.json` tells other commands. No secrets."""
        return {
            "console": self.url,
            "simulation": str(self.control),
            "ports": self.ports,
            "scenario": self.choices.scenario,
            "gateways": {name: str(self.data.path / "config" / f"{name}.toml") for name in self.gateways},
            "logs": str(self.logs),
        }

    def _values(self) -> Mapping[str, object]:
        cables = {f"cable_{name.replace('-', '_')}": self.ports[name] for name in self.gateways}
        secrets = {f"mqtt_{name.replace('-', '_')}": self.data.secret(f"mqtt-{name}") for name in self.gateways}
        return {
            **cables,
            **secrets,
            "data": self.data.path,
            "lines": self.data.path / "sim" / "lines",
            "sockets": self.sockets,
            "broker_port": self.ports["broker"],
            "field_port": self.ports["field-broker"],
            "panel_port": self.ports["fire-panel"],
            "mqtt_field": self.data.secret("mqtt-field"),
            "key_door_1": self.data.secret("osdp-door-1", 16),
            "key_door_2": self.data.secret("osdp-door-2", 16),
            "host_id": HOST_ID,
        }

    def _port_of(self, part: str) -> int:
        """Where the cloud connects to reach `part`."""
        return self.ports[_cable_to(part) if part in self._cabled else part]

    def _cables(self) -> str:
        rows = ((_cable_to(part), self._port_of(part), self.ports[part]) for part in self._cabled)
        return "".join(
            f'\n[[cable]]\ngateway = "{name}"\nlisten = {listen}\ntarget = {target}\n' for name, listen, target in rows
        )

    def _cloud_config(self) -> str:
        dsn = self.postgres.dsn_through(self._port_of("postgres"))
        replace_file(self.data.path / "keys" / "dsn", dsn)
        tables: dict[str, dict[str, object]] = {
            "database": {"dsn_file": str(self.data.path / "keys" / "dsn")},
            "broker": {
                "host": "127.0.0.1",
                "port": self._port_of("broker"),
                "username": "cloud",
                "password_file": str(self.data.secret("mqtt-cloud")),
            },
            "http": {"listen": self.choices.listen, "port": self.choices.port},
            "street": {"time_zone": "Asia/Shanghai"},
            "simulation": {"socket": str(self.control)},
        }
        lines = [f'host_id = "{HOST_ID}"']
        for name, table in tables.items():
            lines += [
                f"\n[{name}]",
                *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()),
            ]
        return "\n".join(lines) + "\n"


def _cable_to(part: str) -> str:
    return f"cloud-{part}"


def agent_answers(home: Path) -> bool:
    """Whether the agent that works in the directory `home` answers at its socket."""
    try:
        ask(home, {"ask": "status"})
    except LiandongError:
        return False
    return True


def answers(url: str) -> bool:
    """Whether `url` answers with success within two seconds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - an address of our own
            return bool(response.status < 300)
    except (OSError, urllib.error.URLError):
        return False


def _liandong(*words: str) -> list[str]:
    return [sys.executable, "-m", "liandong", *words]


def _once(*words: str) -> str:
    """Run a command of ours to its end and give what it printed."""
    command, within_s = " ".join(words[:2]), 120
    try:
        done = subprocess.run(_liandong(*words), capture_output=True, text=True, timeout=within_s, check=False, cwd="/")
    except subprocess.TimeoutExpired as error:
        raise UnavailableError("liandong.up.command-slow", command=command, seconds=within_s) from error
    if done.returncode != 0:
        raise UnavailableError("liandong.up.command-failed", command=command, why=done.stderr.strip()[-500:])
    return done.stdout


def _ports(path: Path, names: tuple[str, ...]) -> dict[str, int]:
    """A free port for each name; the ones of the last run where they are free still."""
    before: dict[str, int] = read_run(path).get("ports", {})
    chosen: dict[str, int] = {}
    for name in names:
        old = before.get(name)
        port = old if isinstance(old, int) and not listening(old) else free_port()
        while port in chosen.values():
            port = free_port()
        chosen[name] = port
    return chosen
