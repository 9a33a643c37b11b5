"""Whoever stores readings marks them for the summaries: there is one way to write them, and it does."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import cloud
from cloud.storage import readings

HOME = Path(cloud.__file__).parent
WRITES = re.compile(r"(?:COPY|INSERT INTO|UPDATE)\s+reading\b", re.IGNORECASE)


def test_one_statement_writes_readings_and_one_function_uses_it() -> None:
    sources = {path: path.read_text("utf-8") for suffix in ("py", "sql") for path in HOME.rglob(f"*.{suffix}")}
    writers = {path.relative_to(HOME).as_posix() for path, text in sources.items() if WRITES.search(text)}
    assert writers == {"storage/queries/readings.sql"}
    users = {path.name for path, text in sources.items() if 'load("readings")["copy"]' in text}
    assert users == {"readings.py"}
    body = inspect.getsource(readings.append)
    assert body.index('["copy"]') < body.index("mark(tx")
