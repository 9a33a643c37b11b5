from __future__ import annotations

from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.delivery import (
    Acknowledgement,
    BirthId,
    Declaration,
    Lane,
    MessageId,
    NumberSet,
    declarations_from_text,
    declarations_to_text,
)
from protocols.errors import ProtocolError

E1 = UUID("0b9f3b52-6f0a-4d5e-9c1e-000000000001")
E2 = UUID("0b9f3b52-6f0a-4d5e-9c1e-000000000002")
T1 = "0b9f3b52-6f0a-4d5e-9c1e-000000000001"
T2 = "0b9f3b52-6f0a-4d5e-9c1e-000000000002"


def ack(received: NumberSet, *, speaks_from: int = 1, speaks_to: int | None = None) -> Acknowledgement:
    return Acknowledgement(
        host="liandong",
        birth=BirthId(epoch=E2, count=3),
        epoch=E1,
        lane=Lane.BULK,
        received=received,
        speaks_from=speaks_from,
        speaks_to=speaks_to,
    )


def test_message_id() -> None:
    message = MessageId(epoch=E1, lane=Lane.URGENT, first=7, last=9)
    assert str(message) == f"{T1}/urgent/7-9"
    assert MessageId.parse(f"{T1}/urgent/7-9") == message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        f"{T1}/urgent/7",
        f"{T1}/slow/7-9",
        f"{T1}/bulk/9-7",
        f"{T1}/bulk/0-1",
        f"{T1.upper()}/bulk/1-1",
        f"{T1}/bulk/1-1 ",
    ],
)
def test_no_message_id(text: str) -> None:
    with pytest.raises(ProtocolError, match="message address"):
        MessageId.parse(text)


def test_birth_id() -> None:
    assert str(BirthId(epoch=E1, count=12)) == f"{T1}.12"
    assert BirthId.parse(f"{T1}.12") == BirthId(epoch=E1, count=12)
    for bad in ("", T1, f"{T1}.", f"{T1}.x", f"{T1}.1.2"):
        with pytest.raises(ProtocolError):
            BirthId.parse(bad)


def test_declarations() -> None:
    """The current epoch is declared also when nothing of it is held."""
    held = Declaration(epoch=E1, held=NumberSet([(3, 4), (6, 6)]), last_given=6)
    empty = Declaration(epoch=E2, held=NumberSet(), last_given=0)
    text = f"{T1}:{{[3,5),[6,7)}}/6;{T2}:{{}}/0"
    assert declarations_to_text([held, empty]) == text
    assert declarations_from_text(text) == (held, empty)
    assert declarations_from_text("") == ()


@pytest.mark.parametrize(
    "text", ["x", ";", f"{T1}:{{}}/", f"{T1}:{{[3,5)}}/3", f"{T1}:{{}}/0;{T1}:{{}}/0", f"{T1}:{{}}/9999999999999999999"]
)
def test_no_declarations(text: str) -> None:
    with pytest.raises(ProtocolError):
        declarations_from_text(text)


def test_acknowledgement() -> None:
    whole = ack(NumberSet([(1, 5), (8, 8)]))
    assert str(whole) == f"liandong/{T2}.3/{T1}/bulk/{{[1,6),[8,9)}}"
    assert Acknowledgement.parse(str(whole)) == whole
    assert whole.complete
    assert not whole.denies(1, 5)
    assert whole.denies(5, 6)
    assert whole.denies(900, 901)
    assert ack(NumberSet()).denies(1, 1)


def test_fragmented_set_goes_in_parts_that_say_what_they_speak_about() -> None:
    parts = list(ack(NumberSet([(2, 3), (5, 5), (9, 9)])).parts(ranges=2))
    assert [str(part).rpartition("/bulk/")[2] for part in parts] == ["{[2,4),[5,6)}/1-5", "{[9,10)}/6-"]
    assert [Acknowledgement.parse(str(part)) for part in parts] == parts
    first, second = parts
    assert (first.denies(1, 1), first.denies(4, 4), first.denies(6, 20)) == (True, True, False)
    assert (second.denies(1, 5), second.denies(6, 8), second.denies(9, 9), second.denies(10, 10)) == (
        False,
        True,
        False,
        True,
    )
    assert [str(part) for part in ack(NumberSet()).parts()] == [str(ack(NumberSet()))]


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 3)), max_size=12),
    st.integers(1, 4),
    st.integers(1, 70),
    st.integers(0, 5),
)
def test_parts_say_what_the_whole_says(pairs: list[tuple[int, int]], size: int, first: int, more: int) -> None:
    whole = ack(NumberSet((low, low + length) for low, length in pairs))
    parts = list(whole.parts(ranges=size))
    assert any(part.denies(first, first + more) for part in parts) == whole.denies(first, first + more)
    assert parts[0].speaks_from == 1
    assert parts[-1].speaks_to is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"liandong/{T2}.3/{T1}/bulk",
        f"/{T2}.3/{T1}/bulk/{{}}",
        f"liandong/{T2}/{T1}/bulk/{{}}",
        f"liandong/{T2}.3/{T1}/bulk/{{[1,2]}}",
        f"liandong/{T2}.3/{T1}/bulk/{{}}/0-1",
        f"liandong/{T2}.3/{T1}/bulk/{{}}/5-4",
        f"liandong/{T2}.3/{T1}/bulk/{{}}/",
    ],
)
def test_no_acknowledgement(text: str) -> None:
    with pytest.raises(ProtocolError):
        Acknowledgement.parse(text)


@given(st.text(max_size=40) | st.from_regex(rf"{T1}[./:](urgent|bulk)?[/0-9\[,){{}}-]*", fullmatch=True))
def test_garbage_raises_nothing_but_protocol_error(text: str) -> None:
    for parse in (MessageId.parse, BirthId.parse, declarations_from_text, Acknowledgement.parse):
        with suppress(ProtocolError):
            parse(text)
