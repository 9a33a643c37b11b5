"""The versions of the configuration on the gateway's disk: which one runs, which one ran before, which one is on trial.

The file of the person on the spot is never written. What came from afar lies below ``<data>/configuration``, each text
under its hash, and ``state.json`` says which one counts; it is replaced in one step, after the texts are on the disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from edge.config import EdgeConfig, load_config, parse_config
from edge.config_paths import check_paths
from edge.config_trial import LOCAL, Attempt, Outcome, Record, Trial, Version, begin, confirm, fall_back, started
from edge.drivers import FAMILIES, Families
from edge.log import Log
from protocols import configuration
from protocols.errors import ConfigError, LiandongError, ProtocolError, StorageError

_FOLDER: Final = "configuration"
_STATE: Final = "state.json"
_FIXED: Final = ("group", "node", "data")
"""Who a gateway is and where it keeps its observations is decided on the spot."""


class Versions:
    """The configuration of one agent over its life. Used by one thread at a time."""

    def __init__(self, source: Path, families: Families = FAMILIES) -> None:
        """`source`: the file on the spot. Raises ConfigError when it cannot be used."""
        self._source, self._families = source, families
        self._local = load_config(source, families)
        self._document = tomllib.loads(source.read_text("utf-8"))
        self._base = configuration.content_hash(self._document)
        self._folder = self._local.gateway.data / _FOLDER
        self._log = Log("config")
        self.trial: Trial | None = None
        self.record = self._fresh()

    def start(self, more: Callable[[EdgeConfig], None] = lambda _: None) -> EdgeConfig:
        """What to run: the last version that was confirmed, unless the file on the spot was changed since.

        A version that `more` refuses (with a ConfigError) by now gives way to the file on the spot.
        """
        before = self._read_state()
        self.record = started(before, self._base)
        config = self._running(more)
        if self.record != before:
            self._log.warning("configuration-chosen", number=self.record.running.number)
            self._keep(self.record)
        return config

    def reread(self, more: Callable[[EdgeConfig], None]) -> EdgeConfig:
        """What to run now that the file on the spot may have been changed. Raises ConfigError; then nothing changed."""
        fresh = Versions(self._source, self._families)
        for key in _FIXED:
            if getattr(fresh._local.gateway, key) != getattr(self._local.gateway, key):
                value = repr(str(getattr(self._local.gateway, key)))
                raise ConfigError("edge.config.fixed", file=self._source, key=f"gateway.{key}", value=value)
        more(fresh._local)
        self._local, self._document, self._base = fresh._local, fresh._document, fresh._base
        return self.start(more)

    def check(self, text: str, number: int, more: Callable[[EdgeConfig], None] = lambda _: None) -> EdgeConfig:
        """`text` as a configuration of this gateway that `more` has nothing against.

        Raises ConfigError or ProtocolError: what, where, what to do.
        """
        document = configuration.parse(text)
        secret = next(configuration.secret_keys(document), None)
        name = f"#{number}"
        if secret is not None:
            raise ConfigError("edge.config.secret", file=name, key=secret)
        there = document.get("gateway", {})
        for key in _FIXED:
            here = self._document["gateway"].get(key)
            if isinstance(there, Mapping) and there.get(key) != here:
                raise ConfigError("edge.config.fixed", file=name, key=f"gateway.{key}", value=repr(here))
        try:
            config = parse_config(document, self._source, self._families)
            check_paths(config, self._local)
            more(config)
        except ConfigError as error:
            if "file" in error.params and error.params["file"] == self._source:
                error.params["file"] = name
            raise
        return config

    def begin(self, attempt: Attempt, text: str) -> None:
        """Put `text` on the disk, and that it is on trial. Raises RefusedError, StorageError; then nothing changed."""
        record = begin(self.record, attempt)
        self._folder_made()
        replace_file(self._folder / f"{attempt.version.hash}.toml", text)
        self._write_state(record)
        self.record = record

    def confirm(self) -> None:
        """What is on trial runs from now on. Raises StorageError; then it is still on trial."""
        record = confirm(self.record, self._base)
        self._write_state(record)
        self.record, self.trial = record, None
        self._tidy()

    def fall_back(self, error: LiandongError) -> EdgeConfig:
        """What is on trial is over, whatever the disk says; what to run instead."""
        self._keep(fall_back(self.record, error))
        self.trial = None
        return self._running()

    def note(self, outcome: Outcome) -> None:
        """Remember what became of a wish that was never tried."""
        self._keep(replace(self.record, last=outcome))

    def local_text(self) -> str | None:
        """The configuration without its comments, if it is one that no host can know; else None."""
        return configuration.to_toml(self._document) if self.record.running.number == LOCAL else None

    def text_from_afar(self) -> str | None:
        """The configuration that runs, if it did not come from the file on the spot. Raises StorageError."""
        running = self.record.running
        return None if running.number == LOCAL else self._text_of(running)

    def _fresh(self, last: Outcome | None = None) -> Record:
        return Record(running=Version(number=LOCAL, hash=self._base), base=self._base, last=last)

    def _running(self, more: Callable[[EdgeConfig], None] = lambda _: None) -> EdgeConfig:
        """What was confirmed last; the file on the spot where that cannot be used any more."""
        try:
            return self._config_of(self.record.running, more)
        except LiandongError as error:
            self._log.error("configuration-unusable", number=self.record.running.number, error=error)
            self.record = self._fresh(last=self.record.last)
            return self._local

    def _config_of(self, version: Version, more: Callable[[EdgeConfig], None]) -> EdgeConfig:
        if version.number == LOCAL:
            return self._local
        text = self._text_of(version)
        if configuration.content_hash(configuration.parse(text)) != version.hash:
            raise ProtocolError("protocols.configuration.damaged")
        return self.check(text, version.number, more)

    def _text_of(self, version: Version) -> str:
        try:
            return (self._folder / f"{version.hash}.toml").read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StorageError("edge.storage.unusable", file=self._folder, why=error) from error

    def _read_state(self) -> Record:
        path = self._folder / _STATE
        try:
            return _record(json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            return self._fresh()
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._log.error("configuration-state-unreadable", file=path, why=repr(error))
            return self._fresh()

    def _keep(self, record: Record) -> None:
        """Go on by `record`. A disk that refuses it still says "on trial", or less: the next start decides the same."""
        self.record = record
        try:
            self._write_state(record)
        except StorageError as error:
            self._log.error("configuration-state-not-written", error=error)

    def _write_state(self, record: Record) -> None:
        self._folder_made()
        replace_file(self._folder / _STATE, json.dumps(_json(record), ensure_ascii=False, indent=1))

    def _folder_made(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        except OSError as error:
            raise StorageError("edge.storage.unusable", file=self._folder, why=error.strerror or error) from error

    def _tidy(self) -> None:
        """Keep the texts of what runs and of what ran before."""
        kept = {f"{one.hash}.toml" for one in (self.record.running, self.record.previous) if one is not None}
        for path in self._folder.glob("*.toml"):
            if path.name not in kept:
                with contextlib.suppress(OSError):  # one text too many does no harm
                    path.unlink()


def replace_file(path: Path, text: str) -> None:
    """Write `path` so that it holds the old text or the new one, whenever the power goes. Raises StorageError."""
    fresh = path.with_suffix(".new")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            fresh.chmod(0o640)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StorageError("edge.storage.unusable", file=path, why=error.strerror or error) from error


def _json(record: Record) -> dict[str, Any]:
    def version(one: Version | None) -> dict[str, Any] | None:
        return None if one is None else {"number": one.number, "hash": one.hash}

    def attempt(one: Attempt) -> dict[str, Any]:
        return {"id": str(one.id), "version": version(one.version), "hold_s": one.hold_s}

    def outcome(one: Outcome) -> dict[str, Any]:
        return {"kind": one.kind, "attempt": attempt(one.attempt), "error": one.error, "params": dict(one.params)}

    return {
        "running": version(record.running),
        "previous": version(record.previous),
        "trying": None if record.trying is None else attempt(record.trying),
        "base": record.base,
        "last": None if record.last is None else outcome(record.last),
    }


def _record(found: Mapping[str, Any]) -> Record:
    previous, trying, last = found["previous"], found["trying"], found["last"]
    return Record(
        running=_version(found["running"]),
        base=str(found["base"]),
        previous=None if previous is None else _version(previous),
        trying=None if trying is None else _attempt(trying),
        last=None if last is None else _outcome(last),
    )


def _version(found: Mapping[str, Any]) -> Version:
    return Version(number=int(found["number"]), hash=str(found["hash"]))


def _attempt(found: Mapping[str, Any]) -> Attempt:
    return Attempt(id=UUID(found["id"]), version=_version(found["version"]), hold_s=float(found["hold_s"]))


def _outcome(found: Mapping[str, Any]) -> Outcome:
    attempt = _attempt(found["attempt"])
    return Outcome(kind=found["kind"], attempt=attempt, error=found["error"], params=dict(found["params"]))
