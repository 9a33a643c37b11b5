"""A configuration for what was found: TOML that ``liandong edge run`` takes, and the files that it names."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from edge.scan.findings import Found
from protocols.errors import StorageError
from protocols.messages import Language, sentence
from protocols.modbus import load_profile

CARDHOLDERS: Final = "cardholders.toml"
_KEY_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Who the gateway is to be, and where its broker is."""

    group: str
    node: str
    broker: str = "127.0.0.1"
    broker_port: int = 1883


def node_name() -> str:
    """This machine's name as an edge node id."""
    name = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().lower()).strip("-")
    return name[:64].strip("-") or "gw-1"


def toml(found: Sequence[Found], place: Place, language: Language) -> str:
    """The configuration. What answers and has no register profile stands there as a comment."""
    head = [
        f"# {sentence('edge.scan.proposed', {}, language)}",
        "[gateway]",
        f"group = {_quoted(place.group)}",
        f"node = {_quoted(place.node)}",
        "",
        "[uplink]",
        f"host = {_quoted(place.broker)}",
        f"port = {place.broker_port}",
        "",
        "[page]",
        "",
    ]
    return "\n".join([*head, *_drivers(found, language)])


def key_files(found: Sequence[Found]) -> tuple[str, ...]:
    """The key files that the configuration names, relative to it."""
    numbered = _numbered(found)
    return tuple(f"keys/{name}.key" for name, one in numbered.items() if one.kind == "osdp")


def write(folder: Path, name: str, text: str, keys: Sequence[str]) -> list[Path]:
    """Put the configuration into `folder`, with a fresh key for each reader; what is there already stays.

    Raises StorageError when the configuration is there already, or nothing can be written.
    """
    made: list[Path] = []
    wanted = [(folder / name, text, 0o640)]
    if keys:
        wanted.append((folder / CARDHOLDERS, "", 0o640))
        wanted += [(folder / key, f"{secrets.token_hex(_KEY_BYTES)}\n", 0o600) for key in keys]
    for path, content, mode in wanted:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        except FileExistsError as error:
            if path.name == name:
                raise StorageError("edge.scan.exists", file=path) from error
            continue
        except OSError as error:
            raise StorageError("edge.storage.unusable", file=path, why=error.strerror or error) from error
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(content)
        made.append(path)
    return made


def _numbered(found: Sequence[Found]) -> dict[str, Found]:
    """Each device under an id of its own: its type and a number."""
    named: dict[str, Found] = {}
    for one in found:
        kind = _type(one)
        number = sum(name.rpartition("-")[0] == kind for name in named) + 1
        named[f"{kind}-{number}"] = one
    return named


def _type(one: Found) -> str:
    if one.kind == "modbus":
        return load_profile(one.model).type if one.model else "unit"
    return {"osdp": "door", "dex": "vending"}[one.kind]


def _drivers(found: Sequence[Found], language: Language) -> Iterator[str]:
    rows = list(_numbered(found).items())
    for number, ((port, kind), group) in enumerate(groupby(rows, key=lambda row: (row[1].port, row[1].kind)), 1):
        devices = list(group)
        known = [row for row in devices if kind != "modbus" or row[1].model]
        off = "" if known else "# "
        speed = "baudrate" if kind == "osdp" else "baud"
        yield f"{off}[[driver]]"
        yield f"{off}family = {_quoted('vending' if kind == 'dex' else kind)}"
        yield f"{off}name = {_quoted(f'{kind}-{number}')}"
        yield f"{off}port = {_quoted(str(port))}"
        yield f"{off}{speed} = {devices[0][1].baud}"
        if kind == "osdp":
            yield f"cardholders = {_quoted(CARDHOLDERS)}"
        yield ""
        for name, one in devices:
            yield from _device(name, one, language)


def _device(name: str, one: Found, language: Language) -> Iterator[str]:
    off = "# " if one.kind == "modbus" and not one.model else ""
    if off:
        yield f"# {sentence('edge.scan.no-profile', {'unit': one.address}, language)}"
    elif one.kind != "modbus" and one.model:
        yield f"# {one.model}"
    yield f"{off}[[driver.device]]"
    yield f"{off}id = {_quoted(name)}"
    yield f"{off}type = {_quoted('' if off else _type(one))}"
    if one.kind == "modbus":
        yield f"{off}unit = {one.address}"
        yield f'{off}profile_file = ""' if off else f"profile = {_quoted(one.model)}"
    elif one.kind == "osdp":
        yield f"address = {one.address}"
        yield f"key_file = {_quoted(f'keys/{name}.key')}"
        yield f"install_mode = false  # {sentence('edge.scan.install', {}, language)}"
    yield ""


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
