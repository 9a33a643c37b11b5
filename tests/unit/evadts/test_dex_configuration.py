"""Operation S: prices as a configuration, byte for byte, and on a bad line whole or not at all."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ProtocolError
from protocols.evadts.dex import (
    Carrier,
    Closed,
    ConfigurationSent,
    ConfigurationTaken,
    DexEvent,
    Failed,
    Greeted,
    Machine,
    Step,
    block,
)
from protocols.evadts.prices import price_set, prices_of
from tests.unit.evadts.test_dex_sessions import ACK0, ACK1, CARRIER, ENQ, EOT, MACHINE, TIMERS, Script

MANY = price_set({str(number): 100 + number for number in range(40)}, communication_id="LDG0000001")


class Board:
    """A machine's memory: what it was configured with."""

    def __init__(self, *, takes: bool = True) -> None:
        self.taken: list[bytes] = []
        self.takes = takes

    def configure(self, data: bytes) -> bool:
        if self.takes:
            self.taken.append(data)
        return self.takes


def test_a_configuration_byte_for_byte() -> None:
    script = Script(Carrier(CARRIER, TIMERS))
    assert isinstance(script.side, Carrier)
    assert script.take(script.side.send(b"x" * 250, 0.0)) == ENQ
    assert script.says(ACK0) == CARRIER.request("S")
    assert script.says(ACK1) == EOT
    assert script.says(ENQ) == ACK0
    assert script.says(MACHINE.answer("00")) == ACK1
    assert script.says(EOT) == b""
    assert script.waits(0.1) == ENQ
    assert script.says(ACK0) == block("STX", b"x" * 243, last=False)
    assert script.says(ACK1) == block("STX", b"x" * 7)
    assert script.says(ACK0) == EOT
    assert script.events == [Greeted(id="SIM1234567", revision="R00L06", word="00"), ConfigurationSent(), Closed()]


@pytest.mark.parametrize("takes", [True, False])
def test_a_machine_acknowledges_only_what_it_uses(takes: bool) -> None:
    board = Board(takes=takes)
    script = Script(Machine(MACHINE, lambda: b"", TIMERS, configure=board.configure))
    script.says(ENQ)
    assert script.says(CARRIER.request("S")) == ACK1
    assert script.says(EOT) == b""
    assert script.waits(0.1) == ENQ
    assert script.says(ACK0) == MACHINE.answer("00")
    assert script.says(ACK1) == EOT
    assert script.says(ENQ) == ACK0
    assert script.says(block("STX", b"one", last=False)) == ACK1
    assert script.says(block("STX", b"two")) == (ACK0 if takes else EOT)
    assert board.taken == ([b"onetwo"] if takes else [])
    if takes:
        script.says(EOT)
        assert script.events[-2:] == [ConfigurationTaken(data=b"onetwo"), Closed()]
    else:
        assert script.failure == "protocols.evadts.dex-ended"


def play(side: Carrier, machine: Machine, spoil: random.Random | None, *, machine_bids: bool) -> list[DexEvent]:
    """Both on one wire until both are idle; what the carrier was told."""
    now, told = 0.0, list[DexEvent]()
    heard = {0: b"", 1: b""}
    sides: tuple[Carrier, Machine] = (side, machine)

    def follow(which: int, step: Step) -> None:
        data = step.send
        if data and spoil is not None and spoil.random() < 0.15:
            at = spoil.randrange(len(data))
            data = data[:at] + data[at + 1 :]
        heard[1 - which] += data
        if which == 0:
            told.extend(step.events)

    follow(0, side.send(MANY, now))
    if machine_bids:
        follow(1, machine.bid(now))
    while side.busy or machine.busy:
        for which, one in enumerate(sides):
            data, heard[which] = heard[which], b""
            follow(which, one.feed(data, now) if data else one.poll(now))
        if not any(heard.values()):
            now = max(now, min((one.due for one in sides if one.due is not None), default=now))
        assert now < 300
    return told


@pytest.mark.parametrize("seed", range(40))
def test_on_a_bad_line_the_machine_has_all_prices_or_none(seed: int) -> None:
    board = Board()
    machine = Machine(MACHINE, lambda: b"", TIMERS, configure=board.configure)
    told = play(Carrier(CARRIER, TIMERS), machine, random.Random(seed), machine_bids=False)
    assert board.taken in ([], [MANY])
    if ConfigurationSent() in told:
        assert board.taken == [MANY], "acknowledged to its end means used"


def test_nothing_is_sent_when_the_machine_bids_itself() -> None:
    board = Board()
    machine = Machine(MACHINE, lambda: b"audit\r\n", TIMERS, configure=board.configure)
    told = play(Carrier(CARRIER, TIMERS), machine, None, machine_bids=True)
    assert (board.taken, ConfigurationSent() in told) == ([], False)


def test_a_machine_that_takes_none_says_so() -> None:
    told = play(Carrier(CARRIER, TIMERS), Machine(MACHINE, lambda: b"", TIMERS), None, machine_bids=False)
    failed = told[-1]
    assert isinstance(failed, Failed)
    assert failed.error.code == "protocols.evadts.dex-refused"


@given(st.dictionaries(st.from_regex(r"\A[0-9A-Z]{1,8}\Z"), st.integers(1, 10**9), min_size=1, max_size=60))
def test_prices_there_and_back(prices: dict[str, int]) -> None:
    assert prices_of(price_set(prices, communication_id="LDG0000001")) == prices


@given(st.integers(0, len(MANY) - 1), st.integers(1, 255))
def test_a_damaged_configuration_sets_nothing_else(at: int, flip: int) -> None:
    damaged = MANY[:at] + bytes([MANY[at] ^ flip]) + MANY[at + 1 :]
    assert prices_of(damaged) in (None, prices_of(MANY))


@given(st.binary(max_size=300))
def test_whatever_a_machine_is_sent_it_holds_up(data: bytes) -> None:
    assert prices_of(data) is None or b"PC1" in data


def test_a_selection_that_cannot_stand_in_a_field() -> None:
    with pytest.raises(ProtocolError):
        price_set({"1*2": 100}, communication_id="LDG0000001")
