"""What a captured DDCMP line says: a recorded session, damage with its byte, and whole audits."""

from __future__ import annotations

from protocols.evadts.ddcmp import Carrier, Machine, decode_ddcmp, message
from protocols.evadts.dex import AuditReceived, Timers
from tests.unit.evadts.test_ddcmp import ACK_1, STACK, STARTED, WHO, WHO_ANSWER

AUDIT = b"DXS*SIM1234567*VA*V0/6*1\r\nST*001*0001\r\nPA1*1*350\r\nSE*3*0001\r\nDXE*1*1\r\n" * 3
RECORDED = bytes.fromhex(STARTED + STACK + WHO + ACK_1 + WHO_ANSWER)


def test_a_recorded_session() -> None:
    told = decode_ddcmp(RECORDED)
    assert told["ok"]
    assert [frame["frame"] for frame in told["frames"]] == ["start", "stack", "data", "ack", "data"]
    assert told["frames"][0]["speed"] == 115_200
    assert [frame.get("command") for frame in told["frames"][2:]] == ["who-are-you", None, "who-are-you-answer"]
    assert told["frames"][4]["granted"] is True
    assert [frame["at"] for frame in told["frames"]] == [0, 8, 16, 42, 50]


def test_damage_is_told_with_its_byte() -> None:
    damaged = bytearray(RECORDED)
    damaged[30] ^= 1
    told = decode_ddcmp(bytes(damaged))
    (finding,) = told["findings"]
    assert (finding["code"], finding["at"], told["ok"]) == ("protocols.capture.check-sum", 40, False)
    assert [frame["ok"] for frame in told["frames"]] == [True, True, False, True, True]
    damaged = bytearray(RECORDED)
    damaged[7] ^= 1
    assert [(f["code"], f["at"]) for f in decode_ddcmp(bytes(damaged))["findings"]] == [
        ("protocols.capture.check-sum", 6)
    ]


def test_a_header_that_is_damaged_has_no_length_to_trust() -> None:
    data = bytearray(bytes.fromhex(WHO))
    data[1] = 0xFF
    told = decode_ddcmp(bytes(data))
    assert told["frames"] == []
    assert told["findings"][0]["at"] == 0


def test_a_frame_that_is_cut_short() -> None:
    told = decode_ddcmp(bytes.fromhex(STARTED + WHO)[:-3])
    assert [finding["code"] for finding in told["findings"]] == ["protocols.capture.cut-short"]
    assert told["findings"][0]["params"] == {"wanted": 26, "there": 23}


def whole_session() -> bytes:
    """What both ends say while an audit is read."""
    carrier, machine = Carrier(Timers(byte=0)), Machine(lambda: AUDIT, Timers(byte=0))
    said, now = b"", 0.0
    step = carrier.start(now)
    while now < 30:
        confirmed = any(isinstance(event, AuditReceived) for event in step.events)
        said += step.send
        answer = machine.feed(step.send, now) if step.send else machine.poll(now)
        said += answer.send
        step = (
            carrier.confirm(now) if confirmed else carrier.feed(answer.send, now) if answer.send else carrier.poll(now)
        )
        now += 0.05
    return said


def test_the_audit_of_a_session_is_read() -> None:
    told = decode_ddcmp(whole_session())
    (audit,) = told["audits"]
    assert audit["records"][0]["raw"][0] == "SIM1234567"
    assert not [frame for frame in told["frames"] if not frame["ok"]]


def test_a_repeated_block_counts_once_and_a_damaged_one_not_at_all() -> None:
    half = len(AUDIT) // 2
    one = message(b"\x99\x00" + AUDIT[:half], received=1, sent=3)
    two = message(b"\x99\x01" + AUDIT[half:], received=1, sent=4, last=True)
    wrong = bytearray(two)
    wrong[-1] ^= 1
    whole = decode_ddcmp(one + two)["audits"]
    assert decode_ddcmp(one + one + bytes(wrong) + two)["audits"] == whole
    assert len(whole) == 1


def test_more_than_an_audit_can_be() -> None:
    block = b"\x99\x00" + b"A" * 16_000
    data = b"".join(message(block, received=0, sent=number % 256) for number in range(70))
    told = decode_ddcmp(data)
    assert told["audits"] == []
    assert "protocols.ddcmp.too-long" in {finding["code"] for finding in told["findings"]}
