"""``liandong edge approve``: who waits to be approved, and how one of them becomes a device of this gateway."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.approval.file import approve
from edge.config import load_config
from edge.local import ask
from edge.status import describe
from protocols.errors import ConfigError
from protocols.messages import Language, sentence


def register(parser: argparse.ArgumentParser, default: Path, language: Language) -> None:
    """Add the options of ``liandong edge approve``."""

    def say(key: str) -> str:
        return sentence(f"edge.cli.approve-{key}", {}, language)

    parser.add_argument("address", nargs="?", help=say("address"))
    parser.add_argument("--id", help=say("id"))
    parser.add_argument("--type", help=say("type"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=say("set"))
    parser.add_argument("--config", type=Path, default=default, metavar="FILE", help=say("config"))
    parser.set_defaults(run=_run, language=language)


def _run(args: argparse.Namespace) -> int:
    config = load_config(args.config)
    report = describe(ask(config.gateway.data, {"ask": "status"}), args.language)
    waiting = [part for part in report["parts"] if part["name"].startswith("waiting/")]
    if args.address is None:
        for part in waiting:
            print(f"{part['data']['address']:<24} {part['detail']}")
        if not waiting:
            print(sentence("edge.cli.approve-nobody", {}, args.language))
        return 0
    stranger = next((part["data"] for part in waiting if part["data"]["address"] == args.address), None)
    if stranger is None:
        known = ", ".join(part["data"]["address"] for part in waiting) or "-"
        raise ConfigError("edge.approve.unknown", address=args.address, known=known)
    device = _device(stranger, args.id, args.type, args.set)
    approve(args.config, config.gateway.data, stranger["driver"], device)
    told = {"address": args.address, "id": device["id"], "type": device["type"], "file": args.config}
    print(sentence("edge.cli.approve-done", told, args.language))
    return 0


def _device(stranger: Mapping[str, Any], name: str | None, kind: str | None, more: Sequence[str]) -> dict[str, Any]:
    """The ``[[driver.device]]`` table. Raises ConfigError for what is missing."""
    kind = kind or stranger["type"]
    if not name or not kind:
        raise ConfigError("edge.approve.missing", address=stranger["address"])
    device = {"id": name, "type": kind, **stranger["settings"]}
    for pair in more:
        key, sign, text = pair.partition("=")
        if not key or not sign:
            raise ConfigError("edge.approve.pair", pair=pair)
        device[key] = _value(text)
    return device


def _value(text: str) -> Any:
    """`text` as TOML has it, or the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
