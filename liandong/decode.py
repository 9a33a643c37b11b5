"""``liandong decode KIND``: one JSON document with what captured bytes say.

``{"kind", "ok", "findings": [{"level", "at", "what"}], "records" or "frames": [...]}``; `ok` means no finding of level
error. Exit 0 when at least one record or frame was recognised, else 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from liandong.language import speaker
from protocols.errors import ConfigError, ProtocolError
from protocols.messages import Language

LIMIT: Final = 16_000_000

Decoder = Callable[[bytes], dict[str, Any]]


def _evadts(data: bytes) -> dict[str, Any]:
    from protocols.evadts import decode_evadts

    return decode_evadts(data)


def _sparkplug(data: bytes) -> dict[str, Any]:
    from protocols.sparkplug.explain import decode_sparkplug

    return decode_sparkplug(data)


DECODERS: Final[Mapping[str, Decoder]] = {"evadts": _evadts, "sparkplug": _sparkplug}


def register(parser: argparse.ArgumentParser, language: Language) -> None:
    """Add the options of ``liandong decode``."""
    say = speaker(language)
    parser.epilog = say("liandong.decode.epilog")
    parser.add_argument("kind", choices=DECODERS, help=say("liandong.decode.kind", kinds=", ".join(DECODERS)))
    parser.add_argument("file", nargs="?", default="-", help=say("liandong.decode.file"))
    parser.add_argument("--hex", action="store_true", help=say("liandong.decode.hex"))
    parser.add_argument("--json", action="store_true", help=say("liandong.decode.json"))
    parser.set_defaults(run=partial(_decode, language=language))


def _decode(arguments: argparse.Namespace, language: Language) -> int:
    data = _read(arguments.file)
    if arguments.hex:
        data = _from_hex(data)
    try:
        document = DECODERS[arguments.kind](data)
    except ProtocolError as error:
        what = speaker(language)(error.code, **error.params)
        finding = {"level": "error", "at": error.params.get("at", 0), "what": what}
        document = {"kind": arguments.kind, "ok": False, "findings": [finding], "frames": []}
    print(json.dumps(document, ensure_ascii=False, indent=2, default=str))
    if document.get("records") or document.get("frames"):
        return 0
    why = next((str(finding["what"]) for finding in document["findings"]), "-")
    raise ProtocolError("liandong.decode.nothing", size=len(data), kind=arguments.kind, why=why)


def _read(name: str) -> bytes:
    try:
        if name == "-":
            data = sys.stdin.buffer.read(LIMIT + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(LIMIT + 1)
    except OSError as error:
        raise ConfigError("liandong.decode.unreadable", file=name, why=error.strerror) from error
    if len(data) > LIMIT:
        raise ConfigError("liandong.decode.too-large", limit=LIMIT)
    return data


def _from_hex(data: bytes) -> bytes:
    try:
        return bytes.fromhex(data.decode("ascii").replace(":", " "))
    except ValueError as error:
        raise ConfigError("liandong.decode.not-hex", why=error) from error
