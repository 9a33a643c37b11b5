"""From a wish to the registers that carry it: what may be written, and what must be read back afterwards."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Final, Literal

from protocols.errors import RefusedError
from protocols.events import Value
from protocols.modbus.frame import WRITE_COIL, WRITE_COILS, WRITE_MANY, WRITE_ONE
from protocols.modbus.profile import Output, Profile
from protocols.modbus.reads import FUNCTIONS, decode_raw, encode_raw

_EXACT: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """`words` (0 or 1 for a coil) to `table` from `address`, by `function`; the same by `read_function` afterwards."""

    table: Literal["coil", "holding"]
    address: int
    function: int
    words: tuple[int, ...]

    @property
    def read_function(self) -> int:
        """The function that reads it back."""
        return FUNCTIONS[self.table]


def plan_write(profile: Profile, device: str, output: str, value: Value) -> Write:
    """What writes `value` to `output`; `device` names it in errors.

    Raises RefusedError for an output that the profile does not list, and for a value that is not allowed there.
    """
    row = profile.output(output)
    if row is None:
        allowed = ", ".join(one.output for one in profile.outputs) or "-"
        raise RefusedError("protocols.modbus.no-output", device=device, output=output, allowed=allowed)
    wanted = {"device": device, "output": output, "value": value}
    if row.table == "coil":
        if not isinstance(value, bool):
            raise RefusedError("protocols.modbus.needs-switch", **wanted)
        return _write(row, (int(value),))
    low, high = row.low or 0.0, row.high or 0.0
    if isinstance(value, bool | str) or not math.isfinite(value) or not low <= value <= high:
        raise RefusedError("protocols.modbus.out-of-range", **wanted, low=low, high=high)
    return _write(row, _words(row, profile, float(value), wanted))


def read_back(profile: Profile, output: str, words: tuple[int, ...]) -> Value:
    """What `words` of `output` mean, as it would be written."""
    row = profile.output(output)
    assert row is not None
    if row.table == "coil":
        return bool(words[0])
    return float(decode_raw(words, row.format, row.order or profile.order)) * row.scale + row.offset


def _words(row: Output, profile: Profile, value: float, wanted: dict[str, Value]) -> tuple[int, ...]:
    raw: int | float = (value - row.offset) / row.scale
    try:
        if not row.format.startswith("float"):
            if abs(raw - round(raw)) > _EXACT:
                raise RefusedError("protocols.modbus.step", **wanted, step=row.scale)
            raw = round(raw)
        return encode_raw(raw, row.format, row.order or profile.order)
    except (struct.error, OverflowError) as error:
        raise RefusedError("protocols.modbus.too-large", **wanted, format=row.format) from error


def _write(row: Output, words: tuple[int, ...]) -> Write:
    several = row.many or len(words) > 1
    one, many = (WRITE_COIL, WRITE_COILS) if row.table == "coil" else (WRITE_ONE, WRITE_MANY)
    return Write(table=row.table, address=row.address, function=many if several else one, words=words)
