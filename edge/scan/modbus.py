"""Modbus RTU units: each address is asked for one register, and who answers is read by every profile.

Only functions 3 and 4 are used: they read. A refusal (an exception) is an answer, too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from edge.scan.findings import Budget, Found
from edge.scan.line import ScanLine
from protocols.errors import ProtocolError
from protocols.modbus import (
    Block,
    Profile,
    Reply,
    decode_block,
    load_profile,
    plan_reads,
    profile_names,
    take_reply,
)
from protocols.modbus.frame import build_read_request

SPEEDS: Final = (9600, 2400, 4800, 19200)
UNITS: Final = range(1, 248)
_WAIT_S: Final = 0.12
_READ_WAIT_S: Final = 0.5
_READ_HOLDING: Final = 3


def search(port: Path, speed: int, addresses: Sequence[int], budget: Budget) -> Iterator[Found]:
    """Units in the order of `addresses`. Raises DeviceError for a lost line."""
    with ScanLine(port, speed) as line:
        for unit in addresses:
            if budget.over:
                return
            if unit not in UNITS:
                continue
            budget.tell(f"{port} modbus {speed} 8N1 {unit}")
            reply, took = _ask(line, unit, _READ_HOLDING, 0, 1, _WAIT_S)
            if reply is not None:
                took_ms = round(took * 1000, 1)
                model = identify(line, unit)
                yield Found(port=port, kind="modbus", baud=speed, address=unit, model=model, answer_ms=took_ms)


def identify(line: ScanLine, unit: int) -> str:
    """The profile that fits `unit` best: all its registers are there, and most of them hold what is possible."""
    best, points = "", 0
    for name in profile_names():
        fits = _fits(line, unit, load_profile(name))
        if fits > points:
            best, points = name, fits
    return best


def _fits(line: ScanLine, unit: int, profile: Profile) -> int:
    """How many of the profile's values are good; 0 when one is not, or a register is not there."""
    good = 0
    for block in plan_reads(profile):
        words = _read(line, unit, block)
        if words is None:
            return 0
        samples = decode_block(profile, block, words)
        if any(sample.quality != "good" for sample in samples):
            return 0
        good += len(samples)
    return good


def _read(line: ScanLine, unit: int, block: Block) -> tuple[int, ...] | None:
    reply, _ = _ask(line, unit, block.function, block.address, block.count, _READ_WAIT_S)
    return reply.words if reply is not None and len(reply.words) == block.count else None


def _ask(
    line: ScanLine, unit: int, function: int, address: int, count: int, wait_s: float
) -> tuple[Reply | None, float]:
    answer, took = line.ask(
        build_read_request(unit, function, address, count), wait_s, lambda got: _reply(got, unit) is not None
    )
    return _reply(answer, unit), took


def _reply(data: bytes, unit: int) -> Reply | None:
    """The whole reply of `unit` in `data`, behind noise or an echo at most."""
    for at in range(len(data)):
        if data[at] != unit:
            continue
        with contextlib.suppress(ProtocolError):
            used, reply = take_reply(data[at:])
            if used and reply is not None:
                return reply
    return None
