"""The same matches as `re`, and never slower than the text is long."""

from __future__ import annotations

import contextlib
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import ConfigError
from protocols.patterns import compiled

LINES = [
    "T=21.4C H=55% OK",
    "T=-3.25 H=7",
    "ALARM zone 3: smoke",
    "$GPWPL,4917.16,N,12310.64,W,003*65",
    "",
    "aaaa",
    "  42 kg\t\r",
    "温度：21.4",
]
PATTERNS = [
    r"T=(?P<t>-?\d+(?:\.\d+)?)C? H=(?P<h>\d+)",
    r"(?P<kind>ALARM|FAULT) zone (?P<zone>\d{1,3})",
    r"^\$GP(?P<what>[A-Z]{3}),(?P<lat>[\d.]+),(?P<ns>[NS])",
    r"(?P<all>.*)",
    r"(?P<lazy>a*?)(?P<rest>a+)$",
    r"(?P<n>\d+)\s*(?P<unit>kg|g)?",
    r"(?P<a>a|aa)(?P<b>a|)",
    r"[^\s=]+=(?P<v>[^\s]*)",
    r"\x41(?P<rest>\w*)",
    r"[\]a-c-]+(?P<x>b)?",
    r"温度：(?P<t>[-+]?\d+\.?\d*)",
    r"(?P<o>a{2,3}?)(?P<p>a{0,2})",
    r"$^|(?P<q>q)",
]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("line", LINES)
def test_as_re_does(pattern: str, line: str) -> None:
    wanted = re.search(pattern, line)
    assert compiled(pattern).search(line) == (None if wanted is None else wanted.groupdict())


ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", "c"])
PARTS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        st.tuples(ATOMS, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "*?", "+?", "??"])).map("".join),
    ),
    max_leaves=6,
)


@given(PARTS, PARTS, PARTS, st.text("abc1", max_size=12))
@settings(max_examples=100)
def test_as_re_does_with_anything(before: str, inside: str, behind: str, text: str) -> None:
    pattern = f"{before}(?P<g>{inside}){behind}"
    wanted = re.search(pattern, text)
    assert compiled(pattern).search(text) == (None if wanted is None else wanted.groupdict())


@pytest.mark.parametrize("pattern", [r"(?P<x>(a+)+)b", r"(?P<x>(a|aa)*)b", r"(a|a?)+(?P<x>b)", r"(?P<x>.*.*.*.*.*.*)b"])
def test_what_hangs_elsewhere_ends_here(pattern: str) -> None:
    began = time.process_time()
    assert compiled(pattern).search("a" * 1024) is None
    assert time.process_time() - began < 20, "re would need longer than the universe has been there"


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        (r"(a", "paren"),
        (r"a)", "paren"),
        (r"(?=a)", "refused"),
        (r"(?i)a", "refused"),
        (r"(?P<a>x)(?P<a>y)", "group"),
        (r"(?P<1>x)", "group"),
        (r"*a", "repeat"),
        (r"a**", "repeat"),
        (r"a{3,1}", "repeat"),
        (r"a{5000}", "repeat"),
        (r"a{x}", "repeat"),
        (r"(a{200}){200}", "too-large"),
        (r"(((a{100}){100}){100}){100}", "too-large"),
        (r"[a", "ends"),
        (r"[]", "ends"),
        (r"[b-a]", "class"),
        (r"\1", "escape"),
        (r"\xzz", "escape"),
        ("\\", "ends"),
        ("(" * 30 + "a" + ")" * 30, "deep"),
    ],
)
def test_each_fault_has_its_sentence(pattern: str, code: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        compiled(pattern)
    assert wrong.value.code == f"protocols.pattern.{code}"
    assert not str(wrong.value).startswith("protocols.")


@given(st.text("ab()[]{}?*+|\\^$.P<>:,-09", max_size=20))
def test_no_pattern_breaks_the_reader(pattern: str) -> None:
    with contextlib.suppress(ConfigError):
        compiled(pattern).search("ab09")


def test_what_is_nested_deeply_is_written_out_once() -> None:
    assert compiled("(" * 19 + "(?P<a>a)?" + ")?" * 19).search("ba") == {"a": None}
    assert compiled("(" * 19 + "){200}" * 19).search("a") == {}, "nothing, many times, is nothing"
