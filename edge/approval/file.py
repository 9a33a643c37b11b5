"""A device into the configuration file, as a person would write it, and the agent reads the file again."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edge.config import parse_config
from edge.configuring import APPLYING, REREAD_S
from edge.local import ask
from protocols.approval import approved_text
from protocols.errors import LiandongError, StorageError, UnavailableError

_GRACE_S: Final = 5.0
KEPT: Final = ".before"
"""What is put behind the file's name to keep it as it was."""


def approve(file: Path, data: Path, driver: str, device: Mapping[str, Any]) -> None:
    """Put `device` into `file` and let the agent at `data` work by it; if it cannot, the file is as it was.

    Where the agent does not say whether it can, the device stays in the file: it may work by it at this moment.
    Where the running configuration came from the cloud, that is what the file becomes, with the device.
    Raises ConfigError, RefusedError, StorageError, UnavailableError.
    """
    afar = ask(data, {"ask": "configuration"}).get("text")
    text = approved_text(afar if afar is not None else file.read_text("utf-8"), driver, device)
    parse_config(tomllib.loads(text), file)
    kept = file.with_name(file.name + KEPT)
    _write(file, text, kept)
    try:
        ask(data, {"ask": "configuration", "do": "reread"}, REREAD_S + _GRACE_S)
    except LiandongError as error:
        if isinstance(error, UnavailableError) or error.code == APPLYING:
            raise UnavailableError("edge.approve.open", file=file, kept=kept) from error
        kept.replace(file)
        raise


def _write(file: Path, text: str, kept: Path) -> None:
    """Replace `file` in one step; owner and mode stay. Raises StorageError."""
    fresh = file.with_name(file.name + ".new")
    try:
        shutil.copy2(file, kept)
        known = file.stat()
        with fresh.open("w", encoding="utf-8") as out:
            fresh.chmod(known.st_mode & 0o7777)
            if os.geteuid() == 0:
                os.chown(fresh, known.st_uid, known.st_gid)
                os.chown(kept, known.st_uid, known.st_gid)
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)
    except OSError as error:
        raise StorageError("edge.storage.unusable", file=file, why=error.strerror or error) from error
