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

CARDHOLDERS: Final = "cardholders.toml"
_KEY_BYTES: Final = 16
_FAMILIES: Final = {"dex": "vending", "dlt645": "meters", "cjt188": "meters", "mbus": "meters"}


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
        kind = one.type or "unit"
        number = sum(name.rpartition("-")[0] == kind for name in named) + 1
        named[f"{kind}-{number}"] = one
    return named


def _drivers(found: Sequence[Found], language: Language) -> Iterator[str]:
    rows = list(_numbered(found).items())
    for number, (_, group) in enumerate(groupby(rows, key=lambda row: _line(row[1])), 1):
        devices = list(group)
        one = devices[0][1]
        family = _FAMILIES.get(one.kind, one.kind)
        off = "" if any(_usable(device) for _, device in devices) else "# "
        yield f"{off}[[driver]]"
        yield f"{off}family = {_quoted(family)}"
        name = family if family == "meters" else one.kind
        yield f"{off}name = {_quoted(f'{name}-{number}')}"
        yield f"{off}{'tcp' if one.tcp else 'port'} = {_quoted(one.port)}"
        yield from (f"{off}{line}" for line in _setting(one))
        if one.kind == "osdp":
            yield f"cardholders = {_quoted(CARDHOLDERS)}"
        yield ""
        for identity, device in devices:
            yield from _device(identity, device, language)


def _line(one: Found) -> tuple[str, str]:
    """What makes devices those of one driver."""
    return one.port, _FAMILIES.get(one.kind, one.kind)


def _setting(one: Found) -> Iterator[str]:
    if one.tcp:
        if one.kind == "modbus":
            yield f"framing = {_quoted(one.framing)}"
        return
    yield f"{'baudrate' if one.kind == 'osdp' else 'baud'} = {one.setting.baud}"
    if one.kind not in ("dex", "osdp"):
        yield f"parity = {_quoted(one.setting.parity)}"


def _usable(one: Found) -> bool:
    """Whether a driver can be told what it is."""
    return bool(one.type)


def _device(name: str, one: Found, language: Language) -> Iterator[str]:
    off = "" if _usable(one) else "# "
    if off and one.kind == "modbus":
        yield f"# {sentence('edge.scan.no-profile', {'unit': one.address}, language)}"
    elif one.kind != "modbus" and one.model:
        yield f"# {one.model}"
    yield f"{off}[[driver.device]]"
    yield f"{off}id = {_quoted(name)}"
    yield f"{off}type = {_quoted(one.type)}"
    yield from (f"{off}{line}" for line in _keys(name, one, language))
    yield ""


def _keys(name: str, one: Found, language: Language) -> Iterator[str]:
    """What the driver of its family must know of it."""
    if one.kind == "modbus":
        yield f"unit = {one.address}"
        yield f"profile = {_quoted(one.model)}" if one.model else 'profile_file = ""'
    elif one.kind == "osdp":
        yield f"address = {one.address}"
        yield f"key_file = {_quoted(f'keys/{name}.key')}"
        yield f"install_mode = false  # {sentence('edge.scan.install', {}, language)}"
    elif one.kind != "dex":
        yield f"protocol = {_quoted(one.kind)}"
        yield f"address = {_quoted(str(one.address))}"
        if one.edition:
            yield f"edition = {_quoted(one.edition)}"
        if one.meter_kind:
            yield f"kind = 0x{one.meter_kind:02X}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
