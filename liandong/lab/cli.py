"""``liandong lab``: break a street on purpose and see whether anything is lost."""

from __future__ import annotations

import argparse
import json
import logging
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from liandong.lab import report as reports
from liandong.lab import sums
from liandong.lab.page import page, sum_page
from liandong.lab.report import Run
from liandong.lab.run import Order, run
from liandong.lab.sabotage import SABOTAGES
from liandong.lab.scenario import names, read
from liandong.language import Say, speaker
from liandong.up.layout import DataDirectory
from protocols.errors import ConfigError, StorageError
from protocols.messages import Language

_MOST_SEEDS = 1000


def register(parser: argparse.ArgumentParser, language: Language) -> None:
    """Add the sub-commands of ``liandong lab``."""
    say = speaker(language)
    commands = parser.add_subparsers(required=True, dest="lab", metavar=say("liandong.cli.command"))
    about = say("liandong.lab.about-run")
    one = commands.add_parser("run", help=about, description=about, epilog=say("liandong.lab.epilog"))
    one.add_argument("name", metavar="NAME", help=say("liandong.lab.opt-name", known=", ".join(names())))
    one.add_argument("--seed", default="1", metavar="N[..M]", help=say("liandong.lab.opt-seed"))
    one.add_argument("--minutes", type=float, metavar="M", help=say("liandong.lab.opt-minutes"))
    one.add_argument("--json", action="store_true", help="JSON")
    one.add_argument("--html", type=Path, metavar="FILE", help=say("liandong.lab.opt-html"))
    one.add_argument("--data", type=Path, metavar="DIR", help=say("liandong.lab.opt-data"))
    one.add_argument("--watch", action=argparse.BooleanOptionalAction, default=None, help=say("liandong.lab.opt-watch"))
    one.add_argument("--sabotage", choices=SABOTAGES, help=say("liandong.lab.opt-sabotage"))
    one.set_defaults(run=partial(_run, language=language))


def _run(arguments: argparse.Namespace, language: Language) -> int:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    scenario = read(arguments.name)
    minutes = scenario.minutes if arguments.minutes is None else arguments.minutes
    if not 0 < minutes <= 1440:
        raise ConfigError("liandong.lab.minutes", minutes=minutes)
    seeds = _seeds(arguments.seed)
    orders = [
        Order(
            name=arguments.name,
            scenario=scenario,
            seed=seed,
            minutes=minutes,
            sabotage=arguments.sabotage,
            watch=scenario.watch if arguments.watch is None else arguments.watch,
        )
        for seed in seeds
    ]
    say = speaker(language)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if len(orders) == 1:
        return _report_one(_one(orders[0], arguments.data, say, stop), arguments, say, language)
    told: list[tuple[dict[str, Any], str]] = []
    for place, order in enumerate(orders, 1):
        print(say("liandong.lab.run-of", place=place, runs=len(orders), seed=order.seed), file=sys.stderr, flush=True)
        data = None if arguments.data is None else arguments.data / f"seed-{order.seed}"
        done = _one(order, data, say, stop)
        document = reports.document(done)
        told.append((document, page(done, document, say, language)))
        print(_line(document, say), file=sys.stderr, flush=True)
    return _report_all(told, arguments, say, language)


def _seeds(text: str) -> Sequence[int]:
    """``7``, or ``1..20``: the numbers from one to the other, both counted."""
    found = re.fullmatch(r"(\d{1,9})(?:\.\.(\d{1,9}))?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not 0 <= last - first < _MOST_SEEDS:
        raise ConfigError("liandong.lab.seeds", seeds=text)
    return range(first, last + 1)


def _one(order: Order, path: Path | None, say: Say, stop: threading.Event) -> Run:
    def tell(code: str, **params: object) -> None:
        print(f"  {say(code, **params)}", file=sys.stderr, flush=True)

    with _folder(path) as folder:
        data = DataDirectory(folder)
        data.open()
        try:
            if (data.path / "run.json").exists():
                raise ConfigError("liandong.lab.used", path=data.path)
            return run(order, data, tell, stop)
        finally:
            data.close()


@contextmanager
def _folder(path: Path | None) -> Iterator[Path]:
    if path is not None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="liandong-lab-") as folder:
        yield Path(folder)


def _line(document: dict[str, Any], say: Say) -> str:
    wrong = ", ".join(document["wrong"])
    verdict = say("liandong.lab.seed-well") if document["ok"] else say("liandong.lab.seed-bad", wrong=wrong)
    shown = {name: document[name] for name in ("seed", "faults", "injected", "observed", "drain_s")}
    return say("liandong.lab.run-line", verdict=verdict, **shown)


def _report_one(done: Run, arguments: argparse.Namespace, say: Say, language: Language) -> int:
    told = reports.document(done)
    if arguments.html is not None:
        _write(arguments.html, page(done, told, say, language))
    _print(told, reports.summary(told, say), as_json=arguments.json)
    return 0 if done.well else 1


def _report_all(
    told: Sequence[tuple[dict[str, Any], str]], arguments: argparse.Namespace, say: Say, language: Language
) -> int:
    """The sum, with the reports of all runs; a page of each run beside the page of the sum."""
    documents = [document for document, _ in told]
    total = sums.total(documents)
    if arguments.html is not None:
        links: list[str] = []
        for document, text in told:
            one = arguments.html.with_name(f"{arguments.html.stem}-{document['seed']}{arguments.html.suffix}")
            _write(one, text)
            links.append(one.name)
        _write(arguments.html, sum_page(total, documents, links, say, language))
    _print({**total, "runs": documents}, sums.summary(total, say), as_json=arguments.json)
    return 0 if total["ok"] else 1


def _print(document: dict[str, Any], text: str, *, as_json: bool) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2) if as_json else text)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise StorageError("liandong.lab.page-unwritable", file=file, why=error.strerror) from error
