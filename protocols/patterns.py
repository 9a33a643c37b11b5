r"""Regular expressions that cannot hang: matched in time that grows with pattern × text, never faster.

`re` tries one way after another, and a pattern such as ``(a+)+b`` has more ways than anybody can wait for. Here all
ways are followed at once (Thompson 1968; Pike's virtual machine for the groups, as Russ Cox describes it), so there is
no such pattern. What is understood is what lines of text need: literals, ``.``, classes, ``\d \w \s`` and their
opposites, groups (also named, also ``(?:…)``), alternatives, ``* + ? {m,n}`` greedy and lazy, ``^`` and ``$``. There is
no look-around and there are no back-references. Named groups are what a match gives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from protocols.errors import ConfigError

MOST_STEPS: Final = 500
"""Instructions of a pattern: repeats with counts are written out."""
_MOST_TIMES: Final = 200
_DEEPEST: Final = 20

Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Char:
    test: Test


@dataclass(frozen=True, slots=True)
class _Split:
    """`first` is preferred."""

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class _Save:
    slot: int


@dataclass(frozen=True, slots=True)
class _At:
    end: bool


_Step = _Char | _Split | _Save | _At
_Make = Callable[[int], list[_Step]]
"""Writes a part of the program that begins at an address and goes on behind itself."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that was understood; `groups` are its named groups in their order."""

    text: str
    groups: tuple[str, ...]
    _program: tuple[_Step, ...] = field(repr=False)

    def search(self, text: str) -> Mapping[str, str | None] | None:
        """The named groups of the leftmost match in `text` (None for one that took no part), or None."""
        found: tuple[int, ...] | None = None
        threads: list[tuple[int, tuple[int, ...]]] = []
        empty = (-1,) * (2 * len(self.groups))
        for at in range(len(text) + 1):
            seen: set[int] = set()
            ready: list[tuple[int, tuple[int, ...]]] = []
            for step, slots in threads:
                self._follow(step, slots, at, len(text), seen, ready)
            if found is None:
                self._follow(0, empty, at, len(text), seen, ready)
            threads = []
            for step, slots in ready:
                if step == len(self._program):
                    found = slots
                    break  # what stands behind it was less preferred
                one = self._program[step]
                if at < len(text) and isinstance(one, _Char) and one.test(text[at]):
                    threads.append((step + 1, slots))
            if found is not None and not threads:
                break
        return None if found is None else self._named(text, found)

    def _follow(
        self,
        start: int,
        slots: tuple[int, ...],
        at: int,
        end: int,
        seen: set[int],
        ready: list[tuple[int, tuple[int, ...]]],
    ) -> None:
        """All steps that eat a character (or the end of the program) and are reached without one, preferred first."""
        stack = [(start, slots)]
        while stack:
            step, slots = stack.pop()
            if step in seen:
                continue
            seen.add(step)
            one = self._program[step] if step < len(self._program) else None
            match one:
                case _Split(first, second):
                    stack += [(second, slots), (first, slots)]
                case _Save(slot):
                    stack.append((step + 1, (*slots[:slot], at, *slots[slot + 1 :])))
                case _At(is_end):
                    if at == (end if is_end else 0):
                        stack.append((step + 1, slots))
                case _:
                    ready.append((step, slots))

    def _named(self, text: str, slots: Sequence[int]) -> dict[str, str | None]:
        spans = zip(self.groups, slots[::2], slots[1::2], strict=True)
        return {name: text[start:end] if start >= 0 and end >= 0 else None for name, start, end in spans}


def compiled(text: str) -> Pattern:
    """`text` as a pattern. Raises ConfigError: what cannot be read, and where."""
    reader = _Reader(text)
    program = reader.whole()
    return Pattern(text, tuple(reader.names), tuple(program))


_CLASSES: Final[Mapping[str, Test]] = {
    "d": str.isdecimal,
    "D": lambda sign: not sign.isdecimal(),
    "s": str.isspace,
    "S": lambda sign: not sign.isspace(),
    "w": lambda sign: sign.isalnum() or sign == "_",
    "W": lambda sign: not (sign.isalnum() or sign == "_"),
}
_SIGNS: Final = {"t": "\t", "r": "\r", "n": "\n", "f": "\f", "v": "\v"}


