"""The DDCMP link: a recorded session byte for byte, both ends on a bad line, and whatever bytes come."""

from __future__ import annotations

import random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ProtocolError
from protocols.evadts.crc import crc16
from protocols.evadts.ddcmp import Carrier, Control, Data, Decoder, Machine, control, message
from protocols.evadts.ddcmp.frames import ACK, NACK, START
from protocols.evadts.dex import AuditReceived, AuditSent, Closed, DexEvent, Failed, Step, Timers

TIMERS = Timers(byte=0, bids=5)
AUDIT = b"DXS*SIM1234567*VA*V0/6*1\r\n" + b"".join(b"PA1*%d*350\r\nPA2*%d*700\r\n" % (n, n) for n in range(60))

# Recorded, with the checksums that the recording has.
STARTED = "05 06 40 00 08 01 5B 95"
STACK = "05 07 40 02 08 01 C7 95"
ACK_1 = "05 01 40 01 00 01 B8 55"
WHO = "81 10 00 00 01 01 1F 82 77 E0 00 00 00 00 00 01 03 19 20 19 17 00 00 0C 5D C9"
WHO_ANSWER = "81 15 40 01 01 01 97 82 88 E0 01 00 00 00 00 F5 FD 06 05 04 03 02 01 00 FF 00 00 00 A0 D2 D7"
# Recorded, without checksums: header and body. The last block was the twelfth: here it has the third's number.
READ = ("81 09 00 01 02 01", "77 E2 00 01 01 00 00 FF FF")
READ_ANSWER = ("81 09 40 02 02 01", "88 E2 01 01 01 00 00 FF FF")
LAST = (
    "81 48 C0 02 03 01",
    (
        "99 0B 45 41 32 2A 30 39 33 20 43 72 65 64 69 74 20 73 75 72 76 65 79 65 64 20 2A 30 2A 31 2A 30 0D 0A 4D 52 35"
        " 2A 32 37 43 45 42 37 34 34 2A 30 2A 31 2A 32 37 43 45 42 37 34 35 0D 0A 44 58 45 2A 31 2A 30 0D 0A 0D 0A"
    ),
)


def sealed(*parts: str) -> bytes:
    return b"".join(part + crc16(part).to_bytes(2, "little") for part in map(bytes.fromhex, parts))


@pytest.mark.parametrize(
    ("recorded", "frame"),
    [
        (STARTED, Control(type=6, parameter=8)),
        (STACK, Control(type=7, received=2, parameter=8)),
        (ACK_1, Control(type=1, received=1)),
        (WHO, Data(received=0, sent=1, body=bytes.fromhex(WHO)[8:-2], last=False, fits=True)),
        (WHO_ANSWER, Data(received=1, sent=1, body=bytes.fromhex(WHO_ANSWER)[8:-2], last=False, fits=True)),
    ],
)
def test_recorded_frames_are_read(recorded: str, frame: Control | Data) -> None:
    data = bytes.fromhex(recorded)
    assert Decoder().feed(data) == [frame]
    if isinstance(frame, Control):
        assert control(frame.type, received=frame.received, parameter=frame.parameter) == data


class Script:
    """Plays the machine by hand; `now` is virtual."""

    def __init__(self) -> None:
        self.side = Carrier(TIMERS)
        self.now = 0.0
        self.events: list[DexEvent] = []

    def take(self, step: Step) -> bytes:
        self.events += step.events
        sent = step.send
        self.now += TIMERS.reply
        again = self.side.poll(self.now)
        self.events += again.events
        return sent + again.send

    def says(self, data: bytes) -> bytes:
        return self.take(self.side.feed(data, self.now))


