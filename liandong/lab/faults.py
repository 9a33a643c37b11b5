"""Faults: each begins, may last, and ends. What a fault is made of is done by `liandong.lab.site.Site`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from liandong.lab.changes import BackUp, MoveHost, PutBack, Rebirth, Restart, Wipe
from liandong.lab.clock import Turn, turn
from liandong.lab.files import CorruptFile, FullDisk, ReadOnlyDisk, TornPage
from liandong.lab.site import Site


class Where(StrEnum):
    """What a kind of fault breaks: any gateway, serial line or field bus, or the one part of that name."""

    GATEWAY = "gateway"
    LINE = "line"
    FIELD = "field"
    CLOUD = "cloud"
    BROKER = "broker"
    POSTGRES = "postgres"
    CLOUD_BROKER = "cloud-broker"
    CLOUD_POSTGRES = "cloud-postgres"
    SITE = "site"
    MESSAGES = "messages"


class Shape(Protocol):
    """What `Planned` says of a fault."""

    @property
    def target(self) -> str:
        """What it breaks."""

    @property
    def delay_s(self) -> float:
        """For a slow cable."""

    @property
    def bytes_per_s(self) -> int:
        """For a narrow cable."""

    @property
    def seconds(self) -> float:
        """How long it lasts."""

    @property
    def seed(self) -> int:
        """For what is left to chance in it."""


class Fault(Protocol):
    """`start` may raise UnavailableError when there is nothing to break; `stop` always heals what `start` broke."""

    def start(self) -> None:
        """Break it."""

    def stop(self) -> None:
        """Heal it; the supervisor starts what was killed."""


@dataclass(slots=True)
class Kill:
    """Kill -9 of parts and of the processes that they started, all at once."""

    site: Site
    parts: Sequence[str]

    def start(self) -> None:
        """Kill."""
        self.site.kill(self.parts)

    def stop(self) -> None:
        """Nothing: the supervisor is there for that."""


@dataclass(slots=True)
class Freeze:
    """SIGSTOP of a part and the processes that it started: it holds its locks and connections and says nothing."""

    site: Site
    part: str
    _pids: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Stop the processes."""
        self._pids = self.site.freeze(self.part)

    def stop(self) -> None:
        """Let them go on."""
        self.site.thaw(self._pids)


@dataclass(slots=True)
class Cut:
    """Every connection of a cable ends: by a TCP reset for both sides, or (`halve`) for the far side only."""

    site: Site
    cable: str
    do: str

    def start(self) -> None:
        """Cut."""
        self.site.network(self.cable, self.do)

    def stop(self) -> None:
        """Nothing: connections are made anew."""


@dataclass(slots=True)
class Blackhole:
    """Nothing passes a cable, and nobody is told."""

    site: Site
    cable: str

    def start(self) -> None:
        """Pull it."""
        self.site.network(self.cable, "unplug")

    def stop(self) -> None:
        """What waited passes."""
        self.site.network(self.cable, "plug")


@dataclass(slots=True)
class Limit:
    """A cable that is slow (seconds each way) or narrow (bytes per second)."""

    site: Site
    cable: str
    delay_s: float
    bytes_per_s: int

    def start(self) -> None:
        """From now on."""
        self.site.network(self.cable, "limit", delay_s=self.delay_s, bytes_per_s=self.bytes_per_s)

    def stop(self) -> None:
        """No more."""
        self.site.network(self.cable, "limit")


@dataclass(slots=True)
class Unplug:
    """The adapter of a serial line is pulled out."""

    site: Site
    line: str

    def start(self) -> None:
        """Pull."""
        self.site.line(self.line, "unplug")

    def stop(self) -> None:
        """Put it back."""
        self.site.line(self.line, "plug")


@dataclass(slots=True)
class Noise:
    """Some replies on a line are damaged."""

    site: Site
    line: str

    def start(self) -> None:
        """Damage the next few."""
        self.site.line(self.line, "noise")

    def stop(self) -> None:
        """Nothing: they are counted."""


@dataclass(slots=True)
class SlowLine:
    """Every reply on a line comes late, sometimes when nobody waits for it any more."""

    site: Site
    line: str
    delay_s: float

    def start(self) -> None:
        """From now on."""
        self.site.line(self.line, "slow", seconds=self.delay_s)

    def stop(self) -> None:
        """No more."""
        self.site.line(self.line, "slow", seconds=0.0)


@dataclass(slots=True)
class Echo:
    """The adapter of a line gives back every byte that it sends."""

    site: Site
    line: str

    def start(self) -> None:
        """From now on."""
        self.site.line(self.line, "echo", on=True)

    def stop(self) -> None:
        """No more."""
        self.site.line(self.line, "echo", on=False)


@dataclass(slots=True)
class Flood:
    """One device of a field bus tells thousands of readings a second."""

    site: Site
    field: str
    seconds: float

    def start(self) -> None:
        """It ends by itself."""
        self.site.line(self.field, "flood", seconds=self.seconds, readings_per_s=FLOOD_READINGS_PER_S)

    def stop(self) -> None:
        """Nothing."""


@dataclass(slots=True)
class PowerCut:
    """The mains of the site: all gateways die in the same moment, and meters and machines are dark for a while."""

    site: Site

    def start(self) -> None:
        """Dark."""
        self.site.kill(self.site.gateways)
        self.site.trigger("power-cut")

    def stop(self) -> None:
        """Light."""
        self.site.trigger("power-restore")


