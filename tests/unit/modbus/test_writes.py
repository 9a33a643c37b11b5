"""What may be written, as which words, and what is refused."""

from __future__ import annotations

import struct

import pytest

from protocols.errors import RefusedError
from protocols.events import Value
from protocols.modbus import load_profile, parse_profile, plan_write, read_back

THERMOSTAT = parse_profile(
    """
name = "wall"
type = "thermostat"
model = "wall thermostat"
source = "test"
order = "CDAB"
[[register]]
metric = "temperature"
address = 0
format = "int16"
[[output]]
output = "setpoint"
address = 10
format = "int16"
scale = 0.5
low = 5
high = 35
[[output]]
output = "switched-on"
table = "coil"
address = 3
format = "bit"
many = true
""",
    where="wall.toml",
)
FLOATING = THERMOSTAT.model_copy(
    update={
        "outputs": tuple(one.model_copy(update={"format": "float32", "scale": 1.0}) for one in THERMOSTAT.outputs[:1])
    }
)


def test_a_number_becomes_its_register() -> None:
    write = plan_write(THERMOSTAT, "t", "setpoint", 21.5)
    assert (write.table, write.address, write.function, write.words, write.read_function) == (
        "holding",
        10,
        6,
        (43,),
        3,
    )
    assert read_back(THERMOSTAT, "setpoint", (43,)) == 21.5


def test_a_float_takes_two_registers_in_the_devices_order() -> None:
    write = plan_write(FLOATING, "t", "setpoint", 21.3)
    high, low = struct.unpack(">2H", struct.pack(">f", 21.3))
    assert (write.function, write.words) == (16, (low, high))
    assert read_back(FLOATING, "setpoint", write.words) == pytest.approx(21.3, rel=1e-6)


def test_a_coil() -> None:
    write = plan_write(load_profile("waveshare-relay-8"), "r", "relay-3", True)
    assert (write.table, write.address, write.function, write.words, write.read_function) == ("coil", 2, 5, (1,), 1)
    many = plan_write(THERMOSTAT, "t", "switched-on", False)
    assert (many.function, many.words) == (15, (0,))
    assert read_back(THERMOSTAT, "switched-on", (1,)) is True


@pytest.mark.parametrize(
    ("output", "value", "code"),
    [
        ("setpoint", 36, "out-of-range"),
        ("setpoint", 4.5, "out-of-range"),
        ("setpoint", float("nan"), "out-of-range"),
        ("setpoint", True, "out-of-range"),
        ("setpoint", "warm", "out-of-range"),
        ("setpoint", 21.3, "step"),
        ("switched-on", 1, "needs-switch"),
        ("firmware", 1, "no-output"),
    ],
)
def test_what_is_refused_has_its_sentence(output: str, value: Value, code: str) -> None:
    with pytest.raises(RefusedError) as refused:
        plan_write(THERMOSTAT, "t", output, value)
    assert refused.value.code == f"protocols.modbus.{code}"
    assert not str(refused.value).startswith("protocols.")


def test_what_the_format_cannot_hold() -> None:
    row = THERMOSTAT.outputs[0].model_copy(update={"high": 1e9})
    with pytest.raises(RefusedError) as refused:
        plan_write(THERMOSTAT.model_copy(update={"outputs": (row,)}), "t", "setpoint", 1e8)
    assert refused.value.code == "protocols.modbus.too-large"
