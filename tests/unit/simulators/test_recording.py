"""The recording of a line as a file, and the conversation in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ConfigError
from protocols.recording import MOST_BYTES, WAYS, Burst, Bursts, Way, head, read
from simulators.recorder.replay import turns

pieces = st.tuples(st.floats(min_value=0, max_value=5), st.sampled_from(WAYS), st.binary(min_size=1, max_size=8))


@given(st.lists(pieces, max_size=30), st.text(max_size=40))
def test_what_is_written_is_read_and_no_byte_is_lost(heard: list[tuple[float, Way, bytes]], about: str) -> None:
    bursts, kept, at_s = Bursts(1.0), list[Burst](), 0.0
    for gap_s, way, data in heard:
        at_s += gap_s
        kept += bursts.add(at_s, way, data)
    kept += bursts.end()
    told = read("\n".join([head(about), *(burst.line() for burst in kept)]))
    for way in WAYS:
        assert b"".join(b.data for b in told if b.way == way) == b"".join(data for _, w, data in heard if w == way)
    assert [burst.at_s for burst in told] == pytest.approx([burst.at_s for burst in kept], abs=1e-4)


def test_a_pause_or_the_other_way_ends_a_burst_and_a_flood_is_cut() -> None:
    bursts = Bursts(0.02)
    assert list(bursts.add(1.0, "to", b"\x01")) == []
    assert list(bursts.add(1.01, "to", b"\x02")) == []
    assert list(bursts.add(1.015, "from", b"\x03")) == [Burst(at_s=1.0, way="to", data=b"\x01\x02")]
    assert list(bursts.pause(1.02)) == []
    assert list(bursts.add(1.04, "from", b"\x04")) == [Burst(at_s=1.015, way="from", data=b"\x03")]
    assert list(bursts.add(1.05, "from", bytes(MOST_BYTES))) == [Burst(at_s=1.04, way="from", data=b"\x04")]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("01 02", "foreign", None),
        (head("x") + "\n\nzz | 1.0 to", "line", 3),
        (head("x") + "\n01 | soon to", "line", 2),
        (head("x") + "\n01 | 1.0 up", "line", 2),
        (head("x") + "\n01 | inf to", "line", 2),
        (head("x") + "\n01", "line", 2),
        (head("x") + "\n01 | 2.0 to\n02 | 1.0 from", "backwards", 3),
    ],
)
def test_what_is_no_recording_is_named_with_its_line(text: str, code: str, line: int | None) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.code == f"protocols.recording.{code}"
    assert caught.value.params.get("line") == line


def test_a_conversation_is_made_of_questions_and_what_came_after_them() -> None:
    lines = [
        "05 | 0.5 from",
        "10 30 | 0.6 to",
        "04 | 0.7 from",
        "05 | 0.9 from",
        "01 | 2.0 to",
        "02 | 3.0 to",
        "03 | 3.5 from",
    ]
    found = turns(read("\n".join([head("x"), *lines])))
    assert [turn.question for turn in found] == [b"", b"\x10\x30", b"\x01", b"\x02"]
    assert [[data for _, data in turn.answer] for turn in found] == [[b"\x05"], [b"\x04", b"\x05"], [], [b"\x03"]]
    assert [round(after_s, 3) for after_s, _ in found[1].answer] == [0.1, 0.3]


def test_what_was_only_listened_to_cannot_answer() -> None:
    for way in ("line", "from"):
        with pytest.raises(ConfigError) as caught:
            turns(read(head("x") + f"\n01 | 1.0 {way}"))
        assert caught.value.code == "simulators.recorder.one-way"
