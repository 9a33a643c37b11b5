"""``liandong edge commission``, ``walk-test`` and ``handover``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from protocols.messages import Language, sentence

if TYPE_CHECKING:
    from edge.commissioning.known import KnownPlaces
    from edge.config import EdgeConfig

PAGE_PORT: Final = 8791
_LOOK_S: Final = 1.0
_OPEN_S: Final = 5.0
_MINUTES: Final = 120
_PHOTO_S: Final = 20.0


def register(commands: Any, config: Path, language: Language) -> None:
    """Add the three commands to those of ``liandong edge``; `config` is read unless another file is named."""

    def say(key: str) -> str:
        return sentence(f"edge.cli.{key}", {}, language)

    def command(name: str, run: Any) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(name, help=say(name), description=say(f"{name}-long"))
        parser.add_argument("--config", type=Path, default=config, metavar="FILE", help=say("config"))
        parser.set_defaults(run=run, language=language)
        return parser

    walk = command("commission", _commission)
    walk.add_argument("--all", action="store_true", help=say("commission-all"))
    walk.add_argument("--list", action="store_true", help=say("commission-list"))
    walk.add_argument("--json", action="store_true", help=say("json"))
    walk.add_argument("--places", type=Path, metavar="FILE", help=say("commission-places"))
    walk.add_argument("--device", metavar="ID", help=say("commission-device"))
    walk.add_argument("--place", metavar="PLACE", help=say("commission-place"))
    walk.add_argument("--name", help=say("commission-name"))
    walk.add_argument("--photo", type=Path, metavar="FILE", help=say("commission-photo"))
    walk.add_argument("--page", action="store_true", help=say("commission-page"))
    walk.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help=say("commission-host"))
    walk.add_argument("--port", type=int, default=PAGE_PORT, help=say("commission-port"))
    test = command("walk-test", _walk_test)
    test.add_argument("--minutes", type=int, default=15, help=say("walk-test-minutes"))
    test.add_argument("--stop", action="store_true", help=say("walk-test-stop"))
    test.add_argument("--no-wait", action="store_true", help=say("walk-test-no-wait"))
    test.add_argument("--json", action="store_true", help=say("json"))
    sheet = command("handover", _handover)
    sheet.add_argument("--out", type=Path, required=True, metavar="FILE", help=say("handover-out"))


def _commission(args: argparse.Namespace) -> int:
    from edge.commissioning.photos import Photos
    from edge.commissioning.terminal import Walker

    config = _config(args)
    places = _places(args, config)
    if args.device is not None:
        return _one(args, config)
    if args.page:
        return _page(args, config, places)
    if args.list and args.json:
        _print_json(_ask(config, {}))
        return 0
    photos = Photos(config.gateway.data)
    walker = Walker(lambda r: _ask(config, r), places, photos, args.language, sys.stdin, sys.stdout)
    if args.list:
        walker.list()
        return 0
    try:
        done = walker.walk(everything=args.all)
    except KeyboardInterrupt:
        done = False
    print()
    walker.list()
    return 0 if done else 1


def _one(args: argparse.Namespace, config: EdgeConfig) -> int:
    """One device, without questions."""
    from edge.commissioning.photos import Photos
    from edge.commissioning.terminal import read_photo
    from protocols.errors import ConfigError

    if args.place is None and args.photo is None:
        raise ConfigError("edge.commission.nothing")
    found = _ask(config, {})
    known = {row["id"]: row for row in found["devices"]}
    if args.device not in known:
        raise ConfigError("edge.local.device", device=args.device, known=", ".join(known) or "-")
    if args.photo is not None:
        Photos(config.gateway.data).keep(args.device, read_photo(args.photo))
    if args.place is not None:
        name = known[args.device]["name"] if args.name is None else args.name
        found = _ask(config, {"device": args.device, "place": args.place, "name": name})
    row = next(row for row in found["devices"] if row["id"] == args.device)
    if args.json:
        _print_json(row)
    else:
        _note_unlisted(args, config, row["place"])
        print(sentence("edge.commission.said-placed", {"device": row["id"], "place": row["place"]}, args.language))
    return 0


def _note_unlisted(args: argparse.Namespace, config: EdgeConfig, place: str) -> None:
    """Say that a place is kept which the list does not have: a slip of the finger, perhaps."""
    places = _places(args, config)
    if args.place is not None and len(places) and place not in places:
        values = {"place": place, "near": ", ".join(places.near(place)) or "-"}
        print(sentence("edge.commission.not-listed", values, args.language))


def _page(args: argparse.Namespace, config: EdgeConfig, places: KnownPlaces) -> int:
    """Serve the commissioning page until Ctrl-C, or for two hours."""
    from contextlib import closing
    from ipaddress import ip_address

    from edge.commissioning.door import Door
    from edge.commissioning.photos import MOST_BYTES
    from edge.commissioning.site import POLICY, CommissioningSite
    from edge.page.server import PageServer
    from edge.page.site import is_loopback
    from protocols.errors import ConfigError

    try:
        host = str(ip_address(args.host))
    except ValueError as error:
        raise ConfigError("edge.commission.host", value=args.host) from error
    _ask(config, {})
    door = Door()
    site = CommissioningSite(config, lambda r: _ask(config, r), places, door, host)
    server = PageServer(host, args.port, site, policy=POLICY, most_body=MOST_BYTES, within_s=_PHOTO_S)
    with closing(server):
        server.start()
        end = time.monotonic() + _OPEN_S
        while (address := server.address) is None:
            if time.monotonic() > end:
                raise ConfigError("edge.commission.port-taken", address=f"{host}:{args.port}")
            time.sleep(0.05)
        shown = f"[{host}]" if ":" in host else host
        values = {"url": f"http://{shown}:{address[1]}/", "code": door.code, "minutes": _MINUTES}
        print(sentence("edge.commission.page-open", values, args.language), flush=True)
        if not is_loopback(host):
            print(sentence("edge.commission.page-plain", {}, args.language), flush=True)
        try:
            time.sleep(60 * _MINUTES)
        except KeyboardInterrupt:
            print()
    return 0


def _walk_test(args: argparse.Namespace) -> int:
    config = _config(args)
    found = _ask(config, {"stop": True} if args.stop else {"minutes": args.minutes})
    if args.no_wait or args.stop:
        if args.json:
            _print_json(found["walk"])
        else:
            _tell_walk(found, args.language)
        return 0
    state, ticked = "", set[str]()
    try:
        while True:
            walk = found["walk"]
            if walk["state"] != state:
                state = walk["state"]
                _tell_walk(found, args.language)
            for row in found["devices"]:
                if row["ticked"] and row["id"] not in ticked:
                    ticked.add(row["id"])
                    _tell_tick(row, args.language)
            if state == "over":
                break
            time.sleep(_LOOK_S)
            found = _ask(config, {})
    except KeyboardInterrupt:
        print()
    missing = [row["id"] for row in found["devices"] if row["id"] not in ticked]
    values = {"ticked": len(ticked), "all": len(found["devices"]), "missing": ", ".join(missing) or "-"}
    print(sentence("edge.walk.summary", values, args.language))
    return 0 if not missing else 1


def _tell_walk(found: Mapping[str, Any], language: Language) -> None:
    walk = found["walk"]
    state, minutes = (walk["state"], -(-walk["left_s"] // 60)) if walk is not None else ("none", 0)
    print(sentence(f"edge.walk.{state}", {"minutes": minutes}, language), flush=True)


def _tell_tick(row: Mapping[str, Any], language: Language) -> None:
    from edge.commissioning.sheet import what_was_heard

    what = what_was_heard(row["tested"]["what"], language)
    print(f"✓ {row['id']:<20} {row['place']} {row['name']}  {what}".rstrip(), flush=True)


def _handover(args: argparse.Namespace) -> int:
    from edge.commissioning.photos import Photos
    from edge.commissioning.sheet import Sheet, document
    from protocols.errors import StorageError

    config = _config(args)
    photos = Photos(config.gateway.data)
    made = Sheet(config=config, found=_ask(config, {}), places=_places(args, config), photos=photos)
    try:
        args.out.write_text(document(made, args.language), "utf-8")
    except OSError as error:
        raise StorageError("edge.storage.unusable", file=args.out, why=error.strerror or error) from error
    print(sentence("edge.commission.sheet-written", {"file": args.out}, args.language))
    return 0


def _config(args: argparse.Namespace) -> EdgeConfig:
    from edge.config import load_config

    return load_config(args.config)


def _places(args: argparse.Namespace, config: EdgeConfig) -> KnownPlaces:
    from edge.commissioning.known import keep, remembered

    gateway, listed = config.gateway, getattr(args, "places", None)
    return remembered(gateway.data, gateway.group) if listed is None else keep(gateway.data, gateway.group, listed)


def _ask(config: EdgeConfig, request: Mapping[str, Any]) -> dict[str, Any]:
    from edge.local import ask

    return ask(config.gateway.data, {"ask": "commission", **request})


def _print_json(found: object) -> None:
    json.dump(found, sys.stdout, ensure_ascii=False, indent=2)
    print()
