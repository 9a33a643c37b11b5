"""``liandong cloud …``: run the service, migrate its database, import a street, make sign-in links, tell how it is."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

from cloud.config import Config, read
from cloud.identity import sessions
from cloud.registry.estate import import_estate
from cloud.storage import workers
from cloud.storage.database import Database
from cloud.storage.migrate import migrate, schema_status
from cloud.storage.queries import load
from protocols.errors import ConfigError, LiandongError, RefusedError
from protocols.messages import Language, sentence

_LOG: Final = logging.getLogger("liandong.cloud")

Say = Callable[..., str]


def register(parser: argparse.ArgumentParser, language: Language) -> None:
    """Add the sub-commands of ``liandong cloud``."""

    def say(code: str, **params: object) -> str:
        return sentence(f"cloud.cli.{code}", params, language)

    commands = parser.add_subparsers(metavar=say("command"), required=True, dest="cloud_command")
    runs: dict[str, Callable[..., int]] = {"run": _run, "worker": _worker, "migrate": _migrate}
    runs |= {"import": _import, "link": _link, "status": _status}
    for name, run in runs.items():
        command = commands.add_parser(name, help=say(name), description=say(f"{name}-about"))
        command.add_argument("--config", type=Path, required=True, metavar="FILE", help=say("opt-config"))
        command.set_defaults(run=partial(run, say=say, language=language))
        if name == "run":
            command.add_argument("--workers", type=int, default=None, metavar="N", help=say("opt-workers"))
        if name == "worker":
            command.add_argument("--with-parent", action="store_true", help=say("opt-with-parent"))
        if name == "import":
            command.add_argument("file", type=Path, metavar="FILE", help=say("opt-file"))
        if name == "link":
            command.add_argument("login", nargs="*", metavar="LOGIN", help=say("opt-login"))
            command.add_argument("--all", action="store_true", help=say("opt-all"))
            command.add_argument("--url", default=None, metavar="URL", help=say("opt-url"))
        if name in ("link", "status"):
            command.add_argument("--json", action="store_true", help=say("opt-json"))


def _run(arguments: argparse.Namespace, **_: Any) -> int:
    # The web framework, the broker's client and NumPy take a second to load; other commands do without.
    from cloud.app import Cloud
    from cloud.processes import MOST, WorkerProcesses

    config, count = read(arguments.config), arguments.workers
    if count is not None and not 1 <= count <= MOST:
        raise ConfigError("cloud.cli.workers", count=count, most=MOST)
    _log_to_stderr()
    service = Cloud(config, apart=None if count is None else WorkerProcesses(arguments.config, count))
    # As Ctrl-C does: uvicorn hands a signal on once it has served, and SIGTERM would end the process without `close`.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        service.open()
        service.serve()
    except KeyboardInterrupt:
        _LOG.info("stopping")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is being done
        service.close()
    return 0


def _worker(arguments: argparse.Namespace, **_: Any) -> int:
    from cloud.carrier import carry_until

    config = read(arguments.config)
    _log_to_stderr()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if arguments.with_parent:
        Thread(target=_stop_with_parent, args=(stop,), name="parent", daemon=True).start()
    carry_until(stop, config)
    return 0


def _stop_with_parent(stop: Event) -> None:
    while os.read(sys.stdin.fileno(), 1024):  # not the buffered object: its lock is needed when the process ends
        pass
    stop.set()


def _log_to_stderr() -> None:
    logging.Formatter.converter = time.gmtime  # UTC, as the gateways' logs, so that lines can be laid side by side
    form = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s"
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=form, datefmt="%Y-%m-%dT%H:%M:%S")


def _migrate(arguments: argparse.Namespace, say: Say, **_: Any) -> int:
    with _database(read(arguments.config)) as database:
        status = migrate(database)
    print(say("migrated", number=status.applied, edition=status.edition))
    return 0


def _import(arguments: argparse.Namespace, say: Say, **_: Any) -> int:
    with _database(read(arguments.config)) as database:
        migrate(database)
        result = asdict(import_estate(database, arguments.file))
    for what, count in result.items():
        print(say("imported", what=say(f"count-{what}"), **count))
    return 0


def _link(arguments: argparse.Namespace, say: Say, language: Language) -> int:
    config = read(arguments.config)
    host = f"[{config.http.listen}]" if ":" in config.http.listen else config.http.listen
    url = (arguments.url or f"http://{host}:{config.http.port}").rstrip("/")
    links: list[dict[str, Any]] = []
    with _database(config) as database, database.transaction() as tx:
        people = {row["login"]: row for row in tx.fetch(load("people")["everyone"])}
        wanted = [login for login, row in people.items() if row["roles"]] if arguments.all else arguments.login
        if not wanted:
            raise RefusedError("cloud.cli.link-whom", known=", ".join(people))
        for login in wanted:
            token = sessions.make_link(tx, login, datetime.now(UTC))
            row = people[login]
            links.append({"login": login, "name": row["name"], "roles": row["roles"], "url": f"{url}/in#{token}"})
    if arguments.json:
        print(json.dumps(links, ensure_ascii=False))
        return 0
    for link in links:
        print(f"{link['name'].get(language) or link['login']} ({', '.join(link['roles'])})\n  {link['url']}")
    print(say("link-lasts", hours=round(sessions.LINK_LASTS.total_seconds() / 3600)))
    return 0


def _status(arguments: argparse.Namespace, language: Language, **_: Any) -> int:
    config = read(arguments.config)
    parts = [_database_part(config, language)]
    if parts[0]["ok"]:
        parts += _worker_parts(config, language)
    ok = all(part["ok"] for part in parts)
    if arguments.json:
        print(json.dumps({"ok": ok, "parts": parts}, ensure_ascii=False))
    else:
        for part in parts:
            print(f"{'✓' if part['ok'] else '✗'} {part['name']}: {part['detail']}")
    return 0 if ok else 1


def _database_part(config: Config, language: Language) -> dict[str, Any]:
    try:
        with _database(config) as database:
            status = schema_status(database)
    except LiandongError as error:
        return {"name": "database", "ok": False, "detail": sentence(error.code, error.params, language)}
    params = {"applied": status.applied, "known": status.known, "edition": status.edition or "-"}
    return {"name": "database", "ok": status.current, "detail": sentence("cloud.cli.schema", params, language)}


def _worker_parts(config: Config, language: Language) -> Iterator[dict[str, Any]]:
    """Every ingest worker on every host that works with this database, and groups that nobody carries."""
    with _database(config) as database, database.transaction() as tx:
        rows, uncarried = workers.standing(tx, config.host_id)
    for row in rows:
        told = workers.told(row)
        code = "worker-stands" if row["alive"] else "worker-silent"
        params = {
            "groups": told["groups"],
            "waiting": told["waiting_s"],
            "queue": told["queue"],
            "silent": round(row["silent_s"]),
            "lagging": ", ".join(f"{group} {seconds} s" for group, seconds in told["lagging"].items()) or "-",
        }
        well = row["alive"] and told["connected"] and told["storing"] and row["figures"].get("late_s") is None
        detail = sentence(f"cloud.cli.{code}", params, language)
        yield told | {"name": f"worker {told['name']}", "ok": well, "detail": detail}
    living = sum(row["alive"] for row in rows)
    detail = sentence("cloud.cli.shared", {"workers": living, "uncarried": uncarried}, language)
    yield {"name": "groups", "ok": uncarried == 0, "detail": detail, "uncarried": uncarried}


@contextmanager
def _database(config: Config) -> Iterator[Database]:
    database = Database(config.database.resolved(), max_size=2)
    database.open()
    try:
        yield database
    finally:
        database.close()
