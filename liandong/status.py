"""``liandong status``: the health of every part of the running ``liandong up``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import urlopen

from edge.config import load_config
from edge.local import ask as ask_agent
from edge.status import describe
from liandong.language import Say, speaker
from liandong.up.broker import listening
from liandong.up.layout import read_run
from liandong.up.street import answers
from protocols.errors import LiandongError, UnavailableError
from protocols.messages import Language
from simulators.control import ask

_ANSWER_S: Final = 5.0


def register(parser: argparse.ArgumentParser, language: Language) -> None:
    """Add the options of ``liandong status``."""
    say = speaker(language)
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help=say("liandong.status.about-data")
    )
    parser.add_argument("--json", action="store_true", help="JSON")
    parser.set_defaults(run=partial(_status, language=language))


def _status(arguments: argparse.Namespace, language: Language) -> int:
    say = speaker(language)
    facts = read_run(arguments.data)
    if not facts:
        raise UnavailableError("liandong.status.not-running", path=arguments.data)
    parts = list(_parts(facts, say, language))
    if not any(part["ok"] for part in parts):
        raise UnavailableError("liandong.status.not-running", path=arguments.data)
    well = all(part["ok"] for part in parts)
    if arguments.json:
        print(json.dumps({"ok": well, "parts": parts}, ensure_ascii=False, indent=2))
    else:
        for part in parts:
            mark = "●" if part["ok"] else "✗"
            word = say("liandong.status.ok" if part["ok"] else "liandong.status.bad")
            print(f"{mark} {part['name']:<26}{word}  {part['detail']}")
    return 0 if well else 1


def _parts(facts: dict[str, Any], say: Say, language: Language) -> Iterator[dict[str, Any]]:
    for name, port in facts["ports"].items():
        if name not in facts["gateways"]:
            yield _part(name, listening(port), f"127.0.0.1:{port}", say)
    yield _part("cloud", answers(f"{facts['console']}/healthz"), facts["console"], say)
    yield from _workers(facts["console"], say)
    try:
        devices = ask(Path(facts["simulation"]), {"cmd": "ping"})["devices"]
        yield {"name": "simulation", "ok": True, "detail": f"{devices} devices"}
    except LiandongError:
        yield _part("simulation", False, facts["simulation"], say)
    for gateway, config in facts["gateways"].items():
        yield from _gateway(gateway, Path(config), say, language)


def _workers(console: str, say: Say) -> Iterator[dict[str, Any]]:
    """All that ingest for this cloud, in its process and elsewhere. Their names `liandong cloud status` tells."""
    try:
        told = _health(f"{console}/healthz")["workers"]
    except (OSError, ValueError, KeyError):
        return  # the line above says that the cloud is silent; without its database it knows of no worker
    figures = {key: told[key] for key in ("count", "well", "groups")}
    detail = say("liandong.status.workers", waiting=told["waiting_s"], **figures)
    yield {"name": "cloud/workers", "ok": 0 < told["count"] == told["well"], "detail": detail}


def _health(url: str) -> dict[str, Any]:
    """What the cloud says of itself, also when it is not well (503)."""
    try:
        with urlopen(url, timeout=_ANSWER_S) as answer:  # noqa: S310 - our own
            return dict(json.load(answer))
    except HTTPError as error:
        with error:
            return dict(json.load(error))


def _gateway(name: str, config: Path, say: Say, language: Language) -> Iterator[dict[str, Any]]:
    """The gateway itself and each of its parts, as its own status socket tells."""
    try:
        told = describe(ask_agent(load_config(config).gateway.data, {"ask": "status"}), language)
    except (LiandongError, OSError):
        yield _part(name, False, str(config), say)
        return
    for part in told["parts"]:
        yield {"name": f"{name}/{part['name']}", "ok": part["ok"], "detail": part["detail"]}


def _part(name: str, ok: bool, detail: str, say: Say) -> dict[str, Any]:
    return {"name": name, "ok": ok, "detail": detail if ok else f"{detail} {say('liandong.status.silent')}"}
