"""``liandong sim``: run an estate, and make things happen in it."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from protocols.errors import ConfigError
from protocols.messages import Language, sentence
from simulators.control import ask
from simulators.fleet import cli as fleet
from simulators.recorder import cli as recorder
from simulators.run import EstateProcess
from simulators.scenario import read_scenario


def register(parser: argparse.ArgumentParser, language: Language) -> None:
    """Add the sub-commands of ``liandong sim``."""

    def say(code: str) -> str:
        return sentence(f"simulators.cli.{code}", {}, language)

    commands = parser.add_subparsers(required=True, dest="sim", metavar=say("command"))

    trigger = commands.add_parser(
        "trigger", help=say("trigger"), description=say("trigger"), epilog=say("trigger-epilog")
    )
    trigger.add_argument("name", help=say("trigger-name"))
    trigger.add_argument("--at", metavar="PLACE", help=say("trigger-at"))
    _add_where(trigger, say("data"))
    trigger.set_defaults(run=partial(_trigger, language=language))

    triggers = commands.add_parser("triggers", help=say("triggers"), description=say("triggers"))
    _add_where(triggers, say("data"))
    triggers.set_defaults(run=partial(_list, language=language))

    run = commands.add_parser("run", help=say("run"), description=say("run"))
    run.add_argument("--hardware", type=Path, required=True, help=say("run-hardware"))
    run.add_argument("--estate", type=Path, required=True, help=say("run-estate"))
    run.add_argument("--home", type=Path, required=True, help=say("run-home"))
    run.add_argument("--control", type=Path, required=True, help=say("run-control"))
    run.add_argument("--seed", type=int, default=1, help=say("run-seed"))
    run.add_argument("--speed", type=float, default=1.0, help=say("run-speed"))
    run.set_defaults(run=_run)
    recorder.register(commands, language)
    fleet.register(commands, language)


def _add_where(parser: argparse.ArgumentParser, about: str) -> None:
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help=about)
    parser.add_argument("--json", action="store_true", help="JSON")


def _control(data: Path) -> Path:
    """The control socket of the street that runs on the data directory `data`."""
    try:
        facts = json.loads((data.expanduser() / "run.json").read_text("utf-8"))
        return Path(facts["simulation"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError("simulators.control.not-running", path=data) from error


def _trigger(arguments: argparse.Namespace, language: Language) -> int:
    request = {"cmd": "trigger", "name": arguments.name, "at": arguments.at}
    did = ask(_control(arguments.data), request)["did"]
    if arguments.json:
        print(json.dumps(did, ensure_ascii=False))
    else:
        print(_told(did, sentence(f"simulators.trigger.about.{arguments.name}", {}, language)))
    return 0


def _told(did: Mapping[str, Any], about: str) -> str:
    """What happened, where, and what the hardware adds, on one line."""
    where = [str(did[key]) for key in ("device", "gateway", "at") if did.get(key)]
    added = [
        f"{key} {_plain(value)}" for key, value in did.items() if key not in ("trigger", "device", "gateway", "at")
    ]
    return f"{about}: {', '.join([*where, *added])}"


def _plain(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _list(arguments: argparse.Namespace, language: Language) -> int:
    triggers = ask(_control(arguments.data), {"cmd": "list"})["triggers"]
    if arguments.json:
        print(json.dumps(triggers, ensure_ascii=False))
        return 0
    for row in triggers:
        print(f"{row['name']:<18}{sentence('simulators.trigger.about.' + row['name'], {}, language)}")
        for target in row["targets"]:
            print(f"{'':<18}  --at {target['at']}  {target['name'].get(language, '')}")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    logging.Formatter.converter = time.gmtime  # UTC, as the gateways' logs, so that lines can be laid side by side
    form = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s"
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=form, datefmt="%Y-%m-%dT%H:%M:%S")
    scenario = read_scenario(arguments.hardware, arguments.estate)
    arguments.home.mkdir(parents=True, exist_ok=True)

    async def live() -> None:
        process = EstateProcess(scenario, arguments.home, arguments.control, seed=arguments.seed, speed=arguments.speed)
        await process.run()

    asyncio.run(live())
    return 0
