"""The secure channel base keys: one file per reader, for its owner alone. They are never logged and never sent up."""

from __future__ import annotations

import os
import secrets
from typing import Final

from edge.drivers.osdp.config import ReaderConfig
from protocols.errors import ConfigError

DEFAULT_KEY: Final = bytes(range(0x30, 0x40))  # SCBK-D, printed in the standard (IEC 60839-11-5, annex D)


def read_key(reader: ReaderConfig) -> bytes:
    """The reader's secure channel base key: 32 hexadecimal digits in a file that only its owner may read.

    Raises ConfigError, never with the content, when the file cannot be used, or holds the published default key outside
    install mode.
    """
    path = reader.key_file
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError("edge.driver.osdp.key-open", file=path, device=reader.id)
        key = bytes.fromhex(path.read_text("ascii"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "-"
        raise ConfigError("edge.driver.osdp.key-unreadable", file=path, device=reader.id, why=why) from None
    if len(key) != len(DEFAULT_KEY):
        raise ConfigError("edge.driver.osdp.key-length", file=path, device=reader.id)
    if key == DEFAULT_KEY and not reader.install_mode:
        raise ConfigError("edge.driver.osdp.key-default", file=path, device=reader.id)
    return key


def check_key(reader: ReaderConfig) -> None:
    """Raise ConfigError for a key that cannot be used; in install mode it may not exist yet."""
    if not _wants_one(reader):
        read_key(reader)


def key_of(reader: ReaderConfig) -> bytes:
    """The reader's key; in install mode, where there is none, a new one that lies in its file before it is used.

    Raises ConfigError.
    """
    if _wants_one(reader):
        _make(reader)
    return read_key(reader)


def _wants_one(reader: ReaderConfig) -> bool:
    """Whether a key is to be made: there is none, or an empty file that a power cut left."""
    path = reader.key_file
    return reader.install_mode and (not path.exists() or (path.is_file() and not path.stat().st_size))


def _make(reader: ReaderConfig) -> None:
    """Whole or not at all: a key that a power cut leaves half in its file would have to be removed by hand."""
    path = reader.key_file
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, f"{secrets.token_hex(len(DEFAULT_KEY))}\n".encode("ascii"))
            os.fsync(file)
        finally:
            os.close(file)
        fresh.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise ConfigError("edge.driver.osdp.key-not-made", file=path, device=reader.id, why=error.strerror) from None
