"""argparse in both languages: headings, and a wrong call as the same one sentence as every other error."""

from __future__ import annotations

import argparse
import re
from typing import Any, Final

from liandong.language import speaker, terminal_language
from protocols.errors import ConfigError

# what argparse says → our code; groups become parameters
_FAULTS: Final = (
    (re.compile(r"argument (?P<name>.+?): invalid choice: (?P<value>.+) \(choose from (?P<allowed>.+)\)"), "choice"),
    (re.compile(r"argument (?P<name>.+?): invalid (int|float) value: (?P<value>.+)"), "number"),
    (re.compile(r"argument (?P<name>.+?): expected (at least )?one argument"), "value-missing"),
    (re.compile(r"the following arguments are required: (?P<name>.+)"), "missing"),
    (re.compile(r"unrecognized arguments: (?P<name>.+)"), "unknown"),
)


class _Help(argparse.HelpFormatter):
    """Help with the word before the usage line in the reader's language (an empty `prefix` means none)."""

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        word = speaker(terminal_language())("liandong.parser.usage")
        super().add_usage(usage, actions, groups, word if prefix is None else prefix)


class Parser(argparse.ArgumentParser):
    """Says everything in the language of the terminal; a wrong call raises ConfigError."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": _Help, **options, "add_help": False})
        say = speaker(terminal_language())
        self._positionals.title = say("liandong.parser.arguments")
        self._optionals.title = say("liandong.parser.options")
        self.add_argument("-h", "--help", action="help", help=say("liandong.parser.help"))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Read the words with flags first: `decode KIND --hex FILE` leaves argparse before 3.12.7 without its FILE."""
        if (
            args is not None
            and "--" not in args
            and any(action.nargs == "?" for action in self._get_positional_actions())
        ):
            flags = {name for action in self._actions if action.nargs == 0 for name in action.option_strings}
            args = sorted(args, key=lambda word: word not in flags)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raise ConfigError with the sentence for what argparse found."""
        for pattern, code in _FAULTS:
            if found := pattern.fullmatch(message):
                raise ConfigError(f"liandong.parser.{code}", **found.groupdict(), command=self.prog)
        raise ConfigError("liandong.parser.other", what=message, command=self.prog)