def test_a_session_as_it_was_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocols.evadts.ddcmp.carrier._READS", (bytes.fromhex(READ[1]),))  # what that carrier asked
    script = Script()
    assert script.take(script.side.start(0.0)) == control(START)
    who = script.says(bytes.fromhex(STACK))
    assert who[:8] == bytes.fromhex(WHO)[:8], "the header of the recording"
    assert who[8:-2] == bytes.fromhex("77E0") + bytes(13) + b"\x0c", "its body, without a time and a user"
    assert script.says(bytes.fromhex(ACK_1)) == b""
    assert script.says(bytes.fromhex(WHO_ANSWER)) == bytes.fromhex(ACK_1) + sealed(*READ)
    assert script.says(control(ACK, received=2)) == b""
    assert script.says(sealed(*READ_ANSWER)) == control(ACK, received=2)
    assert script.says(sealed(*LAST)) == b"", "held until it is on the disk"
    assert script.says(sealed(*LAST)) == b"", "also when the machine repeats it"
    audit = bytes.fromhex(LAST[1])[2:]
    assert script.events == [AuditReceived(data=audit)]
    finish = script.take(script.side.confirm(script.now))
    assert finish == control(ACK, received=3) + sealed("81 02 00 03 03 01", "77 FF")
    assert script.says(control(ACK, received=3)) == b""
    assert script.events[-1] == Closed()
    assert not script.side.busy


def reading() -> Script:
    """A carrier whose request to read the audit has arrived."""
    script = Script()
    script.take(script.side.start(0.0))
    script.says(bytes.fromhex(STACK))
    script.says(bytes.fromhex(ACK_1))
    script.says(bytes.fromhex(WHO_ANSWER))
    script.says(control(ACK, received=2))
    return script


