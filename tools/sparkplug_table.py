"""Makes docs/sparkplug.md: every rule of Sparkplug 3.0.0, and what holds us to it.

    tools/sparkplug_table.py [--check]     --check: write nothing, exit 1 when the page is not current

The rules stand in tools/sparkplug_rules.toml; the tests are found by the ids they cite, anywhere in their source; the
rules that `liandong sparkplug watch` judges are read from protocols/sparkplug/monitor.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from protocols.sparkplug.monitor import Rule, connects, content, rules  # noqa: E402 - found by the line above

PAGE: Final = ROOT / "docs" / "sparkplug.md"
SOURCE: Final = ROOT / "tools" / "sparkplug_rules.toml"
CITED: Final = re.compile(r"tck-id-([A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*)")

HEAD: Final = """\
# Sparkplug B 3.0, rule by rule

Made by `tools/sparkplug_table.py` from `tools/sparkplug_rules.toml` and the ids that tests cite; a test keeps it
current. The specification is the Eclipse Sparkplug Specification 3.0.0; its rules are named by their ids (without
`tck-id-`), the words beside them are ours.

- **For**: the agent is an Edge Node, the cloud is a Host Application. Rules that bind neither, or speak of what ours
  does not do, say why.
- **Monitor**: `liandong sparkplug watch` judges it. `tests/unit/sparkplug/test_monitor.py` breaks each of these rules
  once and must find exactly that, `test_whole_life.py` beside it holds our node and host against all of them, and
  `tests/acceptance/test_sparkplug.py` the running processes.
- **Tests**: those that cite the id, below `tests/`. A MUST that no monitor sees is broken once in a patched node or
  host (`tests/unit/sparkplug/test_planted_agent.py` and, where it takes a database or sockets, the two tests that it
  names): the test must then fail at the statement for which it cites the id.
"""

TYPES: Final = """\
## What becomes of a value in the cloud

- **Integers, Float, Double, DateTime, Boolean**: a reading. An integer that no double holds has quality uncertain.
- **String, Text, UUID**: a text reading; the metric `Event` of our own agent is an event.
- **Arrays, DataSet, instances of Templates, Bytes, File, types that nobody knows**: an event `sparkplug.value` with
  metric, type, the value as JSON, and quality, unit, metadata and properties where there are such.
- **Definitions of Templates**: nothing; they say what instances look like.
- **What cannot be read, or has a name that no column holds**: a fault. The message is kept raw in the poison store, and
  the rest of it is stored.

Bytes and files are told by size, SHA-256 and their first 64 bytes, and so is any value whose JSON would be longer than
8 KB, with the beginning of that JSON; each part of a multi-part metric is an event of its own. Null is an unknown
value. `is_transient` numbers and texts are judged and shown as the newest value, and make no history, as the
specification says. The unit of a series is that of the births' property `engUnit` (or one of the names that other
makers use).

Data that no birth explains, from nodes without our delivery scheme: what carries its name and type (or a name that the
device once had) is stored at once with quality uncertain, while a rebirth is asked for; what came by alias waits for
the birth for a minute (256 KB of each node), is then stored with quality uncertain, or else kept raw in the poison
store.
"""

THIRD: Final = """\
## Other people's nodes and hosts

Tried by `tests/integration/others` (`tools/others` sets them up): their nodes feed our cloud, their hosts
read our agent, which is a process of its own and breaks no rule in any of these runs. This is exactly what the monitor
reports of them, with their CONNECTs. All of it is tolerated.

