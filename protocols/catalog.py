"""Device types as table rows: what each measures, tells and can be told.

Units are UCUM codes. `lane` says whether a change leaves the gateway at once (urgent: states) or with the next flush
(bulk: telemetry). `counter` metrics only grow; a fall is a reset or a wrap, never a negative use.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

MetricKind = Literal["gauge", "counter", "state"]
Datatype = Literal["Double", "Int64", "Boolean", "String"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """One metric of a device type. `low`/`high`: what is physically possible; outside is quality `bad`."""

    name: str
    kind: MetricKind = "gauge"
    datatype: Datatype = "Double"
    unit: str = ""
    low: float | None = None
    high: float | None = None
    deadband: float = 0.0

    @property
    def urgent(self) -> bool:
        """States leave at once; numbers may wait for the flush."""
        return self.kind == "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceType:
    """A row of the catalogue. `outputs` are what `act` accepts; `reads`: whether a person may have it read at once.

    `slow`: those of the outputs whose confirmation takes as long as reading the device; no rule may write them.
    `ends`: (output, others for which nobody may go on trying once it is written); of one output another value ends the
    older one anyway.
    """

    code: str
    metrics: tuple[MetricSpec, ...] = ()
    events: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    reads: bool = False
    slow: tuple[str, ...] = ()
    ends: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def ended_by(self, output: str) -> tuple[str, ...]:
        """The other outputs for which nobody may go on trying once `output` is written."""
        return next((others for name, others in self.ends if name == output), ())

    def metric(self, name: str) -> MetricSpec | None:
        """The row of `name`, or None when this type has no such metric."""
        return next((m for m in self.metrics if m.name == name), None)


def _state(name: str, *, datatype: Datatype = "Boolean") -> MetricSpec:
    return MetricSpec(name=name, kind="state", datatype=datatype)


def _gauge(
    name: str, unit: str, low: float | None = None, high: float | None = None, deadband: float = 0.0
) -> MetricSpec:
    return MetricSpec(name=name, unit=unit, low=low, high=high, deadband=deadband)


def _counter(name: str, unit: str, datatype: Datatype = "Double") -> MetricSpec:
    return MetricSpec(name=name, kind="counter", unit=unit, datatype=datatype, low=0)


_FLOWING: Final = (
    _counter("volume", "m3"),
    _gauge("flow", "m3/h", 0),
    _state("valve-closed"),
    _state("battery-low"),
)
_FIRE_STATES: Final = tuple(_state(name) for name in ("fault", "disabled", "supervisory", "started", "test"))
_FIRE_VALUES: Final = (
    _gauge("temperature", "Cel", -60, 300),
    _gauge("gas", "%{LEL}", 0, 100),
    _gauge("pressure", "kPa", 0),
    _gauge("height", "m", 0),
)
FIRE_EVENTS: Final = (
    "fire.alarm",
    "fire.cleared",
    "fire.component",
    "fire.operation",
    "fire.information",
    "fire.unreadable",
)
"""What a fire panel tells beside its states (see docs/reference/fire-panels.md)."""
_RELAYS: Final = tuple(f"relay-{number}" for number in range(1, 9))
_RADIO: Final = (_gauge("battery", "%", 0, 100), _gauge("linkquality", "1", 0, 255, deadband=10))
_BATTERY: Final = (*_RADIO, _state("battery-low"))

DEVICE_TYPES: Final[dict[str, DeviceType]] = {
    row.code: row
    for row in (
        DeviceType(
            code="vending",
            metrics=(
                _counter("sales-value", "{minor}", "Int64"),
                _counter("sales-count", "1", "Int64"),
                _gauge("cash-in-tubes", "{minor}", 0),
                _gauge("stock", "1", 0),
                _gauge("stock-capacity", "1", 0),
                _gauge("selections-low", "1", 0),
                _gauge("selections-empty", "1", 0),
                _gauge("temperature", "Cel", -40, 85),
                _state("jam"),
                _state("door-open"),
                _state("cooling-fault"),
            ),
            events=(
                "vending.sale",
                "vending.jam",
                "vending.jam-cleared",
                "vending.door-opened",
                "vending.door-closed",
                "vending.cooling-failed",
                "vending.cooling-restored",
                "vending.audit-findings",
                "vending.reset",
                "vending.restocked",
                "vending.price-changed",
                "vending.price-kept",
            ),
            outputs=("price",),
            slow=("price",),
            reads=True,
        ),
        DeviceType(
            code="power-meter",
            metrics=(
                _gauge("voltage", "V", 0, 500),
                _gauge("current", "A", 0, 200),
                _gauge("power", "W", -50_000, 50_000),
                _gauge("frequency", "Hz", 0, 100),
                _counter("energy-import", "kW.h"),
                _counter("energy-total", "kW.h"),
                _counter("energy-export", "kW.h"),
                _gauge("power-factor", "1", -1, 1),
                *(_gauge(f"voltage-{phase}", "V", 0, 500) for phase in "abc"),
                *(_gauge(f"current-{phase}", "A", 0, 200) for phase in "abc"),
            ),
            reads=True,
        ),
        DeviceType(
            code="cold-chain",
            metrics=(_gauge("temperature", "Cel", -60, 80), _gauge("humidity", "%", 0, 100)),
            reads=True,
        ),
        DeviceType(
            code="climate",
            metrics=(_gauge("temperature", "Cel", -60, 80), _gauge("humidity", "%", 0, 100), *_BATTERY),
            reads=True,
        ),
        DeviceType(code="water-level", metrics=(_gauge("level", "m", -5, 500), *_BATTERY), reads=True),
        DeviceType(
            code="gas-detector",
            metrics=(_gauge("co", "[ppm]", 0, 10_000), _gauge("gas", "%{LEL}", 0, 100), _state("gas-alarm"), *_BATTERY),
            reads=True,
        ),
        DeviceType(
            code="thermostat",
            metrics=(_gauge("temperature", "Cel", -60, 80), _gauge("setpoint", "Cel", 0, 60), _state("switched-on")),
            outputs=("setpoint", "switched-on"),
            reads=True,
        ),
        DeviceType(
            code="relay",
            metrics=(
                *(_state(name) for name in _RELAYS),
                *(_state(f"input-{number}") for number in range(1, 9)),
            ),
            outputs=_RELAYS,
            reads=True,
        ),
        DeviceType(
            code="door",
            metrics=(
                _state("contact-open"),
                _state("released"),
                _state("tamper"),
                _state("mains-lost"),
                *(_state(f"input-{number}") for number in range(8)),
            ),
            events=(
                "access.granted",
                "access.denied",
                "access.duress",
                "access.lockout",
                "access.exit-request",
                "access.forced",
                "access.opened-unobserved",
                "access.held-open",
                "access.closed",
                "access.emergency-release",
                "access.restored",
                "access.forgiven",
                "access.key-installed",
                "access.cardholders",
                "access.cardholders-refused",
            ),
            outputs=("release", "restore", "unlock", "beep", "forgive", *(f"output-{number}" for number in range(8))),
            ends=(("release", ("restore",)), ("restore", ("release", "unlock"))),
            reads=True,
        ),
        DeviceType(code="smoke", metrics=(_state("smoke"), _state("tamper"), *_BATTERY)),
        DeviceType(code="siren", metrics=(_state("sounding"), *_BATTERY), outputs=("sound",), reads=True),
        DeviceType(code="valve", metrics=(_state("valve-closed"), *_BATTERY), outputs=("valve-closed",), reads=True),
        DeviceType(code="water-leak", metrics=(_state("leak"), *_BATTERY)),
        DeviceType(code="motion", metrics=(_state("occupancy"), _gauge("illuminance", "lx", 0), *_BATTERY)),
        DeviceType(code="water-meter", metrics=(*_FLOWING, *_RADIO), outputs=("valve-closed",), reads=True),
        DeviceType(code="gas-meter", metrics=_FLOWING, outputs=("valve-closed",), reads=True),
        DeviceType(
            code="heat-meter",
            metrics=(
                _counter("energy", "GJ"),
                _gauge("power", "W", -50_000_000, 50_000_000),
                _gauge("supply-temperature", "Cel", -20, 200),
                _gauge("return-temperature", "Cel", -20, 200),
                *_FLOWING,
            ),
            outputs=("valve-closed",),
            reads=True,
        ),
        DeviceType(
            code="fire-detector",
            metrics=(_state("fire"), *_FIRE_STATES, *_FIRE_VALUES),
        ),
        DeviceType(
            code="fire-panel",
            metrics=(
                _state("fire"),
                *_FIRE_STATES,
                _state("mains-lost"),
                _state("battery-low"),
                _gauge("clock-offset", "s", deadband=2),
            ),
            events=FIRE_EVENTS,
        ),
        DeviceType(code="sos-button", metrics=_BATTERY, events=("sos",)),
        DeviceType(code="button", metrics=_BATTERY, events=("button.pressed",)),
        DeviceType(code="contact", metrics=(_state("contact-open"), _state("tamper"), *_BATTERY)),
    )
}

# Metrics of the gateway itself, and what it can tell of its devices and its own store.
NODE_TYPE: Final = DeviceType(
    code="gateway",
    metrics=(
        _gauge("outbox-depth", "1", 0),
        _gauge("outbox-bytes", "By", 0),
        _gauge("cpu-temperature", "Cel", -40, 125),
        _gauge("cpu-load", "%", 0, 100, deadband=5),
        _gauge("memory", "By", 0),
        _gauge("memory-available", "By", 0, deadband=20_000_000),
        _gauge("disk-free", "By", 0, deadband=20_000_000),
        _gauge("flash-wear", "%", 0, 110),
        _gauge("link-quality", "%", 0, 100, deadband=5),
        _gauge("clock-skew", "ms"),
    ),
    events=(
        "device.offline",
        "device.online",
        "device.waiting",
        "device.waiting-over",
        "rule.acted",
        "rule.action-failed",
        "rule.action-ended",
        "rule.too-late",
        "output.written",
        "command.ready",
        "command.done",
        "command.refused",
        "config.ready",
        "config.trying",
        "config.confirmed",
        "config.refused",
        "config.rolled-back",
        "config.running",
        "config.text",
        "set.ready",
        "set.applied",
        "set.refused",
        "set.running",
        "set.unfit",
        "outbox.set-aside",
        "outbox.in-memory",
        "outbox.on-disk",
        "outbox.lost",
        "clock.known",
        "clock.stepped",
        "clock.corrected",
        "clock.time-estimated",
        "agent.started",
    ),
)

EVENT_KINDS: Final[frozenset[str]] = frozenset(NODE_TYPE.events).union(*(row.events for row in DEVICE_TYPES.values()))
_OF_TYPES: Final = {row.code: frozenset(metric.name for metric in row.metrics) for row in DEVICE_TYPES.values()}
_ALL_METRICS: Final = frozenset[str]().union(*_OF_TYPES.values())


def likely_type(metrics: Collection[str]) -> str:
    """The type of a device that has these metrics, by its birth; empty where none or several have just them.

    Other metrics, of the delivery or a maker's own, say nothing.
    """
    told = _ALL_METRICS.intersection(metrics)
    fits = [code for code, names in _OF_TYPES.items() if names == told]
    return fits[0] if len(fits) == 1 else ""
