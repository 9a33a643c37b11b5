"""``liandong edge …``: run the agent, ask it how it is, and find what is connected."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final, cast

from edge.approval import cli as approval
from edge.commissioning import cli as commissioning
from edge.doctor import cli as doctor
from edge.scan import cli as scan
from protocols.messages import Language, sentence

DEFAULT_CONFIG: Final = Path("gateway.toml")


def register(parser: argparse.ArgumentParser, language: str) -> None:
    """Add the commands of the agent to the parser of ``liandong edge``."""
    spoken = cast("Language", language)

    def say(key: str) -> str:
        return sentence(f"edge.cli.{key}", {}, spoken)

    commands = parser.add_subparsers(dest="edge_command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help=say("run"), description=say("run-long"))
    run.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help=say("config"))
    run.add_argument(
        "--log-level", choices=("DEBUG", "INFO", "WARNING", "ERROR"), default="INFO", help=say("log-level")
    )
    run.set_defaults(run=_run)
    status = commands.add_parser("status", help=say("status"), description=say("status-long"))
    status.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help=say("config"))
    status.add_argument("--json", action="store_true", help=say("json"))
    status.set_defaults(run=_status, language=spoken)
    act = commands.add_parser("act", help=say("act"), description=say("act-long"))
    act.add_argument("device", help=say("act-device"))
    act.add_argument("output", help=say("act-output"))
    act.add_argument("value", nargs="?", default="true", help=say("act-value"))
    act.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help=say("config"))
    act.set_defaults(run=_act, language=spoken)
    for name, part in (("doctor", doctor), ("scan", scan), ("approve", approval)):
        command = commands.add_parser(name, help=say(name), description=say(f"{name}-long"))
        part.register(command, DEFAULT_CONFIG, spoken)
    commissioning.register(commands, DEFAULT_CONFIG, spoken)


def _run(args: argparse.Namespace) -> int:
    from edge.log import configure
    from edge.run import run

    configure(args.log_level)
    run(args.config)
    return 0


def _status(args: argparse.Namespace) -> int:
    from edge.config import load_config
    from edge.local import ask
    from edge.status import describe

    found = describe(ask(load_config(args.config).gateway.data, {"ask": "status"}), args.language)
    if args.json:
        json.dump(found, sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        for part in found["parts"]:
            print(f"{'✓' if part['ok'] else '✗'} {part['name']:<24} {part['detail']}")
    return 0 if found["ok"] else 1


def _act(args: argparse.Namespace) -> int:
    from edge.config import load_config
    from edge.local import ask

    request = {"ask": "act", "device": args.device, "output": args.output, "value": _value(args.value)}
    ask(load_config(args.config).gateway.data, request)
    print(
        sentence("edge.cli.acted", {"device": args.device, "output": args.output, "value": args.value}, args.language)
    )
    return 0


def _value(text: str) -> bool | float | str:
    """``true`` and ``false``, a number, or the text itself."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        return text
