"""``liandong sim record`` and ``sim replay``: the command line of the recorder."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from protocols.errors import ConfigError, StorageError, UnavailableError
from protocols.messages import Language, sentence
from simulators.recorder.record import MOST_BYTES, Recorder, Settings, offered, place
from simulators.recorder.replay import Replay

_TOLD_S: Final = 2.0
_PARITIES: Final = ("N", "E", "O")


def register(commands: Any, language: Language) -> None:
    """Add the two commands. `commands`: what ``add_subparsers`` gave."""

    def say(code: str) -> str:
        return sentence(f"simulators.lines.{code}", {}, language)

    record = commands.add_parser("record", help=say("record"), description=say("record"), epilog=say("record-epilog"))
    record.add_argument("--device", required=True, metavar="PATH|HOST:PORT", help=say("device"))
    record.add_argument("--at", metavar="PATH|tcp:PORT", help=say("record-at"))
    record.add_argument("--out", type=Path, required=True, metavar="FILE", help=say("out"))
    record.add_argument("--baud", type=int, default=9600, help=say("baud"))
    record.add_argument("--parity", choices=_PARITIES, default="N", help=say("parity"))
    record.add_argument("--stop-bits", type=int, choices=(1, 2), default=1, help=say("stop-bits"))
    record.add_argument("--minutes", type=float, default=60.0, help=say("minutes"))
    record.add_argument("--pause-ms", type=float, default=20.0, help=say("pause"))
    record.set_defaults(run=partial(_record, language=language))

    replay = commands.add_parser("replay", help=say("replay"), description=say("replay"), epilog=say("replay-epilog"))
    replay.add_argument("file", type=Path, metavar="FILE", help=say("file"))
    replay.add_argument("--at", required=True, metavar="PATH|tcp:PORT", help=say("replay-at"))
    replay.add_argument("--speed", type=float, default=1.0, help=say("speed"))
    replay.add_argument("--minutes", type=float, default=60.0, help=say("minutes"))
    replay.set_defaults(run=partial(_replay, language=language))


def _record(arguments: argparse.Namespace, language: Language) -> int:
    settings = Settings(baud=arguments.baud, parity=arguments.parity, stop_bits=arguments.stop_bits)
    offer = None if arguments.at is None else offered(arguments.at)
    try:
        with arguments.out.open("x", encoding="utf-8") as file:
            try:
                recorder = Recorder(arguments.device, settings, offer, file, _positive(arguments.pause_ms) / 1000)
            except UnavailableError:
                arguments.out.unlink()
                raise
            over = _asked_to_end()
            try:
                recorder.start()
                where = "-" if offer is None else place(offer)
                _say(language, "recording", device=arguments.device, at=where, file=arguments.out)
                _until_ended(recorder, over, arguments.minutes, lambda: _counted(language, recorder))
            finally:
                recorder.close()
    except FileExistsError as error:
        raise ConfigError("simulators.lines.exists", file=arguments.out) from error
    except OSError as error:
        raise StorageError("simulators.lines.unusable", why=error) from error
    if recorder.failure is not None:
        raise recorder.failure
    _say(language, "recorded", bursts=recorder.bursts, file=arguments.out)
    return 0


def _replay(arguments: argparse.Namespace, language: Language) -> int:
    try:
        with arguments.file.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError("simulators.lines.unreadable", file=arguments.file, why=error.strerror) from error
    if len(text) > MOST_BYTES:
        raise ConfigError("simulators.lines.too-large", file=arguments.file, limit=MOST_BYTES)
    line = offered(arguments.at)
    replay = Replay(line, text.decode("utf-8", "replace"), speed=_positive(arguments.speed))
    over = _asked_to_end()
    try:
        replay.start()
        _say(language, "replaying", file=arguments.file, at=place(line))
        _until_ended(replay, over, arguments.minutes)
    except OSError as error:
        raise StorageError("simulators.lines.unusable", why=error) from error
    finally:
        replay.close()
    _say(language, "replayed", answered=replay.answered, unknown=replay.unknown)
    return 0


def _positive(number: float) -> float:
    if not 0 < number < float("inf"):
        raise ConfigError("simulators.lines.positive", value=number)
    return number


def _asked_to_end() -> threading.Event:
    """Set by SIGINT or SIGTERM from now on."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    return over


def _until_ended(
    one: Recorder | Replay, over: threading.Event, minutes: float, tell: Callable[[], None] | None = None
) -> None:
    """Wait for the end of `one`, for `over`, or for the time to be over."""
    for _ in range(round(_positive(minutes) * 60 / _TOLD_S) + 1):
        if over.wait(_TOLD_S / 2) or one.wait(_TOLD_S / 2):
            return
        if tell is not None:
            tell()


def _counted(language: Language, recorder: Recorder) -> None:
    if sys.stderr.isatty():
        text = sentence("simulators.lines.counted", {"bursts": recorder.bursts, "bytes": recorder.size}, language)
        print(f"\r{text}", end="", file=sys.stderr, flush=True)


def _say(language: Language, code: str, **params: object) -> None:
    print(sentence(f"simulators.lines.{code}", params, language), file=sys.stderr, flush=True)
