"""How a scan looks for devices: who is told, who is told apart, and where the time ends it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge.scan.findings import Budget
from edge.scan.search import search
from edge.scan.walk import Heard, first, narrow
from protocols.errors import ProtocolError


class Meters:
    """Meters of these numbers: one answers for itself, several at once are a mess."""

    def __init__(self, numbers: list[str]) -> None:
        self.numbers, self.asked = numbers, 0

    def ask(self, begin: str) -> Heard[Any]:
        self.asked += 1
        mine = [number for number in self.numbers if number.startswith(begin)]
        return Heard(reply=(mine[0],) if len(mine) == 1 else None, several=len(mine) > 1)


@given(st.sets(st.text("0123", min_size=4, max_size=4), max_size=12))
def test_everybody_is_found_once(numbers: set[str]) -> None:
    meters = Meters(sorted(numbers))
    assert list(narrow(meters.ask, "0123", 4, Budget(60))) == [(number,) for number in sorted(numbers)]
    assert meters.asked <= 1 + 4 * 4 * max(1, len(numbers))


def test_the_same_number_twice_is_told_as_what_it_is() -> None:
    meters = Meters(["0203", "1111", "1111"])
    assert list(narrow(meters.ask, "0123", 4, Budget(60))) == [("0203",), "1111"]


def test_pairs_of_digits() -> None:
    meters = Meters(["0203", "0211"])
    pairs = [f"{number:02d}" for number in range(100)]
    assert list(narrow(meters.ask, pairs, 2, Budget(60))) == [("0203",), ("0211",)]
    assert list(narrow(Meters(["0203", "0203"]).ask, pairs, 2, Budget(60))) == ["0203"]


def test_no_time_no_question() -> None:
    meters = Meters(["0203"])
    assert list(narrow(meters.ask, "0123", 4, Budget(0))) == []
    assert meters.asked == 0


def test_a_reply_behind_noise_and_false_beginnings() -> None:
    def take(piece: bytes) -> str | None:
        if piece[:1] == b"\x68":
            raise ProtocolError("protocols.dlt645.not-a-frame", size=1, at=0)
        return piece[:2].decode() if piece[:1] == b"o" else None

    assert first(b"\x68\x00ok!", take) == "ok"
    assert first(b"\x68\x00", take) is None


def test_without_time_nothing_is_found_and_nothing_hangs() -> None:
    assert list(search([], ["modbus"], [1], {}, Budget(0))) == []
