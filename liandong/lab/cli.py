"""``liandong lab``: break a street on purpose and see whether anything is lost."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path

from liandong.lab import report as reports
from liandong.lab.page import page
from liandong.lab.report import Run
from liandong.lab.run import Order, run
from liandong.lab.sabotage import SABOTAGES
from liandong.lab.scenario import names, read
from liandong.language import Say, speaker
from liandong.up.layout import DataDirectory
from protocols.errors import ConfigError, StorageError
from protocols.messages import Language


def register(parser: argparse.ArgumentParser, language: Language) -> None:
    """Add the sub-commands of ``liandong lab``."""
    say = speaker(language)
    commands = parser.add_subparsers(required=True, dest="lab", metavar=say("liandong.cli.command"))
    about = say("liandong.lab.about-run")
    one = commands.add_parser("run", help=about, description=about, epilog=say("liandong.lab.epilog"))
    one.add_argument("name", metavar="NAME", help=say("liandong.lab.opt-name", known=", ".join(names())))
    one.add_argument("--seed", type=int, default=1, metavar="N", help=say("liandong.lab.opt-seed"))
    one.add_argument("--minutes", type=float, metavar="M", help=say("liandong.lab.opt-minutes"))
    one.add_argument("--json", action="store_true", help="JSON")
    one.add_argument("--html", type=Path, metavar="FILE", help=say("liandong.lab.opt-html"))
    one.add_argument("--data", type=Path, metavar="DIR", help=say("liandong.lab.opt-data"))
    one.add_argument("--sabotage", choices=SABOTAGES, help=say("liandong.lab.opt-sabotage"))
    one.set_defaults(run=partial(_run, language=language))


def _run(arguments: argparse.Namespace, language: Language) -> int:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    scenario = read(arguments.name)
    minutes = scenario.minutes if arguments.minutes is None else arguments.minutes
    if not 0 < minutes <= 1440:
        raise ConfigError("liandong.lab.minutes", minutes=minutes)
    order = Order(
        name=arguments.name, scenario=scenario, seed=arguments.seed, minutes=minutes, sabotage=arguments.sabotage
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if arguments.data is not None:
        return _in(arguments.data, order, arguments, language, stop)
    with tempfile.TemporaryDirectory(prefix="liandong-lab-") as folder:
        return _in(Path(folder), order, arguments, language, stop)


def _in(path: Path, order: Order, arguments: argparse.Namespace, language: Language, stop: threading.Event) -> int:
    say = speaker(language)

    def tell(code: str, **params: object) -> None:
        print(f"  {say(code, **params)}", file=sys.stderr, flush=True)

    data = DataDirectory(path)
    data.open()
    try:
        if (data.path / "run.json").exists():
            raise ConfigError("liandong.lab.used", path=data.path)
        done = run(order, data, tell, stop)
    finally:
        data.close()
    return _report(done, arguments, say, language)


def _report(done: Run, arguments: argparse.Namespace, say: Say, language: Language) -> int:
    told = reports.document(done)
    if arguments.html is not None:
        try:
            arguments.html.write_text(page(done, told, say, language), "utf-8")
        except OSError as error:
            raise StorageError("liandong.lab.page-unwritable", file=arguments.html, why=error.strerror) from error
    if arguments.json:
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        print(reports.summary(told, say))
    return 0 if done.well else 1
