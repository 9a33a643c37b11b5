"""Sets as pages: what did not change keeps its name, what is damaged or too large is refused."""

from __future__ import annotations

import base64
import json
import uuid
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import sets
from protocols.errors import ProtocolError
from protocols.sets import Offer, Page, Sent

PEOPLE: list[dict[str, Any]] = [{"id": f"p-{n}", "cards": [f"H10301:1:{n}"]} for n in range(1000)]
HEAD = {"time_zone": "Asia/Shanghai"}
HOST = {"host": "liandong", "id": str(uuid.uuid4())}
DIGEST = "0" * 64


def pages_of(people: list[dict[str, Any]]) -> list[bytes]:
    return sets.pages_of(HEAD, people, lambda one: str(one["id"]))


def test_a_set_comes_back_whole_whatever_its_order() -> None:
    pages = pages_of(PEOPLE)
    assert pages == pages_of(PEOPLE[::-1])
    head, leaves = sets.content_of([sets.unpack(sets.pack(page), sets.name_of(page)) for page in pages])
    assert head == HEAD
    assert sorted((one for leaf in leaves for one in leaf), key=lambda one: int(one["id"][2:])) == PEOPLE
    assert pages_of([]) == [b'{"time_zone":"Asia/Shanghai"}']


def test_one_change_changes_one_page() -> None:
    before = [sets.name_of(page) for page in pages_of(PEOPLE)]
    after = [sets.name_of(page) for page in pages_of([{**PEOPLE[0], "enabled": False}, *PEOPLE[1:]])]
    assert len(before) == len(after) == 9
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
    assert sets.set_hash("cardholders", before) != sets.set_hash("cardholders", after)
    assert sets.set_hash("cardholders", before) != sets.set_hash("rules", before)


def test_what_is_damaged_or_another_page_is_not_taken() -> None:
    page = pages_of(PEOPLE)[1]
    name = sets.name_of(page)
    bomb = base64.b64encode(zlib.compress(b"[" + b" " * 10_000_000 + b"]", 9)).decode()
    for text in (sets.pack(page)[:-8], "!", sets.pack(pages_of(PEOPLE)[2]), bomb):
        with pytest.raises(ProtocolError):
            sets.unpack(text, name)
    for content in ([b"[]"], [b"{}", b"{}"], [b"\xff"], [b"[" * 100_000]):
        with pytest.raises(ProtocolError):
            sets.content_of(content)


def test_what_is_too_large_is_refused_where_it_is_made() -> None:
    with pytest.raises(ProtocolError) as many:
        pages_of([{"id": str(n)} for n in range(sets.MAX_ITEMS + 1)])
    assert many.value.code == "protocols.sets.too-large"
    with pytest.raises(ProtocolError) as long:
        pages_of([{"id": "a", "name": "x" * sets.MAX_PAGE_BYTES}])
    assert long.value.code == "protocols.sets.page-too-large"


def test_twenty_thousand_people_fit_into_the_messages() -> None:
    pages = pages_of([{"id": f"resident-{n}", "cards": [f"H10301:{n % 256}:{n}"]} for n in range(sets.MAX_ITEMS)])
    offer = Offer(**HOST, kind="cardholders", number=1, pages=tuple(map(sets.name_of, pages)))  # type: ignore[arg-type]
    assert len(pages) <= sets.MAX_PAGES
    assert sets.read(offer.model_dump_json()) == offer


@pytest.mark.parametrize(
    ("said", "form"),
    [
        ({"kind": "rules", "number": 1, "pages": [DIGEST]}, Offer),
        ({"ticket": HOST["id"], "page": 0, "text": "x"}, Page),
        ({"ticket": HOST["id"], "sent": True}, Sent),
    ],
)
def test_the_messages_are_told_apart(said: dict[str, object], form: type) -> None:
    assert isinstance(sets.read(json.dumps(HOST | said)), form)
    for spoilt in ({**said, "more": 1}, {**said, "host": ""}, dict(list(said.items())[1:])):
        with pytest.raises(ProtocolError):
            sets.read(json.dumps(HOST | spoilt))


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=4)))
def test_no_event_and_no_message_crashes(value: object) -> None:
    good = {"id": HOST["id"], "kind": "rules", "number": 1, "hash": DIGEST, "ticket": HOST["id"], "wants": [1]}
    assert sets.told(sets.READY, good) is not None
    for key in good:
        sets.told(sets.READY, good | {key: value})
    with pytest.raises(ProtocolError):
        sets.read(json.dumps(value))
