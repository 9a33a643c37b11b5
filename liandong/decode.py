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
from itertools import islice
from pathlib import Path
from typing import Any, Final

from liandong.hexadecimal import hex_lines
from liandong.language import speaker
from protocols.capture import by_line
from protocols.errors import ConfigError, ProtocolError
from protocols.messages import Language, sentence

LIMIT: Final = 16_000_000
MAX_LINES: Final = 200_000

Decoder = Callable[[bytes], dict[str, Any]]


def _evadts(data: bytes) -> dict[str, Any]:
    from protocols.evadts import decode_evadts

    return decode_evadts(data)


def _sparkplug(data: bytes) -> dict[str, Any]:
    from protocols.sparkplug.explain import decode_sparkplug

    return decode_sparkplug(data)


def _dex(data: bytes) -> dict[str, Any]:
    from protocols.evadts.dex.explain import decode_dex

    return decode_dex(data)


def _ddcmp(data: bytes) -> dict[str, Any]:
    from protocols.evadts.ddcmp import decode_ddcmp

    return decode_ddcmp(data)


def _osdp(data: bytes) -> dict[str, Any]:
    from protocols.osdp import decode_osdp

    return decode_osdp(data)


def _modbus(data: bytes) -> dict[str, Any]:
    from protocols.modbus.explain import decode_modbus

    return decode_modbus(data)


def _dlt645(data: bytes) -> dict[str, Any]:
    from protocols.dlt645 import decode_dlt645

    return decode_dlt645(data)


def _cjt188(data: bytes) -> dict[str, Any]:
    from protocols.cjt188 import decode_cjt188

    return decode_cjt188(data)


def _gb26875(data: bytes) -> dict[str, Any]:
    from protocols.gb26875 import decode_gb26875

    return decode_gb26875(data)


def _mbus(data: bytes) -> dict[str, Any]:
    from protocols.mbus import decode_mbus

    return decode_mbus(data)


def _chirpstack(data: bytes) -> dict[str, Any]:
    from protocols.chirpstack import decode_chirpstack

    return decode_chirpstack(data)


def _zigbee2mqtt(data: bytes) -> dict[str, Any]:
    from protocols.zigbee.explain import decode_zigbee2mqtt

    return decode_zigbee2mqtt(data)


DECODERS: Final[Mapping[str, Decoder]] = {
    "evadts": _evadts,
    "dex": _dex,
    "ddcmp": _ddcmp,
    "osdp": _osdp,
    "modbus": _modbus,
    "dlt645": _dlt645,
    "cjt188": _cjt188,
    "mbus": _mbus,
    "gb26875": _gb26875,
    "chirpstack": _chirpstack,
    "zigbee2mqtt": _zigbee2mqtt,
    "sparkplug": _sparkplug,
}
# Hexadecimal text of these may hold one frame a line; the others run on over the lines.
FRAME_A_LINE: Final = frozenset({"osdp", "modbus", "dlt645", "cjt188", "mbus", "gb26875"})
# Findings of these name their sentence without its catalogue, which is that of EVA-DTS.
VENDING: Final = frozenset({"evadts", "dex", "ddcmp"})


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
    document = _hexadecimal(arguments.kind, data) if arguments.hex else _bytes(arguments.kind, data)
    _speak(document, language)
    print(json.dumps(document, ensure_ascii=False, indent=2, default=str))
    if _recognised(document):
        return 0
    found = sorted(document["findings"], key=lambda finding: finding["level"] != "error")
    why = next((str(finding["what"]) for finding in found), "-")
    raise ProtocolError("liandong.decode.nothing", size=len(data), kind=arguments.kind, why=why)


def _speak(document: dict[str, Any], language: Language) -> None:
    """Write the sentences of findings that name their catalogue in the person's language."""
    for finding in [*document["findings"], *(told for one in document.get("audits", ()) for told in one["findings"])]:
        code = str(finding.get("code", ""))
        if code and "." not in code and document["kind"] in VENDING:
            code = f"protocols.evadts.{code}"
        if code.startswith("protocols."):
            finding["what"] = sentence(code, {"at": finding["at"], **finding["params"]}, language)


def _recognised(document: dict[str, Any]) -> bool:
    return bool(document.get("records") or document.get("frames"))


def _bytes(kind: str, data: bytes) -> dict[str, Any]:
    """What binary `data` say; hexadecimal text of a line is read as what it is, even without --hex."""
    document = DECODERS[kind](data)
    if kind in FRAME_A_LINE | {"dex", "ddcmp"} and not _recognised(document):
        try:
            as_text = _hexadecimal(kind, data)
        except (ConfigError, ProtocolError):
            return document
        if _recognised(as_text):
            return as_text
    return document


def _hexadecimal(kind: str, data: bytes) -> dict[str, Any]:
    """What hexadecimal text says: one frame a line, each perhaps with ``| a note``, or one run of bytes."""
    lines = list(islice(hex_lines(data.decode("utf-8-sig", "replace")), MAX_LINES + 1))
    if len(lines) > MAX_LINES:
        raise ConfigError("liandong.decode.too-many-lines", limit=MAX_LINES)
    if kind in FRAME_A_LINE and len(lines) > 1:
        documents = [(line.number, _noted(DECODERS[kind](line.data), line.note)) for line in lines]
        if any(line.note for line in lines) or all(document["frames"] for _, document in documents):
            return by_line(kind, documents)
    document = DECODERS[kind](b"".join(line.data for line in lines))
    return _noted(document, lines[0].note) if len(lines) == 1 else document


def _noted(document: dict[str, Any], note: str) -> dict[str, Any]:
    if note:
        for frame in document.get("frames", ()):
            frame["note"] = note
    return document


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