| Implementation | As | Reported (*advice*) | Note |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One rule. `who` is node, host, both, or the name of a reason."""

    id: str
    level: str
    who: str
    says: str
    deviation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Somebody else's node or host: what was tried, what the monitor reports, and what else is worth knowing."""

    what: str
    rules: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Everything the page is made from. `cited`: id → tests."""

    entries: tuple[Entry, ...]
    reasons: Mapping[str, str]
    others: Mapping[str, Other]
    hosts: Mapping[str, Other]
    cited: Mapping[str, tuple[str, ...]]
    monitored: frozenset[str]


def main(arguments: list[str]) -> int:
    """Write the page, or say whether it is current."""
    text = page(read())
    if arguments == ["--check"]:
        current = PAGE.exists() and PAGE.read_text("utf-8") == text
        if not current:
            print("docs/sparkplug.md is not current: run tools/sparkplug_table.py", file=sys.stderr)
        return 0 if current else 1
    PAGE.write_text(text, "utf-8")
    return 0


def read() -> Book:
    """The rules, and what holds us to them."""
    source = tomllib.loads(SOURCE.read_text("utf-8"))
    entries = tuple(
        Entry(id=name, level=level, who=who, says=says, deviation=rest[0] if rest else None)
        for name, (level, who, says, *rest) in source["rules"].items()
    )
    cited: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name, where in _citations(path):
            if where not in cited[name]:
                cited[name].append(where)
    return Book(
        entries=entries,
        reasons=source["reasons"],
        others=_others(source["others"]),
        hosts=_others(source["hosts"]),
        cited={name: tuple(where) for name, where in cited.items()},
        monitored=frozenset(name for rule in judged() for name in rule.ids),
    )


def _others(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Other]:
    return {
        name: Other(what=said["what"], rules=tuple(said["rules"]), note=said["note"]) for name, said in tables.items()
    }


def page(book: Book) -> str:
    """The page as Markdown."""
    lines = [HEAD, _figures(book), "", "| Rule | Level | For | What | Monitor | Tests |", "|---|---|---|---|---|---|"]
    lines += [_row(entry, book) for entry in book.entries]
    lines += ["", TYPES, THIRD.rstrip()]
    level = {entry.id: entry.level for entry in book.entries}
    for role, tried in (("node", book.others), ("host", book.hosts)):
        for other in tried.values():
            told = [f"`{rule}`" if level[rule].startswith("MUST") else f"*`{rule}`*" for rule in other.rules]
            lines.append(f"| {other.what} | {role} | {', '.join(told) or 'nothing'} | {other.note} |")
    return "\n".join(lines) + "\n"


def _figures(book: Book) -> str:
    ours = [entry for entry in book.entries if entry.who not in book.reasons]
    deviations = sum(entry.deviation is not None for entry in ours)
    musts = [entry for entry in book.entries if entry.level.startswith("MUST")]
    judged_too = sum(entry.id in book.monitored for entry in musts)
    patched = sum(entry.id not in book.monitored and entry.who not in book.reasons for entry in musts)
    return (
        f"{len(book.entries)} rules: {len(ours)} bind our node or host, {deviations} of them with a declared deviation;"
        f" the monitor judges {len(book.monitored)}. {len(musts)} are a MUST or MUST NOT: {judged_too} are broken once"
        f" on the wire, {patched} in a patched node or host, and {len(musts) - judged_too - patched} bind neither."
    )


def _row(entry: Entry, book: Book) -> str:
    who = "–" if entry.who in book.reasons else entry.who.replace(" ", ", ")
    says = entry.says
    if entry.who in book.reasons:
        says += f". *{book.reasons[entry.who]}*"
    if entry.deviation is not None:
        says += f". **Deviation:** {entry.deviation}"
    monitor = "yes" if entry.id in book.monitored else ""
    tests = ", ".join(f"`{where}`" for where in book.cited.get(entry.id, ()))
    return f"| {entry.id} | {entry.level} | {who} | {says} | {monitor} | {tests} |"


def _citations(path: Path) -> Iterator[tuple[str, str]]:
    """(id, place) for each citation of a file; the place is the test function around it, or the file."""
    text = path.read_text("utf-8")
    if "tck-id-" not in text:
        return
    short = path.relative_to(ROOT / "tests").as_posix()
    spans = [
        (min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]), node.end_lineno or 0, node.name)
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    for number, line in enumerate(text.splitlines(), start=1):
        for found in CITED.finditer(line):
            name = next((name for first, last, name in spans if first <= number <= last), None)
            yield found[1], short if name is None else f"{short}::{name}"


def judged() -> Iterator[Rule]:
    """Every rule that the monitor judges."""
    for module in (rules, content, connects):
        yield from rules_of(module)


def rules_of(module: ModuleType) -> Iterator[Rule]:
    """The rules that a module of the monitor knows, alone or by message type."""
    for value in vars(module).values():
        if isinstance(value, Rule):
            yield value
        elif isinstance(value, Mapping):
            yield from (rule for rule in value.values() if isinstance(rule, Rule))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
