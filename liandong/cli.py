"""The command line: one parser, each part's commands loaded only when they are called.

Exit codes: 0 done, 1 failed, 2 used wrongly. An error is one sentence on standard error, never a traceback.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from liandong.language import explain, speaker, terminal_language
from liandong.parser import Parser
from protocols.errors import ConfigError, LiandongError
from protocols.messages import Language

# command → the module whose `register(parser, language)` adds its options or sub-commands
COMMANDS: Final[dict[str, str]] = {
    "up": "liandong.up.cli",
    "status": "liandong.status",
    "cloud": "cloud.cli",
    "edge": "edge.cli",
    "sim": "simulators.cli",
    "decode": "liandong.decode",
    "sparkplug": "liandong.sparkplug",
    "lab": "liandong.lab.cli",
    "bench": "benchmarks.cli",
}

OURS: Final = frozenset({"liandong", "protocols", "edge", "cloud", "simulators", "benchmarks"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    language = terminal_language()
    _speak_whatever_the_terminal_can()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        parsed = parse(words, language)
        return int(parsed.run(parsed))
    except LiandongError as error:
        print(f"liandong: {explain(error, language)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1


def parse(words: Sequence[str], language: Language) -> argparse.Namespace:
    """What `words` ask for; its `run` does it. Raises ConfigError for a call that is not understood."""
    return _parser(words, language).parse_args(words)


def _parser(words: Sequence[str], language: Language) -> argparse.ArgumentParser:
    """The parser with only the called command filled in: an edge install never imports the cloud."""
    say = speaker(language)
    parser = Parser(prog="liandong", description=say("liandong.cli.about"), epilog=say("liandong.cli.epilog"))
    parser.add_argument("--version", action="version", version=_version(), help=say("liandong.parser.version"))
    commands = parser.add_subparsers(metavar=say("liandong.cli.command"), required=True, dest="command")
    called = next((word for word in words if not word.startswith("-")), None)
    for name, module in COMMANDS.items():
        about = say(f"liandong.cli.{name}")
        command = commands.add_parser(name, help=about, description=about)
        if name == called:
            _load(module, name).register(command, language)
    return parser


def _load(module: str, command: str):  # type: ignore[no-untyped-def]  # a module that has `register`
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in OURS:
            raise
        extra = "cloud,edge,sim" if command in ("up", "lab", "bench") else command
        raise ConfigError("liandong.extra-missing", command=command, module=error.name, extra=extra) from error


def _speak_whatever_the_terminal_can() -> None:
    """A terminal without Chinese gets question marks instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _version() -> str:
    from importlib.metadata import version

    return f"liandong {version('liandong')}"
