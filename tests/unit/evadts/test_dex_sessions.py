"""Whole DEX sessions under a virtual clock: as scripts of bytes, and both roles on one wire."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from protocols.evadts.dex import (
    AuditReceived,
    AuditSent,
    Carrier,
    Closed,
    DexEvent,
    Failed,
    Greeted,
    Identity,
    Machine,
    Step,
    Timers,
    block,
)

CARRIER = Identity(id="LDG0000001")
MACHINE = Identity(id="SIM1234567")
AUDIT = b"DXS*SIM1234567*VA*V0/6*1\r\n" + b"".join(b"PA1*%d*350\r\nPA2*%d*700\r\n" % (n, n) for n in range(30))
ENQ, EOT, NAK, ACK0, ACK1, WACK = b"\x05", b"\x04", b"\x15", b"\x100", b"\x101", b"\x10;"
TIMERS = Timers(byte=0)


@dataclass
class Script:
    """Plays the other side by hand, byte for byte. `now` is virtual."""

    side: Carrier | Machine
    now: float = 0.0
    events: list[DexEvent] = field(default_factory=list)

    def take(self, step: Step) -> bytes:
        self.events += step.events
        sent = step.send
        if not sent and self.side.due is not None and self.side.due <= self.now + TIMERS.reply:
            self.now += TIMERS.reply
            again = self.side.poll(self.now)
            self.events += again.events
            sent = again.send
        return sent

    def says(self, data: bytes) -> bytes:
        """What our side answers to `data`."""
        return self.take(self.side.feed(data, self.now))

    def waits(self, seconds: float) -> bytes:
        """What our side says by itself in the next `seconds`."""
        end, sent = self.now + seconds, b""
        while self.side.due is not None and self.side.due <= end:
            self.now = max(self.now, self.side.due)
            step = self.side.poll(self.now)
            self.events += step.events
            sent += step.send
        self.now = end
        return sent

    @property
    def failure(self) -> str:
        return next(event.error.code for event in self.events if isinstance(event, Failed))


def carrier() -> Script:
    script = Script(Carrier(CARRIER, TIMERS))
    script.take(script.side.start(0.0)) if isinstance(script.side, Carrier) else None
    return script


def greeted_carrier() -> Script:
    """A carrier that has both handshakes behind it."""
    script = carrier()
    script.says(ACK0)
    script.says(ACK1)
    script.says(ENQ)
    script.says(MACHINE.answer("00"))
    script.says(EOT)
    return script


def confirm(script: Script) -> bytes:
    assert isinstance(script.side, Carrier)
    return script.take(script.side.confirm(script.now))


def test_a_reading_byte_for_byte() -> None:
    script = Script(Carrier(CARRIER, TIMERS))
    assert isinstance(script.side, Carrier)
    assert script.take(script.side.start(0.0)) == ENQ
    assert script.says(ACK0) == CARRIER.request("R")
    assert script.says(ACK1) == EOT
    assert script.says(ENQ) == ACK0
    assert script.says(MACHINE.answer("00")) == ACK1
    assert script.says(EOT) == b""
    assert script.says(ENQ) == ACK0
    assert script.says(block("STX", b"one\r\n", last=False)) == ACK1
    assert script.says(block("STX", b"two\r\n", last=False)) == ACK0
    assert script.says(block("STX", b"end\r\n")) == b""
    assert script.events[-1] == AuditReceived(data=b"one\r\ntwo\r\nend\r\n")
    assert confirm(script) == ACK1
    assert script.says(EOT) == b""
    assert script.events == [
        Greeted(id="SIM1234567", revision="R00L06", word="00"),
        AuditReceived(data=b"one\r\ntwo\r\nend\r\n"),
        Closed(),
    ]


def test_a_machine_answers_byte_for_byte() -> None:
    script = Script(Machine(MACHINE, lambda: b"x" * 250, TIMERS))
    assert script.says(ENQ) == ACK0
    assert script.says(CARRIER.request("R")) == ACK1
    assert script.says(EOT) == b"", "a pause between the handshakes"
    assert script.waits(0.1) == ENQ
    assert script.says(ACK0) == MACHINE.answer("00")
    assert script.says(ACK1) == EOT
    assert script.waits(0.1) == ENQ
    assert script.says(ACK0) == block("STX", b"x" * 243, last=False)
    assert script.says(ACK1) == block("STX", b"x" * 7)
    assert script.says(ACK0) == EOT
    assert script.events[-2:] == [AuditSent(data=b"x" * 250), Closed()]


@pytest.mark.parametrize(
    ("request_frame", "response"),
    [
        (Identity(id="LDG0000001", revision="R09L09").request("R"), "02"),
        (CARRIER.request("S"), "05"),
        (block("SOH", b"nonsense"), "05"),
    ],
)
def test_a_machine_refuses(request_frame: bytes, response: str) -> None:
    script = Script(Machine(MACHINE, lambda: AUDIT, TIMERS))
    script.says(ENQ)
    script.says(request_frame)
    script.says(EOT)
    assert script.waits(0.1) == ENQ
    assert script.says(ACK0) == MACHINE.answer(response)
    assert script.says(ACK1) == EOT
    assert isinstance(script.events[-1], Closed)


def test_a_refusal_ends_the_carriers_session() -> None:
    script = carrier()
    script.says(ACK0)
    script.says(ACK1)
    script.says(ENQ)
    script.says(MACHINE.answer("04"))
    script.says(EOT)
    assert script.failure == "protocols.evadts.dex-refused"


def test_nothing_is_sent_sooner_than_ten_milliseconds() -> None:
    side = Carrier(CARRIER, TIMERS)
    assert side.start(5.0).send == b""
    assert side.due == pytest.approx(5.01)
    assert side.poll(5.009).send == b""
    assert side.poll(5.01).send == ENQ


def test_a_dead_line_is_asked_ten_times() -> None:
    script = carrier()
    assert script.waits(30) == ENQ * 9
    assert script.failure == "protocols.evadts.dex-no-answer"


def test_timer_a_repeats_a_block_five_times_at_most() -> None:
    script = carrier()
    assert script.says(ACK0) == CARRIER.request("R")
    assert script.waits(20) == CARRIER.request("R") * 4
    assert script.failure == "protocols.evadts.dex-timeout"


def test_nak_repeats_at_once() -> None:
    script = carrier()
    script.says(ACK0)
    assert script.says(NAK) == CARRIER.request("R")
    assert script.says(ACK1) == EOT


def test_timer_b_asks_again_for_a_block_that_broke_off() -> None:
    script = greeted_carrier()
    script.says(ENQ)
    frame = block("STX", b"end\r\n")
    assert script.says(frame[:6]) == b""
    assert script.waits(0.15) == NAK
    script.says(frame)
    assert confirm(script) == ACK1


def test_timer_d_gives_a_silent_machine_up() -> None:
    script = greeted_carrier()
    script.waits(2.5)
    assert script.failure == "protocols.evadts.dex-timeout"


def test_sixty_seconds_without_anything_new_are_the_end() -> None:
    script = greeted_carrier()
    script.says(ENQ)
    script.says(block("STX", b"end\r\n"))
    answered = b""
    for _ in range(50):
        answered += script.waits(1.4)
    assert script.failure == "protocols.evadts.dex-overall"
    assert set(answered[::2] + answered[1::2]) == set(WACK)


def test_a_damaged_block_is_refused_and_five_times_is_enough() -> None:
    script = greeted_carrier()
    script.says(ENQ)
    broken = block("STX", b"end\r\n")[:-1] + b"\x00"
    assert [script.says(broken) for _ in range(5)] == [NAK] * 5
    script.says(broken)
    assert script.failure == "protocols.evadts.dex-damaged"


def test_a_repeated_block_is_answered_again_and_taken_once() -> None:
    script = greeted_carrier()
    script.says(ENQ)
    first = block("STX", b"one\r\n", last=False)
    assert script.says(first) == ACK1
    script.waits(1.0)
    assert script.says(first) == ACK1
    script.says(block("STX", b"end\r\n"))
    assert script.events[-1] == AuditReceived(data=b"one\r\nend\r\n")


def test_equal_blocks_that_follow_at_once_are_two() -> None:
    script = greeted_carrier()
    script.says(ENQ)
    assert script.says(block("STX", b"EA1*x\r\n", last=False)) == ACK1
    assert script.says(block("STX", b"EA1*x\r\n", last=False)) == ACK0


def test_enq_asks_for_the_last_answer() -> None:
    script = greeted_carrier()
    script.says(ENQ)
    script.says(block("STX", b"one\r\n", last=False))
    script.waits(1.0)
    assert script.says(ENQ) == ACK1


def test_a_late_store_asks_for_patience() -> None:
    script = greeted_carrier()
    script.says(ENQ)
    script.says(block("STX", b"end\r\n"))
    assert script.waits(0.9) == WACK
    assert script.says(ENQ) == WACK
    assert confirm(script) == b"", "the machine asks again"
    assert script.says(ENQ) == ACK1
    script.says(EOT)
    assert isinstance(script.events[-1], Closed)


def test_a_store_that_is_done_before_the_machine_asks_is_told_when_it_asks() -> None:
    script = greeted_carrier()
    script.says(ENQ)
    script.says(block("STX", b"end\r\n"))
    assert script.waits(0.9) == WACK
    assert confirm(script) == b""
    assert script.waits(2.1) == ACK1, "its question was lost"
    script.says(EOT)
    assert isinstance(script.events[-1], Closed)


def test_a_long_audit_takes_its_time_as_long_as_something_new_comes() -> None:
    script = greeted_carrier()
    script.says(ENQ)
    for number in range(100):
        script.waits(1.0)
        script.says(block("STX", b"%d\r\n" % number, last=False))
    assert script.now > TIMERS.overall
    script.says(block("STX", b"end\r\n"))
    assert isinstance(script.events[-1], AuditReceived)


def test_a_machine_that_never_ends_is_given_up() -> None:
    script = greeted_carrier()
    script.says(ENQ)
    for number in range(1200):
        script.says(block("STX", b"%d" % number + b"x" * 230, last=False))
        if script.events and isinstance(script.events[-1], Failed):
            break
    assert script.failure == "protocols.evadts.dex-too-long"


def test_an_answer_with_its_code_behind_the_id_is_understood() -> None:
    script = carrier()
    script.says(ACK0)
    script.says(ACK1)
    script.says(ENQ)
    assert script.says(block("SOH", b"QRS765432100R00L06")) == ACK1
    script.says(EOT)
    assert script.events == [Greeted(id="QRS7654321", revision="R00L06", word="00")]


def test_giving_up_never_acknowledges() -> None:
    script = greeted_carrier()
    script.says(ENQ)
    script.says(block("STX", b"end\r\n"))
    assert isinstance(script.side, Carrier)
    assert script.take(script.side.abandon(script.now)) == EOT
    assert script.failure == "protocols.evadts.dex-abandoned"


def test_a_lost_last_eot_is_no_loss() -> None:
    script = greeted_carrier()
    script.says(ENQ)
    script.says(block("STX", b"end\r\n"))
    confirm(script)
    script.waits(3)
    assert isinstance(script.events[-1], Closed)


def test_the_machine_waits_when_it_is_asked_to() -> None:
    script = Script(Machine(MACHINE, lambda: b"end\r\n", TIMERS))
    script.says(ENQ)
    script.says(CARRIER.request("R"))
    script.says(EOT)
    script.waits(0.1)
    script.says(ACK0)
    script.says(ACK1)
    script.waits(0.1)
    assert script.says(ACK0) == block("STX", b"end\r\n")
    assert script.says(WACK) == b""
    assert script.waits(0.35) == ENQ
    assert script.says(WACK) == b""
    assert script.waits(0.35) == ENQ
    assert script.says(ACK1) == EOT


def test_a_question_that_is_never_answered_ends_the_session() -> None:
    script = Script(Machine(MACHINE, lambda: b"end\r\n", TIMERS))
    for said in (ENQ, CARRIER.request("R"), EOT, ACK0, ACK1, ACK0, WACK):
        script.says(said)
        script.waits(0.1)
    assert script.waits(8) == ENQ * 5
    assert script.failure == "protocols.evadts.dex-timeout"


def play(
    side: Carrier, machine: Machine, *, spoil: Callable[[bytes], bytes] = bytes, machine_bids: bool = False
) -> tuple[list[DexEvent], list[DexEvent]]:
    """Both roles on one wire until both are idle; an audit is confirmed at once."""
    now = 0.0
    heard: dict[int, bytes] = {0: b"", 1: b""}
    told: tuple[list[DexEvent], list[DexEvent]] = ([], [])
    sides: tuple[Carrier, Machine] = (side, machine)

    def follow(which: int, step: Step) -> None:
        heard[1 - which] += spoil(step.send) if step.send else b""
        for event in step.events:
            told[which].append(event)
            if isinstance(event, AuditReceived):
                follow(which, side.confirm(now))

    follow(0, side.start(now))
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


def test_both_roles_understand_each_other() -> None:
    ours, theirs = play(Carrier(CARRIER, TIMERS), Machine(MACHINE, lambda: AUDIT, TIMERS))
    assert [event for event in ours if isinstance(event, AuditReceived)] == [AuditReceived(data=AUDIT)]
    assert AuditSent(data=AUDIT) in theirs
    assert isinstance(ours[-1], Closed)


def test_on_a_collision_the_carrier_yields() -> None:
    ours, theirs = play(Carrier(CARRIER, TIMERS), Machine(MACHINE, lambda: AUDIT, TIMERS), machine_bids=True)
    assert ours[0] == Greeted(id="SIM1234567", revision="R00L06", word="S")
    assert AuditReceived(data=AUDIT) in ours
    assert AuditSent(data=AUDIT) in theirs


def test_an_idle_carrier_takes_a_call() -> None:
    side = Carrier(CARRIER, TIMERS)
    script = Script(side)
    assert script.says(ENQ) == ACK0
    assert script.says(MACHINE.request("S")) == ACK1
    assert script.says(EOT) == b""
    assert script.waits(0.1) == ENQ
    assert script.says(ACK0) == CARRIER.answer("00")
    assert script.says(ACK1) == EOT
    assert script.says(ENQ) == ACK0


def test_a_machine_that_wants_to_be_configured_is_told_that_there_is_nothing() -> None:
    script = Script(Carrier(CARRIER, TIMERS))
    script.says(ENQ)
    script.says(MACHINE.request("R"))
    script.says(EOT)
    assert script.waits(0.1) == ENQ
    assert script.says(ACK0) == CARRIER.answer("04")
    script.says(ACK1)
    assert script.failure == "protocols.evadts.dex-ended"


@pytest.mark.parametrize("seed", range(60))
def test_a_bad_line_gives_the_audit_whole_or_not_at_all(seed: int) -> None:
    chance = random.Random(seed)

    def spoil(data: bytes) -> bytes:
        draw = chance.random()
        if draw < 0.08:
            return b""
        if draw < 0.16:
            at = chance.randrange(len(data))
            return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        return data

    ours, theirs = play(Carrier(CARRIER, TIMERS), Machine(MACHINE, lambda: AUDIT, TIMERS), spoil=spoil)
    received = [event.data for event in ours if isinstance(event, AuditReceived)]
    assert received in ([], [AUDIT])
    if any(isinstance(event, AuditSent) for event in theirs):
        assert received == [AUDIT], "the machine believes that we have it only when we do"