@dataclass(slots=True)
class Repeat:
    """Messages of the gateways come twice, the second time late and in another order."""

    site: Site

    def start(self) -> None:
        """Begin to listen and to repeat."""
        self.site.repeater.start()

    def stop(self) -> None:
        """No more; what is held back still comes."""
        self.site.repeater.stop()


@dataclass(slots=True)
class TurnClock:
    """The wall clock of a gateway's machine is set wrong, and right again."""

    site: Site
    gateway: str
    to: Callable[[], Turn]

    def start(self) -> None:
        """Wrong from now on."""
        self._turn(self.to())

    def stop(self) -> None:
        """Right again, and nobody vouches for it."""
        self._turn(Turn())

    def _turn(self, to: Turn) -> None:
        """The bridges of field busses run on the gateway's machine and date by the same clock."""
        turn(self.site.clocks[self.gateway], to)
        for bus, gateway in self.site.fields.items():
            if gateway == self.gateway:
                self.site.line(bus, "clock", seconds=to.step_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of fault: what it breaks, and how one is made."""

    where: Where
    make: Callable[[Site, Shape], Fault]


def _kill(where: Where) -> Kind:
    return Kind(where=where, make=lambda site, shape: Kill(site, (shape.target,)))


def _freeze(where: Where) -> Kind:
    return Kind(where=where, make=lambda site, shape: Freeze(site, shape.target))


def _clock(to: Callable[[], Turn]) -> Kind:
    return Kind(where=Where.GATEWAY, make=lambda site, shape: TurnClock(site, shape.target, to))


def _cable(name: str, where: Where) -> Mapping[str, Kind]:
    return {
        f"{name}-reset": Kind(where=where, make=lambda site, shape: Cut(site, shape.target, "reset")),
        f"{name}-half-open": Kind(where=where, make=lambda site, shape: Cut(site, shape.target, "halve")),
        f"{name}-blackhole": Kind(where=where, make=lambda site, shape: Blackhole(site, shape.target)),
        f"{name}-slow": Kind(where=where, make=lambda site, shape: Limit(site, shape.target, shape.delay_s, 0)),
        f"{name}-narrow": Kind(where=where, make=lambda site, shape: Limit(site, shape.target, 0.0, shape.bytes_per_s)),
    }


FLOOD_READINGS_PER_S: Final = 5000

KINDS: Final[Mapping[str, Kind]] = {
    "kill-edge": _kill(Where.GATEWAY),
    "kill-cloud": _kill(Where.CLOUD),
    "kill-broker": _kill(Where.BROKER),
    "kill-postgres": _kill(Where.POSTGRES),
    "stop-edge": _freeze(Where.GATEWAY),
    "stop-cloud": _freeze(Where.CLOUD),
    "stop-broker": _freeze(Where.BROKER),
    "stop-postgres": _freeze(Where.POSTGRES),
    **_cable("link", Where.GATEWAY),
    **_cable("cloud-link", Where.CLOUD_BROKER),
    **_cable("database", Where.CLOUD_POSTGRES),
    "line-unplug": Kind(where=Where.LINE, make=lambda site, shape: Unplug(site, shape.target)),
    "line-noise": Kind(where=Where.LINE, make=lambda site, shape: Noise(site, shape.target)),
    "line-slow": Kind(where=Where.LINE, make=lambda site, shape: SlowLine(site, shape.target, shape.delay_s)),
    "line-echo": Kind(where=Where.LINE, make=lambda site, shape: Echo(site, shape.target)),
    "flood": Kind(where=Where.FIELD, make=lambda site, shape: Flood(site, shape.target, shape.seconds)),
    "torn-page": Kind(where=Where.GATEWAY, make=lambda site, shape: TornPage(site, shape.target, shape.seed)),
    "file-corrupt": Kind(where=Where.GATEWAY, make=lambda site, shape: CorruptFile(site, shape.target, shape.seed)),
    "disk-read-only": Kind(where=Where.GATEWAY, make=lambda site, shape: ReadOnlyDisk(site, shape.target)),
    "clock-forward": _clock(lambda: Turn(step_s=3600)),
    "clock-back": _clock(lambda: Turn(step_s=-3600)),
    "clock-1970": _clock(lambda: Turn.to(0)),
    "disk-full": Kind(where=Where.GATEWAY, make=lambda site, shape: FullDisk(site, shape.target)),
    "power-cut": Kind(where=Where.SITE, make=lambda site, shape: PowerCut(site)),
    "rebirth": Kind(where=Where.GATEWAY, make=lambda site, shape: Rebirth(site, shape.target)),
    "restart-edge": Kind(where=Where.GATEWAY, make=lambda site, shape: Restart(site, shape.target)),
    "restart-cloud": Kind(where=Where.CLOUD, make=lambda site, shape: Restart(site, shape.target)),
    "host-move": Kind(where=Where.SITE, make=lambda site, shape: MoveHost(site)),
    "database-backup": Kind(where=Where.POSTGRES, make=lambda site, shape: BackUp(site)),
    "database-restored": Kind(where=Where.POSTGRES, make=lambda site, shape: PutBack(site)),
    "database-wiped": Kind(where=Where.POSTGRES, make=lambda site, shape: Wipe(site)),
    "messages-repeat": Kind(where=Where.MESSAGES, make=lambda site, shape: Repeat(site)),
}
"""Every kind of fault by its name in scenarios and reports."""