class _Reader:
    """Recursive descent over the pattern; each part is a function that writes its steps for an address."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self.names: list[str] = []

    def whole(self) -> list[_Step]:
        make = self._either(0)
        if self._at < len(self._text):
            raise self._wrong("paren")
        return self._bounded(make, 0)

    def _bounded(self, make: _Make, address: int) -> list[_Step]:
        steps = make(address)
        if len(steps) > MOST_STEPS:
            raise ConfigError("protocols.pattern.too-large", pattern=self._text[:80], limit=MOST_STEPS)
        return steps

    def _either(self, depth: int) -> _Make:
        if depth > _DEEPEST:
            raise self._wrong("deep")
        made = self._sequence(depth)
        while self._take("|"):
            made = _alternative(made, self._sequence(depth))
        return made

    def _sequence(self, depth: int) -> _Make:
        parts: list[_Make] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            parts.append(self._repeated(self._one(depth)))
        return _in_turn(parts)

    def _one(self, depth: int) -> _Make:
        sign = self._next()
        match sign:
            case "(":
                return self._group(depth)
            case "[":
                return _char(self._class())
            case ".":
                return _char(lambda given: given != "\n")
            case "^" | "$":
                anchor = _At(sign == "$")
                return lambda address: [anchor]
            case "\\":
                return _char(self._escape())
            case "*" | "+" | "?" | "{":
                raise self._wrong("repeat")
        return _char(lambda given: given == sign)

    def _group(self, depth: int) -> _Make:
        name = ""
        if self._take("?P<"):
            found = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)>").match(self._text, self._at)
            if found is None or found[1] in self.names:
                raise self._wrong("group")
            name, self._at = found[1], found.end()
            self.names.append(name)
        elif not self._take("?:") and self._take("?"):
            raise self._wrong("refused")
        slot = 2 * (len(self.names) - 1)
        inner = self._either(depth + 1)
        if not self._take(")"):
            raise self._wrong("paren")
        if not name:
            return inner
        begin, end = _Save(slot), _Save(slot + 1)
        return lambda address: [begin, *inner(address + 1), end]

    def _repeated(self, part: _Make) -> _Make:
        least, most = 1, 1
        if self._take("*"):
            least, most = 0, -1
        elif self._take("+"):
            least, most = 1, -1
        elif self._take("?"):
            least, most = 0, 1
        elif self._at < len(self._text) and self._text[self._at] == "{":
            least, most = self._times()
        else:
            return part
        lazy = self._take("?")
        if self._at < len(self._text) and self._text[self._at] in "*+?{":
            raise self._wrong("repeat")
        made = _times(part, least, most, lazy=lazy)
        return lambda address: self._bounded(made, address)

    def _times(self) -> tuple[int, int]:
        found = re.compile(r"\{(\d{1,4})(,(\d{0,4}))?\}").match(self._text, self._at)
        if found is None:
            raise self._wrong("repeat")
        self._at = found.end()
        least = int(found[1])
        most = least if found[2] is None else int(found[3]) if found[3] else -1
        if max(least, most) > _MOST_TIMES or -1 < most < least:
            raise self._wrong("repeat")
        return least, most

    def _escape(self) -> Test:
        sign = self._next()
        if sign in _CLASSES:
            return _CLASSES[sign]
        meant = self._meant(sign)
        return lambda given: given == meant

    def _meant(self, sign: str) -> str:
        if sign == "x":
            found = re.compile(r"[0-9a-fA-F]{2}").match(self._text, self._at)
            if found is None:
                raise self._wrong("escape")
            self._at = found.end()
            return chr(int(found[0], 16))
        if sign.isalnum() and sign not in _SIGNS:
            raise self._wrong("escape")
        return _SIGNS.get(sign, sign)

    def _class(self) -> Test:
        negated = self._take("^")
        tests: list[Test] = []
        while not (tests and self._take("]")):
            first = self._member(tests)
            if first is None or not self._is_range():
                if first is not None:
                    tests.append(lambda given, sign=first: given == sign)  # type: ignore[misc]
                continue
            self._at += 1
            last = self._member(tests)
            if last is None or last < first:
                raise self._wrong("class")
            tests.append(lambda given, low=first, high=last: low <= given <= high)  # type: ignore[misc]
        return lambda given: negated is not any(test(given) for test in tests)

    def _is_range(self) -> bool:
        return self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", "")

    def _member(self, tests: list[Test]) -> str | None:
        """A sign of a class; None when it was a class of its own, which is in `tests` then."""
        sign = self._next()
        if sign != "\\":
            return sign
        escaped = self._next()
        if escaped in _CLASSES:
            tests.append(_CLASSES[escaped])
            return None
        return self._meant(escaped)

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise self._wrong("ends")
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, wanted: str) -> bool:
        if self._text.startswith(wanted, self._at):
            self._at += len(wanted)
            return True
        return False

    def _wrong(self, why: str) -> ConfigError:
        return ConfigError(f"protocols.pattern.{why}", pattern=self._text[:80], at=self._at)


def _char(test: Test) -> _Make:
    step = _Char(test)
    return lambda address: [step]


def _in_turn(parts: Sequence[_Make]) -> _Make:
    def make(address: int) -> list[_Step]:
        steps: list[_Step] = []
        for part in parts:
            steps += part(address + len(steps))
        return steps

    return make


def _alternative(first: _Make, second: _Make) -> _Make:
    def make(address: int) -> list[_Step]:
        left = first(address + 1)
        right = second(address + len(left) + 2)
        behind = address + len(left) + len(right) + 2
        return [_Split(address + 1, address + len(left) + 2), *left, _Split(behind, behind), *right]

    return make


def _times(part: _Make, least: int, most: int, *, lazy: bool) -> _Make:
    def split(inside: int, behind: int) -> _Split:
        return _Split(behind, inside) if lazy else _Split(inside, behind)

    def make(address: int) -> list[_Step]:
        steps: list[_Step] = []
        for _ in range(least):
            once = part(address + len(steps))
            if not once:
                break  # nothing, many times: written out it would cost time without end, and no steps
            steps += once
        if most < 0:
            begin = address + len(steps)
            inner = part(begin + 1)
            behind = begin + len(inner) + 2
            return [*steps, split(begin + 1, behind), *inner, _Split(begin, begin)]
        inner = part(address + len(steps) + 1) if most > least else []
        behind = address + len(steps) + (len(inner) + 1) * (most - least)
        for number in range(most - least):
            begin = address + len(steps)
            steps += [split(begin + 1, behind), *(part(begin + 1) if number else inner)]
        return steps

    return make
