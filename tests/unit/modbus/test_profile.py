"""Profiles, the reads that they need, and the values in the words."""

from __future__ import annotations

import itertools
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ConfigError, ProtocolError
from protocols.modbus import decode_block, load_profile, parse_profile, plan_reads, profile_names
from protocols.modbus.profile import Profile

HEAD = 'name = "x"\ntype = "power-meter"\nmodel = "X"\nsource = "test"\n'
METRICS = ("voltage", "current", "power", "frequency", "energy-import", "energy-total")


def profile(*rows: str, head: str = "") -> Profile:
    registers = "".join(f"[[register]]\n{row}\n" for row in rows)
    return parse_profile(HEAD + head + registers, where="x.toml")


def words(fmt: str, *values: float) -> tuple[int, ...]:
    data = struct.pack(">" + fmt, *values)
    return struct.unpack(f">{len(data) // 2}H", data)


def test_what_is_shipped_can_be_read() -> None:
    assert profile_names() == ("eastron-sdm120", "xy-md02")
    for name in profile_names():
        assert load_profile(name).name == name


def test_the_meter_needs_two_reads() -> None:
    blocks = plan_reads(load_profile("eastron-sdm120"))
    assert [(b.function, b.address, b.count) for b in blocks] == [(4, 0x0000, 74), (4, 0x0156, 2)]


def test_the_meters_words() -> None:
    meter = load_profile("eastron-sdm120")
    first, last = plan_reads(meter)
    image = [0] * 74
    for address, value in {0: 230.2, 6: 1.5, 12: 345.3, 70: 50.01, 72: 1234.5}.items():
        image[address : address + 2] = words("f", value)
    samples = {s.metric: s.value for s in decode_block(meter, first, image)}
    assert samples == {
        "voltage": pytest.approx(230.2),
        "current": 1.5,
        "power": pytest.approx(345.3),
        "frequency": pytest.approx(50.01),
        "energy-import": 1234.5,
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
        ('format = "int32"\nword_order = "little"', tuple(reversed(words("i", -70000))), -70000.0),
        ('format = "uint32"\nscale = 0.01', words("I", 123456), 1234.56),
        ('format = "float32"\nword_order = "little"', tuple(reversed(words("f", 2.5))), 2.5),
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
    with pytest.raises(ConfigError, match="eastron-sdm120, xy-md02"):
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
