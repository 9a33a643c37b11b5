"""What is asked of a meter and what its answers mean, as scripts: frame in, frame out, no line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import cjt188, dlt645, mbus
from protocols.errors import ProtocolError
from protocols.mbus.messages import ACKNOWLEDGED, response
from protocols.meters import (
    Measured,
    SecondaryAddress,
    Talk,
    Wanted,
    convert,
    order_valve,
    read_cjt188,
    read_dlt645,
    read_mbus,
)
from protocols.meters.cjt188 import Learned
from protocols.meters.mbus import MOST_TELEGRAMS

POWER, WATER = "000012345678", "00012345678901"
Reply = Callable[[bytes], bytes | None]


def visit(talk: Talk, reply: Reply) -> list[bytes]:
    """Let `reply` answer every question (None = silence); what was asked."""
    asked = []
    try:
        ask = next(talk)
        while True:
            asked.append(ask.send)
            said = reply(ask.send)
            heard = ask.listen(said or b"")
            if heard.frame is None and not ask.optional:
                return asked
            ask = talk.send(heard.frame)
    except StopIteration:
        return asked


def power_meter(values: dict[int, bytes]) -> Reply:
    def reply(question: bytes) -> bytes:
        frame = dlt645.parse(question.lstrip(b"\xfe"))
        identifier = int.from_bytes(frame.data[:4], "little")
        if identifier not in values:
            return dlt645.encode(dlt645.refusal(POWER, 2))
        return question + b"\x68\xfe" + dlt645.encode(dlt645.read_reply(POWER, identifier, values[identifier]))

    return reply


def test_an_electricity_meter() -> None:
    told: list[Measured] = []
    lacks: set[int] = set()
    values = {0x00010000: bytes.fromhex("99999999"), 0x02010100: b"\xff\xff", 0x02020100: bytes.fromhex("0a0000")}
    talk = read_dlt645(POWER, "2007", [Wanted(metric="own", identifier=0x07654321)], lacks, told.append)
    visit(talk, power_meter(values | {0x07654321: b"\x01\xab"}))
    assert told == [
        Measured(metric="energy-import", value=999_999.99),
        Measured(metric="voltage", value=None),
        Measured(metric="current", value=None, quality="bad"),
        Measured(metric="own", value="AB01"),
    ]
    assert lacks == {0x02030000}


def test_the_only_meter_of_a_line() -> None:
    told: list[Measured] = []
    visit(read_dlt645("A" * 12, "2007", (), set(), told.append), power_meter({0x00010000: bytes(4)}))
    assert told == [Measured(metric="energy-import", value=0)]


def test_an_electricity_meter_that_refuses_everything() -> None:
    lacks: set[int] = set()
    with pytest.raises(ProtocolError) as refused:
        visit(read_dlt645(POWER, "2007", (), lacks, lambda _: None), power_meter({}))
    assert refused.value.code == "protocols.meters.refused"
    assert not lacks, "perhaps it was not itself"


@pytest.mark.parametrize("order", ["little", "big"])
def test_the_order_of_bytes_is_learned_and_learned_anew(order: cjt188.ByteOrder) -> None:
    learned = Learned()
    wanted = order
    told: list[Measured] = []
    volume = bytes.fromhex("785634122c")

    def reply(question: bytes) -> bytes | None:
        frame = cjt188.parse(question.lstrip(b"\xfe"))
        if frame.data[:2] != (0x901F).to_bytes(2, wanted):
            return None
        return cjt188.encode(cjt188.read_reply(frame, volume + volume + bytes(7) + b"\x05\x00"))

    def read() -> int:
        visit(read_cjt188(WATER, 0x10, "water-meter", (), learned, told.append, valve=True), reply)
        return len(told)

    tries = next(number for number in range(1, 5) if read())
    assert tries == (1 if order == "little" else 2)
    assert told[0] == Measured(metric="volume", value=123456.78)
    assert {one.metric: one.value for one in told[1:]} == {"battery-low": True, "valve-closed": True}
    assert read() == 2 * 3
    wanted = "big" if order == "little" else "little"  # another meter hangs there now
    assert next(number for number in range(1, 6) if read() > 6) <= 3


@pytest.mark.parametrize(
    ("field", "value", "quality"),
    [
        ("1234567805", None, "bad"),
        ("123456782c", 785634.12, "good"),
        ("1234567800", 785634.12, "uncertain"),
        ("ab3456782c", None, "bad"),
        ("ffffffff2c", None, "good"),
        ("0005000029", 0.005, "good"),
    ],
)
def test_values_of_water_meters(field: str, value: float | None, quality: str) -> None:
    told: list[Measured] = []

    def reply(question: bytes) -> bytes:
        frame = cjt188.parse(question.lstrip(b"\xfe"))
        return cjt188.encode(cjt188.read_reply(frame, bytes.fromhex(field) + bytes(5) + bytes(9)))

    visit(read_cjt188(WATER, 0x10, "water-meter", (), Learned(), told.append), reply)
    assert (told[0].value, told[0].quality) == (value, quality)


def test_another_meters_answer_and_the_own_echo_are_no_answers() -> None:
    ask = next(read_dlt645(POWER, "2007", (), set(), lambda _: None))
    other = dlt645.encode(dlt645.read_reply("000000000001", 0x00010000, bytes(4)))
    older = dlt645.encode(dlt645.read_reply(POWER, 0x02010100, bytes(2)))
    heard = ask.listen(ask.send + other + older)
    assert heard.frame is None
    assert heard.other == "000000000001"
    right = dlt645.encode(dlt645.read_reply(POWER, 0x00010000, bytes(4)))
    assert ask.listen(ask.send + other + older + b"\x68" + right).frame.data == b"\0\0\1\0" + bytes(4)
    assert ask.listen(right[:-2] + b"\0\x16").damaged


def test_an_mbus_meter_by_its_secondary_address() -> None:
    told: list[Measured] = []
    head = bytes.fromhex("785634122d2c0104") + bytes(4)
    telegrams = [
        response(9, 0x72, head + bytes.fromhex("0c0678563412") + bytes.fromhex("4c0611000000") + b"\x1f"),
        response(9, 0x72, head + bytes.fromhex("0c14ab000000") + bytes.fromhex("025a2902")),
    ]

    def reply(question: bytes) -> bytes | None:
        if mbus.parse(question).form == "long":
            return question + ACKNOWLEDGED
        return None if mbus.parse(question).control == 0x40 else telegrams.pop(0)

    address = SecondaryAddress(identification="12345678", manufacturer="KAM")
    extra = [Wanted(metric="settled", record="energy", storage=1)]
    asked = visit(read_mbus(address, "heat-meter", extra, told.append), reply)
    assert [question.hex() for question in asked] == [
        "1040fd3d16",
        "680b0b6853fd52785634122d2cffff0d16",
        "107bfd7816",
        "105bfd5816",
    ]
    assert told == [
        Measured(metric="energy", value=44444.4408),
        Measured(metric="settled", value=11_000),
        Measured(metric="volume", value=None, quality="bad"),
        Measured(metric="supply-temperature", value=55.3),
    ]


def test_of_an_mbus_meter_only_what_flows_forwards_is_the_reading() -> None:
    """Extensions change what a value is: 3C counts backwards, 3B is what flows forwards, and comes alone at times."""
    told: list[Measured] = []
    head = bytes.fromhex("78563412 2D2C 34 04 00 00 00 00")
    data = head + bytes.fromhex("04 86 3C 01 00 00 00" + "04 86 3B 05 00 00 00" + "04 06 09 00 00 00")
    visit(
        read_mbus(1, "heat-meter", (), told.append),
        lambda question: None if mbus.parse(question).control == 0x40 else response(1, 0x72, data),
    )
    assert [(one.metric, one.value) for one in told] == [("energy", 0.018)]


def test_an_mbus_meter_that_never_ends() -> None:
    asked = visit(
        read_mbus(1, "heat-meter", (), lambda _: None),
        lambda question: ACKNOWLEDGED if question[1] == 0x40 else response(1, 0x78, b"\x1f"),
    )
    assert len(asked) == 1 + MOST_TELEGRAMS


@pytest.mark.parametrize(
    ("ci", "data", "code"),
    [(0x70, b"\x08", "mbus-error"), (0x7A, b"\x01\x00\x10\x05" + bytes(16), "encrypted")],
)
def test_an_mbus_meter_that_cannot_be_read(ci: int, data: bytes, code: str) -> None:
    with pytest.raises(ProtocolError) as wrong:
        visit(read_mbus(0xFE, "heat-meter", (), lambda _: None), lambda _: response(1, ci, data))
    assert wrong.value.code == f"protocols.meters.{code}"


def test_a_valve_is_ordered_in_the_order_of_bytes_that_the_meter_takes() -> None:
    learned = Learned(order="big", serial=4)
    asked = visit(order_valve(WATER, 0x10, True, learned), lambda _: None)
    frame = cjt188.parse(asked[0].lstrip(b"\xfe"))
    assert (frame.control, frame.data) == (0x04, bytes.fromhex("A0170599"))
    answers = [cjt188.read_reply(frame, b"\x00\x00"), cjt188.refusal(frame, 0)]
    visit(order_valve(WATER, 0x10, True, learned), lambda _: cjt188.encode(answers[0]))
    with pytest.raises(ProtocolError, match="refuses to turn its valve"):
        visit(order_valve(WATER, 0x10, False, learned), lambda _: cjt188.encode(answers[1]))


@pytest.mark.parametrize(
    ("status", "valve", "told"),
    [
        (0, True, [Measured(metric="valve-closed", value=False)]),
        (1, True, [Measured(metric="valve-closed", value=True)]),
        (2, True, []),
        (3, True, [Measured(metric="valve-closed", value=None, quality="bad")]),
        (1, False, []),
    ],
)
def test_what_a_meter_tells_of_its_valve(status: int, valve: bool, told: list[Measured]) -> None:
    heard: list[Measured] = []
    payload = bytes.fromhex("785634122c") * 2 + bytes(7) + bytes([status, 0])
    request = cjt188.read_request(0x10, WATER)
    visit(
        read_cjt188(WATER, 0x10, "water-meter", (), Learned(), heard.append, valve=valve),
        lambda _: cjt188.encode(cjt188.read_reply(request, payload)),
    )
    assert [one for one in heard if one.metric == "valve-closed"] == told


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "result"),
    [
        (123456.78, "kWh", "GJ", 444.444408),
        (0.1, "MWh", "kW.h", 100),
        (7, "L", "m3", 0.007),
        (1, "J/h", "W", 1 / 3600),
        (5, "kWh", "m3", None),
        (5, "ft³", "m3", None),
    ],
)
def test_units(value: float, unit: str, wanted: str, result: float | None) -> None:
    assert convert(value, unit, wanted) == (None if result is None else pytest.approx(result, rel=1e-15))


@given(st.binary(max_size=200), st.sampled_from(["dlt645", "cjt188", "mbus"]))
def test_nothing_that_a_line_says_raises(noise: bytes, protocol: str) -> None:
    told: list[Measured] = []
    talks = {
        "dlt645": read_dlt645(POWER, "2007", (), set(), told.append),
        "cjt188": read_cjt188(WATER, 0x10, "water-meter", (), Learned(), told.append),
        "mbus": read_mbus(1, "heat-meter", (), told.append),
    }
    ask = next(talks[protocol])
    ask.listen(noise)
    ask.listen(ask.send + noise)


@given(st.binary(max_size=120), st.integers(0x70, 0x7F))
def test_whatever_is_inside_a_sound_answer(data: bytes, ci: int) -> None:
    told: list[Measured] = []
    address = dlt645.read_reply(POWER, 0x00010000, data)
    visit(read_dlt645(POWER, "2007", (), set(), told.append), lambda _: dlt645.encode(address))
    for talk, answer in (
        (read_mbus(1, "heat-meter", (), told.append), response(1, ci, data)),
        (
            read_cjt188(WATER, 0x20, "heat-meter", (), Learned(), told.append),
            cjt188.encode(cjt188.Frame(meter=0x20, address=WATER, control=0x81, data=b"\x1f\x90\x01" + data)),
        ),
    ):
        with suppress(ProtocolError):  # refused or encrypted; any other error fails
            visit(talk, lambda _, answer=answer: answer)  # type: ignore[misc]
