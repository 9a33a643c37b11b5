"""``liandong bench``: measure, and print each figure beside its limit."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import Figure, Order
from liandong.language import Say, speaker
from protocols.errors import ConfigError
from protocols.messages import Language

NAMES: Final = ("ingest", "edge", "alert", "idle", "dispatch", "query", "urgent", "fleet", "cluster")
QUICK_REPEATS: Final = 1
_SIZE: Final = re.compile(r"(?<=^fleet)-\d+")


def register(parser: argparse.ArgumentParser, language: Language) -> None:
    """Add the options of ``liandong bench``."""
    say = speaker(language)

    def option(name: str, **more: Any) -> None:
        parser.add_argument(f"--{name}", help=say(f"liandong.bench.opt-{name}"), **more)

    known = ", ".join(NAMES)
    parser.epilog = say("liandong.bench.epilog")
    parser.add_argument("names", nargs="*", metavar="NAME", help=say("liandong.bench.opt-names", known=known))
    option("json", action="store_true")
    option("quick", action="store_true")
    option("repeats", type=int, default=3, metavar="N")
    option("readings", type=int, metavar="N")
    option("gateways", type=int, metavar="N")
    option("rows", type=int, metavar="N")
    option("load", type=int, metavar="N")
    option("seconds", type=float, metavar="S")
    server = parser.add_mutually_exclusive_group()
    server.add_argument("--dsn", metavar="DSN", help=say("liandong.bench.opt-dsn"))
    server.add_argument("--timescale", action="store_true", help=say("liandong.bench.opt-timescale"))
    parser.set_defaults(run=partial(_run, language=language))


def _run(arguments: argparse.Namespace, language: Language) -> int:
    say = speaker(language)
    unknown = [name for name in arguments.names if name not in NAMES]
    if unknown:
        raise ConfigError("liandong.bench.unknown", name=unknown[0], known=", ".join(NAMES))
    for option in ("repeats", "readings", "gateways", "rows", "load", "seconds"):
        given = getattr(arguments, option)
        if given is not None and (given < 0 or (given == 0 and option != "load")):
            raise ConfigError("liandong.bench.positive", option=f"--{option}", value=given)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    order = Order(
        quick=arguments.quick,
        repeats=QUICK_REPEATS if arguments.quick else arguments.repeats,
        tell=lambda code, **params: print(say(code, **params), file=sys.stderr, flush=True),
        readings=arguments.readings,
        gateways=arguments.gateways,
        rows=arguments.rows,
        load=arguments.load,
        seconds=arguments.seconds,
        dsn=arguments.dsn,
        timescale=arguments.timescale,
    )
    found = []
    with _ended_in_order():
        for one in _figures(arguments.names or NAMES, order):
            found.append({**one.to_json(), "machine": machine(), "busy": round(os.getloadavg()[0], 1)})
            if not arguments.json:
                print(_line(one, say), flush=True)
    if arguments.json:
        json.dump(found, sys.stdout, ensure_ascii=False, indent=2)
        print()
    return 0


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM unwinds the block, so that no agent or publisher outlives its benchmark."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _figures(names: tuple[str, ...] | list[str], order: Order) -> Iterator[Figure]:
    for name in names:
        run: Callable[[Order], Iterator[Figure]] = import_module(f"benchmarks.{name}").run
        yield from run(order)


def _line(one: Figure, say: Say) -> str:
    if one.limit is None or one.ratio is None:
        return say("liandong.bench.bare", name=one.name, value=_number(one.value), unit=one.unit)
    limit = say(f"liandong.bench.limit-{_SIZE.sub('', one.name)}")
    return say(
        "liandong.bench.figure",
        name=one.name,
        value=_number(one.value),
        unit=one.unit,
        ratio=f"{one.ratio:.2f}",
        limit=_number(one.limit),
        what=limit,
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def machine() -> str:
    """Processor, cores, memory, system and Python."""
    cpu = next(
        (line.partition(": ")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    memory = next((line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), "0")
    return (
        f"{cpu or platform.machine()}, {os.cpu_count()} cores, {int(memory) / 2**20:.0f} GB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8").splitlines()
    except OSError:
        return []