def test_what_a_machine_does_not_know_is_asked_in_another_way() -> None:
    script = reading()
    asked = [script.says(message(bytes.fromhex("88E200"), received=2 + n, sent=2 + n)) for n in range(3)]
    assert [one[8:][8:-2].hex() for one in asked] == ["77e20001010000" + "0000", "77e20001010000" + "ffff", ""]
    failed = script.events[-1]
    assert isinstance(failed, Failed)
    assert failed.error.code == "protocols.evadts.dex-refused"


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("audit", [AUDIT[:999] + b"DXE*1*1\r\n", AUDIT[:999] + b"SE*9*1\r\n"])
def test_an_audit_whose_length_was_said(order: Literal["little", "big"], audit: bytes) -> None:
    script = reading()
    answer = bytes.fromhex("88E20102010000") + len(audit).to_bytes(2, order)
    assert script.says(message(answer, received=2, sent=2)) == control(ACK, received=2)
    for place in range(0, len(audit), 100):
        block = bytes((0x99, place // 100)) + audit[place : place + 100]
        script.says(message(block, received=2, sent=3 + place // 100))
    script.now += 5.1  # one without DXE ends by silence
    script.take(script.side.poll(script.now))
    assert script.events == [AuditReceived(data=audit)]


def test_a_refusal_of_what_had_arrived_before_counts_as_its_acknowledgement() -> None:
    script = Script()
    script.take(script.side.start(0.0))
    who = script.says(bytes.fromhex(STACK))
    assert script.says(control(NACK, received=0)) == who, "it did not arrive"
    assert script.says(control(NACK, received=1)) == b"", "it came twice, and its number says so"
    assert script.says(bytes.fromhex(WHO_ANSWER)).startswith(bytes.fromhex(ACK_1))


def test_a_machine_has_time_to_gather_its_audit() -> None:
    script = reading()
    assert script.side.due == pytest.approx(script.now + 15, abs=0.1)


def test_a_machine_refuses_a_list_that_it_does_not_have() -> None:
    machine = Machine(lambda: AUDIT, TIMERS)
    machine.feed(control(START), 0.0)
    machine.feed(message(bytes.fromhex("77E0") + bytes(14), received=0, sent=1), 0.1)
    machine.feed(control(ACK, received=1), 0.2)
    machine.feed(message(bytes.fromhex("77E20040010000" + "0000"), received=1, sent=2), 0.3)
    assert machine.poll(1.0).send.endswith(message(bytes.fromhex("88E200"), received=2, sent=2))


def test_a_machine_that_refuses() -> None:
    script = Script()
    script.take(script.side.start(0.0))
    script.says(bytes.fromhex(STACK))
    script.says(bytes.fromhex(ACK_1))
    script.says(message(bytes.fromhex("88E002"), received=1, sent=1))
    failed = script.events[-1]
    assert isinstance(failed, Failed)
    assert failed.error.code == "protocols.evadts.dex-refused"


def test_a_body_with_a_wrong_checksum_is_asked_for_again() -> None:
    script = Script()
    script.take(script.side.start(0.0))
    script.says(bytes.fromhex(STACK))
    script.says(bytes.fromhex(ACK_1))
    damaged = bytearray(bytes.fromhex(WHO_ANSWER))
    damaged[12] ^= 1
    assert script.says(bytes(damaged)) == control(NACK)
    assert script.says(bytes.fromhex(WHO_ANSWER)).startswith(bytes.fromhex(ACK_1))


def test_a_dead_line_is_called_a_few_times() -> None:
    script, sent = Script(), b""
    sent += script.take(script.side.start(0.0))
    while script.side.due is not None:
        script.now = max(script.now, script.side.due)
        sent += script.take(script.side.poll(script.now))
    assert sent == control(START) * 5
    failed = script.events[-1]
    assert isinstance(failed, Failed)
    assert failed.error.code == "protocols.evadts.dex-no-answer"


def play(chance: random.Random | None, share: float = 0.0) -> tuple[list[DexEvent], list[DexEvent]]:
    """Both ends on one wire until both are idle; an audit is confirmed at once."""
    side, machine = Carrier(TIMERS), Machine(lambda: AUDIT, TIMERS)
    now, heard = 0.0, {0: b"", 1: b""}
    told: tuple[list[DexEvent], list[DexEvent]] = ([], [])
    sides: tuple[Carrier, Machine] = (side, machine)

    def follow(which: int, step: Step) -> None:
        data = step.send
        if data and chance is not None and chance.random() < share:
            at = chance.randrange(len(data))
            data = data[:at] + chance.choice([b"", bytes([data[at] ^ 1 << chance.randrange(8)])]) + data[at + 1 :]
        heard[1 - which] += data
        for event in step.events:
            told[which].append(event)
            if isinstance(event, AuditReceived):
                follow(which, side.confirm(now))

    follow(0, side.start(now))
    while side.busy or machine.busy:
        for which, one in enumerate(sides):
            data, heard[which] = heard[which], b""
            follow(which, one.feed(data, now) if data else one.poll(now))
        if not any(heard.values()):
            now = max(now, min((one.due for one in sides if one.due is not None), default=now))
        assert now < 1000
    return told


def test_both_ends_understand_each_other() -> None:
    ours, theirs = play(None)
    assert ours == [AuditReceived(data=AUDIT), Closed()]
    assert theirs == [AuditSent(data=AUDIT), Closed()]


def test_a_bad_line_gives_the_audit_whole_or_not_at_all() -> None:
    whole = 0
    for seed in range(60):
        ours, theirs = play(random.Random(seed), 0.12)
        received = [event.data for event in ours if isinstance(event, AuditReceived)]
        assert received in ([], [AUDIT])
        assert isinstance(ours[-1], Closed | Failed)
        if any(isinstance(event, AuditSent) for event in theirs):
            assert received == [AUDIT], "the machine believes that we have it only when we do"
        whole += bool(received)
    assert whole > 30, "what is damaged is repeated"


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_whatever_bytes_come_a_decoder_keeps_little(pieces: list[bytes]) -> None:
    decoder = Decoder()
    for piece in pieces:
        decoder.feed(piece)
    assert len(decoder._bytes) <= 8 + 0x3FFF + 2


@given(st.binary(min_size=1, max_size=300), st.binary(max_size=20))
def test_a_message_is_found_behind_noise(body: bytes, noise: bytes) -> None:
    frame = message(body, received=3, sent=4, last=True)
    found = Decoder().feed(noise.replace(b"\x05", b"").replace(b"\x81", b"") + frame)
    assert found == [Data(received=3, sent=4, body=body, last=True, fits=True)]


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_whatever_a_machine_says_the_carrier_holds_up(pieces: list[bytes]) -> None:
    script = Script()
    script.take(script.side.start(0.0))
    for piece in pieces:
        script.says(piece)
    assert all(isinstance(event, Failed) for event in script.events)


def test_a_body_that_is_too_long() -> None:
    with pytest.raises(ProtocolError):
        message(bytes(0x4000), received=0, sent=0)


def test_in_the_middle_of_a_frame_nothing_is_late() -> None:
    script = Script()
    script.take(script.side.start(0.0))
    assert script.side.due is not None
    script.now = script.side.due - 0.01
    script.says(bytes.fromhex(STACK)[:5])
    assert script.side.due == pytest.approx(script.now + 0.5, abs=0.05), "never a time that is over: that would spin"
