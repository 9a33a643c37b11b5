"""The rules that no monitor sees: a node or a host that breaks one makes the test fail that cites it, there.

Together with `test_monitor.py` this is all of them: no MUST that binds us is without a planted violation.
"""

from __future__ import annotations

import ast
import inspect
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from protocols.sparkplug import topics
from tests.unit.sparkplug.planted_agent import PLANTED, Planted
from tools.sparkplug_table import CITED, read

BOOK = read()
ELSEWHERE = {
    "operational-behavior-host-application-host-id": "integration/ingest/test_planted_holders.py",
    "operational-behavior-primary-application-state-with-multiple-servers-single-server": (
        "integration/sparkplug/test_planted_connect.py"
    ),
}


@pytest.fixture(autouse=True)
def _topics_are_read_anew() -> Iterator[None]:
    topics.parse.cache_clear()
    yield
    vars(topics)["parse"].cache_clear()


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.rule)
def test_planted(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    planted.test(*planted.given)
    topics.parse.cache_clear()
    planted.patch(monkeypatch)
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)) as failed:
        planted.test(*planted.given)
    monkeypatch.undo()
    line = next(entry.lineno or 0 for entry in traceback.extract_tb(failed.tb) if entry.name == planted.test.__name__)
    assert planted.rule in set(cited_at(planted.test, line, planted.given))


def cited_at(test: Callable[..., object], line: int, given: tuple[Any, ...]) -> Iterator[str]:
    """The ids that a test cites for the statement at `line`: in its docstring, beside or above it, or at `given`."""
    source, first = inspect.getsourcelines(test)
    (function,) = ast.parse("".join(source)).body
    assert isinstance(function, ast.FunctionDef)
    place = line - first + 1
    (statement,) = (one for one in function.body if one.lineno <= place <= (one.end_lineno or 0))
    begin = statement.lineno - 1
    while source[begin - 1].strip().startswith("#"):
        begin -= 1
    spoken = [ast.get_docstring(function) or "", *source[begin : statement.end_lineno]]
    if given and isinstance(given[0], str):
        spoken += [at for index, at in enumerate(source) if given[0] in at for at in source[index - 1 : index + 1]]
    for text in spoken:
        yield from CITED.findall(text)


def test_every_must_that_binds_us_is_planted() -> None:
    """On the wire (`test_monitor.py`), in a node or a host (here), or where a database or sockets are needed."""
    musts = {entry.id for entry in BOOK.entries if entry.level.startswith("MUST") and entry.who not in BOOK.reasons}
    assert musts == (musts & BOOK.monitored) | {planted.rule for planted in PLANTED} | ELSEWHERE.keys()


def test_what_is_not_planted_binds_nobody_of_ours() -> None:
    planted = BOOK.monitored | {planted.rule for planted in PLANTED} | ELSEWHERE.keys()
    rest = [entry for entry in BOOK.entries if entry.level.startswith("MUST") and entry.id not in planted]
    assert {entry.who for entry in rest} <= set(BOOK.reasons)


@pytest.mark.parametrize(("rule", "file"), ELSEWHERE.items())
def test_what_is_planted_elsewhere_says_so(rule: str, file: str) -> None:
    assert file in {where.partition("::")[0] for where in BOOK.cited[rule]}
