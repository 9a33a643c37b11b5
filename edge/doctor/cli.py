"""``liandong edge doctor``."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Final

from protocols.messages import Language, sentence

_CLEAR: Final = "\x1b[H\x1b[2J"
_EVERY_S: Final = 5.0


def register(parser: argparse.ArgumentParser, config: Path, language: Language) -> None:
    """Add the options; `config` is the file that is read unless another one is named."""

    def say(key: str) -> str:
        return sentence(f"edge.cli.{key}", {}, language)

    parser.add_argument("--config", type=Path, default=config, metavar="FILE", help=say("config"))
    parser.add_argument("--json", action="store_true", help=say("json"))
    parser.add_argument("--watch", action="store_true", help=say("watch"))
    parser.set_defaults(run=_doctor, language=language)


def _doctor(args: argparse.Namespace) -> int:
    from edge.config import load_config
    from edge.doctor.checks import exit_code
    from edge.doctor.diagnosis import diagnose

    config = load_config(args.config)
    code = 0
    try:
        while True:
            found = diagnose(config)
            code = exit_code(found)
            _show(found, args)
            if not args.watch:
                return code
            time.sleep(_EVERY_S)
    except KeyboardInterrupt:
        return code


def _show(found, args: argparse.Namespace) -> None:  # type: ignore[no-untyped-def]  # its module is loaded late
    from edge.doctor.screen import fitted, lines
    from edge.doctor.words import document

    if args.json:
        json.dump(document(found, args.language), sys.stdout, ensure_ascii=False, indent=None if args.watch else 2)
        print(flush=True)
        return
    screen = shutil.get_terminal_size()
    if not sys.stdout.isatty():  # into a file or a pager: all of it
        print("\n".join(lines(found, args.language, screen.columns)), flush=True)
        return
    text = "\n".join(fitted(found, args.language, screen.columns, screen.lines - 1))
    print((_CLEAR if args.watch else "") + text, flush=True)
