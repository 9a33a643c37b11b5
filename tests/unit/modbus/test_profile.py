"""Profiles, the reads that they need, and the values in the words."""

from __future__ import annotations

import itertools
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ConfigError, ProtocolError
from protocols.modbus import decode_block, load_profile, parse_profile, plan_reads, profile_names
from protocols.modbus.profile import Profile
from protocols.modbus.reads import decode_raw, encode_raw

HEAD = 'name = "x"\ntype = "power-meter"\nmodel = "X"\nsource = "test"\n'
ROW = '[[register]]\nmetric = "power"\naddress = 1\nformat = "int16"\n'
THERMOSTAT = HEAD.replace("power-meter", "thermostat") + ROW.replace("power", "temperature")
FORMATS: dict[str, st.SearchStrategy[float]] = {
    "int16": st.integers(-(2**15), 2**15 - 1),
    "uint16": st.integers(0, 2**16 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "uint32": st.integers(0, 2**32 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "float32": st.floats(width=32, allow_nan=False),
    "float64": st.floats(allow_nan=False),
}
METRICS = ("voltage", "current", "power", "frequency", "energy-import", "energy-total")


def profile(*rows: str, head: str = "") -> Profile:
    registers = "".join(f"[[register]]\n{row}\n" for row in rows)
    return parse_profile(HEAD + head + registers, where="x.toml")


def words(fmt: str, *values: float) -> tuple[int, ...]:
    data = struct.pack(">" + fmt, *values)
    return struct.unpack(f">{len(data) // 2}H", data)


def test_what_is_shipped_can_be_read() -> None:
    assert {"eastron-sdm120", "eastron-sdm230", "eastron-sdm630", "qdy30a", "xy-md02"} <= set(profile_names())
    for name in profile_names():
        assert load_profile(name).name == name


def test_the_meter_needs_two_reads() -> None:
    blocks = plan_reads(load_profile("eastron-sdm120"))
    assert [(b.function, b.address, b.count) for b in blocks] == [(4, 0x0000, 76), (4, 0x0156, 2)]


def test_the_meters_words() -> None:
    meter = load_profile("eastron-sdm120")
    first, last = plan_reads(meter)
    image = [0] * 76
    for address, value in {0: 230.2, 6: 1.5, 12: 345.3, 30: 0.75, 70: 50.01, 72: 1234.5, 74: 2.5}.items():
        image[address : address + 2] = words("f", value)
    samples = {s.metric: s.value for s in decode_block(meter, first, image)}
    assert samples == {
        "voltage": pytest.approx(230.2),
        "current": 1.5,
        "power": pytest.approx(345.3),
        "frequency": pytest.approx(50.01),
        "energy-import": 1234.5,
        "energy-export": 2.5,
        "power-factor": 0.75,
    }
    (total,) = decode_block(meter, last, words("f", 1234.56))
    assert total.value == struct.unpack(">f", struct.pack(">f", 1234.56))[0], "exactly what the wire carried"


def test_the_thermometers_words() -> None:
    thermometer = load_profile("xy-md02")
    (block,) = plan_reads(thermometer)
    assert (block.function, block.address, block.count) == (4, 1, 2)
    values = [(s.metric, s.value, s.quality) for s in decode_block(thermometer, block, (0xFF9B, 623))]
    assert values == [("temperature", -10.1, "good"), ("humidity", 62.3, "good")]
    hot = decode_block(thermometer, block, (900, 623))[0]
    assert (hot.value, hot.quality) == (90.0, "bad"), "beyond what this model can measure"


@pytest.mark.parametrize(
    ("row", "raw", "value"),
    [
        ('format = "int16"', words("h", -5), -5.0),
        ('format = "uint16"', (0xFFFB,), 65531.0),
        ('format = "int32"\norder = "CDAB"', tuple(reversed(words("i", -70000))), -70000.0),
        ('format = "uint32"\nscale = 0.01', words("I", 123456), 1234.56),
        ('format = "float32"\norder = "CDAB"', tuple(reversed(words("f", 2.5))), 2.5),
        ('format = "float64"', words("d", 1 / 3), 1 / 3),
        ('format = "uint64"\nscale = 0.001', words("Q", 9), 0.009),
        ('format = "int16"\nscale = 0.1\noffset = -40', words("h", 650), 25.0),
        ('format = "int16"\ninvalid = [-32768, 32767]', (0x8000,), None),
        ('format = "float32"', words("f", math.nan), None),
        ('format = "float32"', words("f", math.inf), None),
    ],
)
def test_formats_and_word_orders(row: str, raw: tuple[int, ...], value: float | None) -> None:
    made = profile('metric = "power"\naddress = 7\n' + row)
    (block,) = plan_reads(made)
    (sample,) = decode_block(made, block, raw)
    assert sample.value == value
    assert sample.quality == ("bad" if value is None else "good")


@pytest.mark.parametrize(
    ("order", "sent"),
    [("ABCD", "41 C8 00 00"), ("CDAB", "00 00 41 C8"), ("BADC", "C8 41 00 00"), ("DCBA", "00 00 C8 41")],
)
def test_twenty_five_in_every_order_of_bytes(order: str, sent: str) -> None:
    made = profile(f'metric = "power"\naddress = 7\nformat = "float32"\norder = "{order}"')
    image = struct.unpack(">2H", bytes.fromhex(sent))
    assert decode_block(made, plan_reads(made)[0], image)[0].value == 25.0


@given(st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"]), st.sampled_from(sorted(FORMATS)), st.data())
def test_what_is_coded_is_read_back(order: Any, kind: Any, data: st.DataObject) -> None:
    raw = data.draw(FORMATS[kind])
    assert decode_raw(encode_raw(raw, kind, order), kind, order) == raw


def test_bits_of_coils_inputs_and_registers() -> None:
    rows = [f'metric = "relay-{n + 1}"\ntable = "coil"\naddress = {n}\nformat = "bit"\n' for n in (0, 7)]
    rows.append('metric = "input-1"\ntable = "holding"\naddress = 9\nformat = "uint16"\nbit = 3\n')
    head = HEAD.replace("power-meter", "relay") + "max_gap = 10\n"
    made = parse_profile(head + "".join(f"[[register]]\n{row}" for row in rows), where="x")
    other = made.model_copy(update={"order": "DCBA"})
    coils, register = plan_reads(made)
    assert decode_block(other, coils, (1, 0, 0, 0, 0, 0, 0, 0))[0].value is True, "bits have no order of bytes"
    assert (coils.function, coils.address, coils.count) == (1, 0, 8)
    assert [s.value for s in decode_block(made, coils, (1, 0, 0, 0, 0, 0, 0, 0))] == [True, False]
    assert [s.value for s in decode_block(made, register, (8,))] == [True]
    assert [s.value for s in decode_block(made, register, (0xFFF7,))] == [False]


@pytest.mark.parametrize(
    ("image", "value"),
    [((1, 1, 1234), 1.234), ((1, 0, 250), 2.5), ((2, 0, 2500), 2.5), ((4, 0, 2500), None), ((1, 40, 1), None)],
)
def test_a_level_probe_says_its_unit_and_its_decimals(image: tuple[int, ...], value: float | None) -> None:
    probe = load_profile("qdy30a")
    (block,) = plan_reads(probe)
    assert (block.function, block.address, block.count) == (3, 2, 3)
    (sample,) = decode_block(probe, block, image)
    assert (sample.value, sample.quality) == (value, "bad" if value is None else "good")


def test_the_three_phase_meter_needs_two_reads() -> None:
    blocks = plan_reads(load_profile("eastron-sdm630"))
    assert [(b.function, b.address, b.count) for b in blocks] == [(4, 0x0000, 76), (4, 0x0156, 2)]


def test_the_wrong_number_of_words() -> None:
    thermometer = load_profile("xy-md02")
    (block,) = plan_reads(thermometer)
    with pytest.raises(ProtocolError, match="3 registers where 2"):
        decode_block(thermometer, block, (1, 2, 3))


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("name = ", "profile-unreadable", "x.toml"),
        (HEAD, "profile-invalid", "register"),
        (HEAD + '[[register]]\nmetric = "volts"\naddress = 0\nformat = "int16"', "profile-invalid", "voltage"),
        (HEAD + '[[register]]\nmetric = "power"\naddress = 70000\nformat = "int16"', "profile-invalid", "address"),
        (HEAD + '[[register]]\nmetric = "power"\naddress = 65535\nformat = "int32"', "profile-invalid", "0xFFFF"),
        (HEAD + '[[register]]\nmetric = "power"\naddress = 1\nformat = "int8"', "profile-invalid", "format"),
        (HEAD + 2 * '[[register]]\nmetric = "power"\naddress = 1\nformat = "int16"\n', "profile-invalid", "twice"),
        (HEAD + ROW + 'table = "coil"', "profile-invalid", "bits"),
        (HEAD + ROW.replace("int16", "bit") + 'table = "coil"', "profile-invalid", "Double"),
        (HEAD + ROW + "units_at = 2", "profile-invalid", "units"),
        (HEAD + ROW + '[[output]]\noutput = "siren"\naddress = 1\nformat = "bit"', "profile-invalid", "siren"),
        (THERMOSTAT + ROW.replace("register", "output").replace("metric", "output").replace("power", "setpoint"),
         "profile-invalid", "low and high"),
        (HEAD.replace("power-meter", "toaster") + '[[register]]\nmetric = "power"\naddress = 1\nformat = "int16"',
         "profile-invalid", "toaster"),
    ],
)  # fmt: skip
def test_a_profile_that_cannot_be_used(text: str, code: str, says: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        parse_profile(text, where="x.toml")
    assert wrong.value.code == f"protocols.modbus.{code}"
    assert says in str(wrong.value)


def test_an_unknown_profile_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="eastron-sdm120, eastron-sdm230"):
        load_profile("sdm999")


@given(
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from(["int16", "float32"])), min_size=1, max_size=6),
    st.integers(2, 40),
    st.integers(0, 20),
)
def test_the_reads_hold_everything_and_none_could_be_spared(places: list[tuple[int, str]], most: int, gap: int) -> None:
    rows = (f'metric = "{m}"\naddress = {a}\nformat = "{f}"' for m, (a, f) in zip(METRICS, places, strict=False))
    made = profile(*rows, head=f"max_registers = {most}\nmax_gap = {gap}\n")
    blocks = plan_reads(made)
    assert sorted(r.metric for b in blocks for r in b.registers) == sorted(r.metric for r in made.registers)
    assert all(b.count <= most for b in blocks)
    assert all(b.address <= r.address and r.end <= b.address + b.count for b in blocks for r in b.registers)
    for left, right in itertools.pairwise(blocks):
        end = left.address + left.count
        row = right.registers[0]
        assert row.address - end > gap or max(end, row.end) - left.address > most
