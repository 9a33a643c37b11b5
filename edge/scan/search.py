"""The searches on one port after another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from edge.scan import dex, modbus, osdp
from edge.scan.findings import Budget, Found, Kind, Refused
from edge.scan.ports import refusal
from protocols.errors import LiandongError

Probe = Callable[[Path, int, Sequence[int], Budget], Iterator[Found]]

LIKELY: Final = 16
"""Installers number from the bottom: these addresses are asked at every speed before the others at any."""
_SPEEDS: Final = (9600, 115200, 19200, 2400, 4800, 38400, 57600)
_PROBES: Final[Mapping[Kind, tuple[Collection[int], Probe]]] = {
    "dex": (dex.SPEEDS, lambda port, speed, addresses, budget: dex.search(port, speed, budget)),
    "osdp": (osdp.SPEEDS, osdp.search),
    "modbus": (modbus.SPEEDS, modbus.search),
}


def search(
    ports: Sequence[Path], kinds: Collection[Kind], addresses: Sequence[int], agents: Mapping[Path, str], budget: Budget
) -> Iterator[Found | Refused]:
    """What answers on `ports`. A port that is held, or is lost on the way, is told as refused."""
    for port in ports:
        refused = refusal(port, agents)
        if refused is not None:
            yield refused
            continue
        try:
            yield from _on_port(port, kinds, addresses, budget)
        except LiandongError as error:
            params = {key: str(value) for key, value in error.params.items()}
            yield Refused(port=port, code=error.code, params=params)


def _on_port(port: Path, kinds: Collection[Kind], addresses: Sequence[int], budget: Budget) -> Iterator[Found]:
    """A line has one speed and speaks one language, so the first that answers ends the search."""
    likely, others = addresses[:LIKELY], addresses[LIKELY:]
    for part in (likely, others) if others else (likely,):
        for speed in _SPEEDS:
            for kind, (speeds, probe) in _PROBES.items():
                if kind not in kinds or speed not in speeds or (kind == "dex" and part is others):
                    continue
                found = list(probe(port, speed, part, budget))
                if found:
                    yield from found
                    if part is likely and kind != "dex":
                        yield from probe(port, speed, others, budget)
                    return
