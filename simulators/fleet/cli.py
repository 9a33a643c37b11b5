"""``liandong sim fleet``."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from protocols.errors import ConfigError
from protocols.messages import Language, sentence
from protocols.sparkplug.topics import check_id
from simulators.fleet.plan import MOST_GATEWAYS, MOST_PROCESSES, MOST_SECONDS, Plan
from simulators.fleet.processes import play

_NUMBERS: Final[dict[str, tuple[Callable[[str], float], float, float, float]]] = {
    # option → how it is read, its usual value, the least and the most that it may be
    "gateways": (int, 100, 1, MOST_GATEWAYS),
    "devices": (int, 20, 1, 1000),
    "rate": (float, 1000.0, 0.0, 1_000_000.0),
    "batch": (int, 10, 1, 400),
    "metrics": (int, 2, 1, 100),
    "seconds": (float, 60.0, 0.0, MOST_SECONDS),
    "ramp": (float, 200.0, 1.0, 10_000.0),
    "patience": (float, 60.0, 0.0, 3600.0),
    "processes": (int, 2, 1, MOST_PROCESSES),
}


def register(commands: Any, language: Language) -> None:
    """Add ``fleet`` to the sub-commands of ``liandong sim``."""

    def say(code: str, **params: object) -> str:
        return sentence(f"simulators.fleet.{code}", params, language)

    fleet = commands.add_parser("fleet", help=say("about"), description=say("about"), epilog=say("epilog"))
    for name, (kind, usual, least, most) in _NUMBERS.items():
        bounds = f"{usual:g}; {least:g} … {most:g}"
        fleet.add_argument(f"--{name}", type=kind, default=usual, metavar="N", help=f"{say(f'opt-{name}')} ({bounds})")
    fleet.add_argument("--groups", type=int, default=None, metavar="N", help=say("opt-groups"))
    fleet.add_argument("--broker", action="append", metavar="HOST:PORT", help=say("opt-broker"))
    fleet.add_argument("--user", default=None, metavar="NAME", help=say("opt-user"))
    fleet.add_argument("--password-file", type=Path, default=None, metavar="FILE", help=say("opt-password-file"))
    fleet.add_argument("--host", default="liandong", metavar="ID", help=say("opt-host"))
    fleet.add_argument("--prefix", default="fleet", metavar="ID", help=say("opt-prefix"))
    fleet.add_argument("--ledger", type=Path, default=None, metavar="DIR", help=say("opt-ledger"))
    fleet.add_argument("--json", action="store_true", help="JSON")
    fleet.set_defaults(run=partial(_run, say=say))


def _run(arguments: argparse.Namespace, say: Callable[..., str]) -> int:
    plan = _plan(arguments)
    stops: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: stops.append(number))
    told: list[str] = []

    def said(figures: dict[str, Any]) -> None:
        line = say("now", **{key: figures[key] for key in ("born", "gateways", "readings", "unacknowledged")})
        if told[-1:] != [line]:
            told[:] = [line]
            print(line, file=sys.stderr, flush=True)

    figures = play(plan, min(arguments.processes, plan.gateways), said, lambda: len(stops))
    if arguments.json:
        print(json.dumps({"devices": plan.devices, "groups": plan.groups, **figures}))
    else:
        print(say("over", **{key: value for key, value in figures.items() if key != "ack_ms"}, **figures["ack_ms"]))
    return 0 if figures["unacknowledged"] == 0 else 1


def _plan(arguments: argparse.Namespace) -> Plan:
    for name, (_, _, least, most) in _NUMBERS.items():
        value = getattr(arguments, name)
        if not least <= value <= most:
            raise ConfigError("simulators.fleet.range", option=f"--{name}", value=value, least=least, most=most)
    groups = arguments.groups if arguments.groups is not None else math.ceil(arguments.gateways / 100)
    if not 1 <= groups <= arguments.gateways:
        raise ConfigError("simulators.fleet.range", option="--groups", value=groups, least=1, most=arguments.gateways)
    check_id(arguments.prefix)
    password = None
    if arguments.password_file is not None:
        try:
            password = arguments.password_file.read_text("utf-8").strip()
        except OSError as error:
            raise ConfigError("simulators.fleet.password", file=arguments.password_file, why=error.strerror) from error
    return Plan(
        brokers=tuple(_address(text) for text in arguments.broker or ["127.0.0.1:1883"]),
        gateways=arguments.gateways,
        devices=arguments.devices,
        rate=arguments.rate,
        seconds=arguments.seconds,
        user=arguments.user,
        password=password,
        host=arguments.host,
        prefix=arguments.prefix,
        groups=groups,
        batch=arguments.batch,
        metrics=arguments.metrics,
        ramp=arguments.ramp,
        patience_s=arguments.patience,
        ledger=None if arguments.ledger is None else str(arguments.ledger),
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError("simulators.fleet.address", text=text)
    return host.strip("[]"), int(port)
