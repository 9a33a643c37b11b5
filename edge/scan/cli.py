"""``liandong edge scan``."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from protocols.errors import ConfigError
from protocols.messages import Language, sentence

if TYPE_CHECKING:
    from edge.scan.findings import Found, Refused

_KINDS: Final = ("dex", "osdp", "modbus", "dlt645", "cjt188", "mbus")
_ADDRESSES: Final = range(256)
_WIPE: Final = "\r\x1b[K"


def register(parser: argparse.ArgumentParser, config: Path, language: Language) -> None:
    """Add the options; `config` is the file of the agent that may run here."""

    def say(key: str) -> str:
        return sentence(f"edge.cli.{key}", {}, language)

    parser.add_argument("port", nargs="*", help=say("scan-ports"))
    parser.add_argument("--kind", choices=_KINDS, action="append", help=say("scan-kinds"))
    parser.add_argument("--addresses", default="0-247", metavar="LIST", help=say("scan-addresses"))
    parser.add_argument("--within", type=float, default=300.0, metavar="SECONDS", help=say("scan-within"))
    parser.add_argument("--write", type=Path, metavar="FILE", help=say("scan-write"))
    parser.add_argument("--group", default="my-estate", help=say("scan-group"))
    parser.add_argument("--node", default="", help=say("scan-node"))
    parser.add_argument("--broker", default="127.0.0.1", metavar="HOST", help=say("scan-broker"))
    parser.add_argument("--config", type=Path, default=config, metavar="FILE", help=say("config"))
    parser.add_argument("--json", action="store_true", help=say("json"))
    parser.set_defaults(run=_scan, language=language)


def _scan(args: argparse.Namespace) -> int:
    from edge.scan.findings import Budget, Found, Refused
    from edge.scan.ports import held_by_agent, is_tcp, serial_ports
    from edge.scan.search import search

    addresses = parse_addresses(args.addresses)
    # The file that is proposed may lie elsewhere, and what it names counts from there.
    ports = [port if is_tcp(port) else str(Path(port).absolute()) for port in args.port] or serial_ports()
    if not ports:
        raise ConfigError("edge.scan.no-ports")
    budget = Budget(args.within, _progress)
    found, refused = [], []
    for one in search(ports, args.kind or _KINDS, addresses, held_by_agent(_data(args.config)), budget):
        if isinstance(one, Found):
            found.append(one)
        else:
            assert isinstance(one, Refused)
            refused.append(one)
        _note(_sentence(one, args.language))
    if budget.over:
        _note(sentence("edge.scan.over", {"seconds": args.within}, args.language))
    _finish(args, found, refused)
    return 0 if found else 1


def parse_addresses(text: str) -> list[int]:
    """``1-32`` or ``1,2,5``, in order and once each. Raises ConfigError."""
    found: set[int] = set()
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
    except ValueError:
        found.clear()
    if not found or any(address not in _ADDRESSES for address in found):
        raise ConfigError("edge.scan.addresses", value=text)
    return sorted(found)


def _finish(args: argparse.Namespace, found: list[Found], refused: list[Refused]) -> None:
    """Print or write what came of it."""
    from edge.scan.proposal import Place, key_files, node_name, toml, write

    place = Place(group=args.group, node=args.node or node_name(), broker=args.broker)
    text = toml(found, place, args.language)
    if args.write is not None and found:
        made = write(args.write.resolve().parent, args.write.name, text, key_files(found))
        _note(sentence("edge.scan.wrote", {"files": ", ".join(map(str, made))}, args.language))
    if args.json:
        rows = [asdict(one) | asdict(one.setting) for one in found]
        left = [{"port": one.port, "sentence": _sentence(one, args.language)} for one in refused]
        json.dump({"found": rows, "refused": left, "toml": text}, sys.stdout, ensure_ascii=False, indent=2)
        print()
    elif args.write is None and found:
        print(text)
    elif not found:
        _note(sentence("edge.scan.none", {}, args.language))


def _sentence(one: Found | Refused, language: Language) -> str:
    from edge.scan.findings import Refused

    if isinstance(one, Refused):
        return "✗ " + sentence(one.code, one.params, language)
    model = one.model or sentence("edge.scan.unknown-model", {}, language)
    values = {"port": one.port, "address": one.address, "setting": one.setting, "model": model, "ms": one.answer_ms}
    kind = one.kind if one.kind in ("dex", "osdp", "modbus") else "meter"
    return "✓ " + sentence(f"edge.scan.found-{kind}", values, language)


def _data(config: Path) -> Path:
    """The data directory of the agent of `config`; a file that is not there or not right names none that runs."""
    try:
        gateway = tomllib.loads(config.read_text("utf-8"))["gateway"]
        return config.resolve().parent / str(gateway.get("data", "data"))
    except (OSError, ValueError, KeyError, AttributeError):
        return config.resolve().parent / "data"


def _progress(where: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{_WIPE}{where}")
        sys.stderr.flush()


def _note(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(_WIPE)
    print(text, file=sys.stderr)
