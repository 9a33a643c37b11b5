"""Modbus units, RTU and TCP: each address is asked for one register, and who answers is read by every profile.

Only functions 1 to 4 are used: they read. A refusal (an exception) is an answer, too, save a gateway's word that nobody
behind it answers. A device with Modbus TCP that answers to every unit is told once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from edge.scan.findings import Budget, Found
from edge.scan.line import ScanLine
from edge.scan.walk import by_address, first
from protocols.modbus import Block, Profile, Reply, decode_block, load_profile, plan_reads, profile_names, take_reply
from protocols.modbus.frame import (
    NO_ANSWER,
    NO_PATH,
    build_read_request,
    take_tcp_reply,
    to_tcp,
)

SERIAL_UNITS: Final = range(1, 248)
TCP_UNITS: Final = range(256)
_UNLIKELY: Final = 245
_WAIT_S: Final = 0.12
_READ_WAIT_S: Final = 0.5
_GATEWAY_WAIT_S: Final = 1.0
_READ_HOLDING: Final = 3

Ask = Callable[[int, int, int, int, float], tuple[Reply | None, float]]
"""(unit, function, address, count, seconds): the reply and how long it took."""


def search_rtu(line: ScanLine, addresses: Sequence[int], budget: Budget) -> Iterator[Found]:
    """Units in the order of `addresses`. Raises DeviceError for a lost line."""
    return _search(line, "rtu", addresses, SERIAL_UNITS, budget, partial(_ask_rtu, line), _WAIT_S)


def search_tcp(line: ScanLine, addresses: Sequence[int], budget: Budget) -> Iterator[Found]:
    """The same behind a Modbus TCP port; a device that answers to every unit is told as one of them."""
    ask = partial(_ask_tcp, line, itertools.cycle(range(1, 0x10000)).__next__)
    if not budget.over and _answers(ask(_UNLIKELY, _READ_HOLDING, 0, 1, _GATEWAY_WAIT_S)[0]):
        first_unit = [1] if 1 in addresses else addresses[:1]
        found = _search(line, "tcp", first_unit, TCP_UNITS, budget, ask, _GATEWAY_WAIT_S)
        return (replace(one, alone=True) for one in found)
    return _search(line, "tcp", addresses, TCP_UNITS, budget, ask, _GATEWAY_WAIT_S)


def _search(
    line: ScanLine, framing: str, addresses: Sequence[int], allowed: range, budget: Budget, ask: Ask, wait_s: float
) -> Iterator[Found]:
    def tell(unit: int, reply: Reply, took_ms: float) -> Found | None:
        if not _answers(reply):
            return None
        model = identify(ask, unit)
        kind = load_profile(model).type if model else ""
        return Found(
            port=line.name,
            kind="modbus",
            setting=line.setting,
            address=unit,
            model=model,
            type=kind,
            framing=framing,
            answer_ms=took_ms,
        )

    return by_address(
        line, "modbus", addresses, allowed, budget, lambda unit: ask(unit, _READ_HOLDING, 0, 1, wait_s), tell
    )


def _answers(reply: Reply | None) -> bool:
    return reply is not None and reply.exception not in (NO_PATH, NO_ANSWER)


def identify(ask: Ask, unit: int) -> str:
    """The profile that fits `unit` best: all its registers are there, and most of them hold what says something."""
    best, most = "", (0, 0)
    for name in profile_names():
        profile = load_profile(name)
        fits = _fits(ask, unit, profile) if profile.telling else (0, 0)
        if fits > most:
            best, most = name, fits
    return best


def _fits(ask: Ask, unit: int, profile: Profile) -> tuple[int, int]:
    """How many of the profile's values are good and not nothing, and how many are good; (0, 0) when one is not."""
    good, telling = 0, 0
    for block in plan_reads(profile):
        words = _read(ask, unit, block)
        if words is None:
            return 0, 0
        samples = decode_block(profile, block, words)
        if any(sample.quality != "good" for sample in samples):
            return 0, 0
        good += len(samples)
        telling += sum(bool(sample.value) for sample in samples)
    return telling, good


def _read(ask: Ask, unit: int, block: Block) -> tuple[int, ...] | None:
    reply, _ = ask(unit, block.function, block.address, block.count, _READ_WAIT_S)
    if reply is None or reply.exception is not None or len(reply.words) < block.count:
        return None
    return reply.words[: block.count]


def _ask_rtu(
    line: ScanLine, unit: int, function: int, address: int, count: int, wait_s: float
) -> tuple[Reply | None, float]:
    def reply(data: bytes) -> Reply | None:
        def take(piece: bytes) -> Reply | None:
            taken = take_reply(piece)[1] if piece[0] == unit else None
            return taken if taken is not None and taken.function == function else None

        # An adapter that hears itself gives the question back, whose beginning may look like an answer.
        return first(data.removeprefix(question), take)

    question = build_read_request(unit, function, address, count)
    answer, took = line.ask(question, wait_s, lambda got: reply(got) is not None)
    return reply(answer), took


def _ask_tcp(
    line: ScanLine, number: Callable[[], int], unit: int, function: int, address: int, count: int, wait_s: float
) -> tuple[Reply | None, float]:
    wanted = number()

    def reply(data: bytes) -> Reply | None:
        def take(piece: bytes) -> Reply | None:
            _, said, taken = take_tcp_reply(piece)
            right = taken is not None and (said, taken.unit, taken.function) == (wanted, unit, function)
            return taken if right else None

        return first(data, take)

    question = to_tcp(build_read_request(unit, function, address, count), wanted)
    answer, took = line.ask(question, wait_s, lambda got: reply(got) is not None)
    return reply(answer), took
