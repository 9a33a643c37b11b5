"""``liandong up``: start everything, say where it is, stop everything on Ctrl-C."""

from __future__ import annotations

import argparse
import ipaddress
import logging
import shlex
import signal
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from liandong.language import Say, speaker
from liandong.up.layout import DataDirectory, demand_free
from liandong.up.street import Choices, Street
from liandong.up.supervisor import Supervisor
from protocols.errors import ConfigError, StorageError
from protocols.messages import Language
from simulators.control import ask

_log = logging.getLogger("liandong.up")
_TELLING: Final = ("smoke", "panel-fire", "sos", "door-forced")
_STREET_STEPS: Final = 2
"""Street and community: an estate's name says enough."""


def register(parser: argparse.ArgumentParser, language: Language) -> None:
    """Add the options of ``liandong up``."""
    say = speaker(language)
    parser.epilog = say("liandong.up.epilog")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help=say("liandong.up.opt-data"))
    parser.add_argument("--port", type=_port, default=8080, metavar="N", help=say("liandong.up.opt-port"))
    parser.add_argument("--listen", default="127.0.0.1", metavar="ADDR", help=say("liandong.up.opt-listen"))
    parser.add_argument("--scenario", default="peach-garden", metavar="NAME", help=say("liandong.up.opt-scenario"))
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help=say("liandong.up.opt-speed"))
    parser.add_argument("--seed", type=int, default=1, metavar="N", help=say("liandong.up.opt-seed"))
    parser.set_defaults(run=partial(_up, language=language))


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise ConfigError("liandong.up.port", port=text)
    return int(text)


def _up(arguments: argparse.Namespace, language: Language) -> int:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    _demand_loopback(arguments.listen)
    if not 0 < arguments.speed <= 1000:
        raise ConfigError("liandong.up.speed", speed=arguments.speed)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    data = DataDirectory(arguments.data)
    data.open()
    try:
        demand_free(arguments.listen, arguments.port)
        choices = Choices(
            listen=arguments.listen,
            port=arguments.port,
            scenario=arguments.scenario,
            seed=arguments.seed,
            speed=arguments.speed,
        )
        return _run(Street(data, choices), stop, speaker(language), language)
    except BrokenPipeError:
        raise  # who read what we say is gone; no fault of the directory
    except OSError as error:
        where, why = error.filename or data.path, error.strerror or str(error)
        raise StorageError("liandong.up.data-unwritable", path=where, why=why) from error
    finally:
        data.close()


def _run(street: Street, stop: threading.Event, say: Say, language: Language) -> int:
    began = time.monotonic()

    def tell(step: str) -> None:
        print(f"  {say('liandong.up.step-' + step)} …", file=sys.stderr, flush=True)

    def remember(pids: Mapping[str, int]) -> None:
        try:
            street.data.write_run({**street.facts(), "pids": pids})
        except OSError as error:  # a full disk must not end what runs
            _log.warning("run.json not written error=%s", error)

    street.prepare()
    supervisor = Supervisor(street.logs, remember)
    try:
        tell("database")
        street.postgres.make()
        if not supervisor.start(*street.infrastructure(), street.estate(), stop=stop):
            return 0
        tell("estate")
        street.import_estate()
        tell("services")
        # Stopped the other way round: the cloud first, or it would call every stop of a gateway an outage.
        if supervisor.start(*street.agents(), street.cloud(), stop=stop):
            _announce(street, street.links(), say, language, time.monotonic() - began)
            supervisor.run(stop)
        return 0
    finally:
        print(f"\n  {say('liandong.up.stopping')} …", file=sys.stderr, flush=True)
        supervisor.stop()
        print(f"  {say('liandong.up.stopped', data=street.data.path)}", file=sys.stderr, flush=True)


def _announce(street: Street, links: list[dict[str, Any]], say: Say, language: Language, took_s: float) -> None:
    """Say on standard output where everything is. The links are new at each start and work once."""
    lines = [
        "",
        say("liandong.up.ready", seconds=f"{took_s:.1f}"),
        "",
        f"  {say('liandong.up.console')}  {street.url}/console",
        f"  {say('liandong.up.phone')}  {street.url}/phone",
        "",
        say("liandong.up.links"),
    ]
    for link in links:
        name = link["name"].get(language) or link["login"]
        roles = ", ".join(say(f"cloud.role.{role}") for role in link["roles"])
        lines += [f"  {name} ({roles})", f"    {link['url']}"]
    lines += [
        "",
        say("liandong.up.running"),
        f"  {_parts(street, say)}",
        f"  {say('liandong.up.data', data=street.data.path)}",
        "",
        say("liandong.up.try"),
        f"  {_command()} sim trigger {_example(street)}{_data_option(street.data.path)}",
        "",
        say("liandong.up.stop-hint"),
    ]
    print("\n".join(lines), flush=True)


def _example(street: Street) -> str:
    """The most telling thing that can happen in this scenario, and where."""
    possible = {row["name"]: row["targets"] for row in ask(street.control, {"cmd": "list"})["triggers"]}
    name = next((name for name in _TELLING if possible.get(name)), next(iter(possible)))
    at = str(possible[name][0]["at"])
    return f"{name} --at {shlex.quote(at.split('/', _STREET_STEPS)[-1])}"


def _command() -> str:
    """How this program was called: it need not be on the PATH."""
    called = Path(sys.argv[0])
    return f"{shlex.quote(sys.executable)} -m liandong" if called.suffix == ".py" else shlex.quote(str(called))


def _data_option(path: Path) -> str:
    """What a command needs to find the street, which by default lies in ./data."""
    return "" if path == Path("data").resolve() else f" --data {shlex.quote(str(path))}"


def _parts(street: Street, say: Say) -> str:
    """One line: what runs, and on which ports of the loopback."""
    names = {"PostgreSQL": "postgres", "MQTT": "broker", say("liandong.up.field"): "field-broker"}
    ports = [f"{name} 127.0.0.1:{street.ports[part]}" for name, part in names.items()]
    return " · ".join([*ports, *street.gateways, street.choices.scenario])


def _demand_loopback(address: str) -> None:
    """Until people's phones can be given certificates by the built-in CA, nothing listens beyond this machine."""
    try:
        loopback = address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigError("liandong.up.listen", address=address)
