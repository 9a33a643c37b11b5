"""The searches on one line after another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge.scan import dex, mbus, meters, modbus, osdp
from edge.scan.findings import Budget, Found, Kind, Refused, Setting
from edge.scan.line import ScanLine, SerialScanLine, TcpScanLine
from edge.scan.ports import is_tcp, refusal
from protocols.errors import LiandongError

Probe = Callable[[ScanLine, Sequence[int], Budget], Iterator[Found | Refused]]

LIKELY: Final = 16
"""Installers number from the bottom: these addresses are asked at every speed before the others at any."""


def _settings(*baud: int, parity: str = "N") -> tuple[Setting, ...]:
    return tuple(Setting(baud=one, parity="E" if parity == "E" else "N") for one in baud)


_TCP: Final = Setting()
_METERS: Final = (*_settings(2400, 9600, 1200, 4800, parity="E"), *_settings(2400, 9600))
_SETTINGS: Final = (
    *_settings(9600, 115200, 19200),
    *_settings(2400, 9600, 1200, 19200, 4800, parity="E"),
    *_settings(2400, 4800, 38400, 57600),
)
"""The likely ones first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One way to look for devices of a kind. Not `addressed`: all are asked at once, a list of addresses is nothing."""

    kind: Kind
    settings: Collection[Setting]
    probe: Probe
    addressed: bool = True


def _at_once(search: Callable[[ScanLine, Budget], Iterator[Found | Refused]]) -> Probe:
    return lambda line, addresses, budget: search(line, budget)


_DEX: Final = _at_once(dex.search)
_DLT645: Final = _at_once(meters.search_dlt645)
_CJT188: Final = _at_once(meters.search_cjt188)
_FAMILIES: Final[Sequence[Sequence[_Way]]] = (
    (_Way(kind="dex", settings=_settings(9600, 19200, 38400), probe=_DEX, addressed=False),),
    (_Way(kind="osdp", settings=_settings(9600, 115200, 38400, 19200, 57600), probe=osdp.search),),
    (_Way(kind="modbus", settings=(_TCP,), probe=modbus.search_tcp),),
    (
        _Way(
            kind="modbus",
            settings=(_TCP, *_settings(9600, 2400, 4800, 19200), *_settings(9600, 19200, parity="E")),
            probe=modbus.search_rtu,
        ),
    ),
    (
        _Way(kind="dlt645", settings=(_TCP, *_METERS), probe=_DLT645, addressed=False),
        _Way(kind="cjt188", settings=(_TCP, *_METERS), probe=_CJT188, addressed=False),
        _Way(kind="mbus", settings=(_TCP, *_METERS), probe=mbus.search),
    ),
)
"""What may hang on one line together: meters share it, the others do not."""


def search(
    ports: Sequence[str], kinds: Collection[Kind], addresses: Sequence[int], agents: Mapping[str, str], budget: Budget
) -> Iterator[Found | Refused]:
    """What answers on `ports` (paths or host:port). One that is held, or is lost on the way, is told as refused."""
    for port in ports:
        refused = refusal(port, agents)
        if refused is not None:
            yield refused
            continue
        try:
            yield from _on_port(port, kinds, addresses, budget)
        except LiandongError as error:
            yield Refused(port=port, code=error.code, params=error.texts())


def _on_port(port: str, kinds: Collection[Kind], addresses: Sequence[int], budget: Budget) -> Iterator[Found | Refused]:
    """A line has one setting and one family of devices, so the first that answers end the search."""
    likely, others = addresses[:LIKELY], addresses[LIKELY:]
    settings = (_TCP,) if is_tcp(port) else _SETTINGS
    for part in (likely, others) if others else (likely,):
        for setting in settings:
            for family in _FAMILIES:
                ways = [way for way in family if way.kind in kinds and setting in way.settings]
                ways = [way for way in ways if way.addressed or part is likely]
                found = list(_by(ways, port, setting, part, budget))
                yield from found
                if any(isinstance(one, Found) for one in found):
                    if part is likely and not any(isinstance(one, Found) and one.alone for one in found):
                        yield from _by([way for way in ways if way.addressed], port, setting, others, budget)
                    return


def _by(
    ways: Sequence[_Way], port: str, setting: Setting, addresses: Sequence[int], budget: Budget
) -> Iterator[Found | Refused]:
    for way in ways:
        if addresses and not budget.over:
            with TcpScanLine(port, setting) if is_tcp(port) else SerialScanLine(port, setting) as line:
                yield from way.probe(line, addresses, budget)
