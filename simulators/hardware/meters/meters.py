"""The meters of the line: what each has in its registers, and how it answers in its own protocol.

Counters are whole numbers of the smallest digit that the meter shows, so that what was told is known exactly.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from protocols import cjt188, dlt645, mbus
from protocols.capture import pieces
from protocols.cjt188.frame import measure as measure_cjt188
from protocols.dlt645.frame import measure as measure_dlt645
from protocols.dlt645.messages import address_reply
from protocols.mbus.frame import measure as measure_mbus
from protocols.mbus.messages import ACKNOWLEDGED, SELECTED, TEST_ADDRESS, response
from simulators.hardware.meters.life import use

_MAKER: Final = b"\x2d\x2c"  # KAM
Frame = dlt645.Frame | cjt188.Frame | mbus.Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The bytes of an answer, and the counter that only it shows (metric, value), if any."""

    data: bytes
    metric: str = ""
    value: float = 0.0


def find(buffer: bytes) -> Frame | None:
    """The first whole and sound frame of any of the three protocols in `buffer`."""
    for piece in pieces(buffer, measure_dlt645):
        if piece.whole and (one := dlt645.parse(piece.data)).fits:
            return one
    for piece in pieces(buffer, measure_cjt188):
        if piece.whole and (two := cjt188.parse(piece.data)).fits:
            return two
    for piece in pieces(buffer, measure_mbus):
        if piece.whole and (three := mbus.parse(piece.data)).said == three.computed and three.form != "acknowledge":
            return three
    return None


class Meter(Protocol):
    """A meter of the line."""

    device: str
    answers: bool

    def answer(self, frame: Frame) -> Answer | None:
        """What it says to `frame`; None when it is not meant."""

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Live a little."""

    def turn_to(self, counter: int) -> None:
        """Its wheels stand there; negative: so many before their end."""

    def state(self) -> Mapping[str, Any]:
        """What survives a restart."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take it up again."""


class _Counting:
    """A counter that is greater in every answer, until its wheels are through: what was told is unique."""

    END: Final = 10**8

    def __init__(self, device: str, rng: random.Random, begin: int) -> None:
        self.device = device
        self.answers = True
        self._rng = rng
        self._counter = float(begin)
        self._told = begin

    def _count(self) -> int:
        self._told = max(self._told + 1, int(self._counter))
        return self._told % self.END

    def turn_to(self, counter: int) -> None:
        """Its wheels stand there: at 0 as a new meter's, or a little before their end (negative: from there)."""
        self._told = counter % self.END
        self._counter = float(self._told)

    def state(self) -> Mapping[str, Any]:
        """The register that never goes back."""
        return {"counter": self._counter, "told": self._told}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on counting, a little above: what was told after `state` was saved must not be told again."""
        self._told = int(state.get("told", self._told)) + 5
        self._counter = max(float(state.get("counter", self._counter)), self._told)


class ElectricityMeter(_Counting):
    """DL/T 645, single phase. The reading of all tariffs comes in two frames; it lacks what a cheap meter lacks."""

    _ENERGY: Final = {"2007": 0x00010000, "1997": 0x9010}

    def __init__(
        self, device: str, address: str, rng: random.Random, edition: dlt645.Edition = "2007", begin: int = 0
    ) -> None:
        super().__init__(device, rng, begin or rng.randrange(10_000, 900_000))
        self._address, self._edition = address, edition
        self._watts = 300.0

    def answer(self, frame: Frame) -> Answer | None:
        """A read of an identifier or of its follow-up frames, by a pattern of the address, too; or of the address."""
        if not isinstance(frame, dlt645.Frame) or frame.reply or not _fits(frame.address, self._address):
            return None
        if frame.function == 0x13 and self._edition == "2007":
            return Answer(data=dlt645.encode(address_reply(self._address)))
        size = 2 if self._edition == "1997" else 4
        identifier = int.from_bytes(frame.data[:size], "little")
        if frame.edition != self._edition:
            return None
        if identifier == 0x0001FF00 and self._edition == "2007":
            return Answer(data=dlt645.encode(self._tariffs(frame)))
        if identifier == self._ENERGY[self._edition]:
            count = self._count()
            reply = dlt645.read_reply(self._address, identifier, _digits(count, 4), self._edition)
            return Answer(data=dlt645.encode(reply), metric="energy-import", value=count / 100)
        value = self._values().get(identifier)
        known = dlt645.item(identifier, self._edition)
        if value is None or known is None:
            return Answer(data=dlt645.encode(dlt645.refusal(self._address, 0x02, self._edition)))
        payload = dlt645.write_number(known.forms[0], value)
        return Answer(data=dlt645.encode(dlt645.read_reply(self._address, identifier, payload, self._edition)))

    def _tariffs(self, frame: dlt645.Frame) -> dlt645.Frame:
        """Total and four tariffs, two values in the first frame and three in the follow-up."""
        values = b"".join(_digits(self._told // part, 4) for part in (1, 2, 4, 8, 16))
        if frame.function == 0x12:
            return dlt645.more_reply(self._address, 0x0001FF00, values[8:], frame.data[-1])
        return dlt645.read_reply(self._address, 0x0001FF00, values[:8], more=True)

    def _values(self) -> Mapping[int, float]:
        volts = round(self._rng.uniform(221, 229), 1)
        if self._edition == "1997":
            return {0xB611: round(volts), 0xB621: round(self._watts / volts, 2), 0xB630: round(self._watts / 1000, 4)}
        return {0x02010100: volts, 0x02020100: round(self._watts / volts, 3), 0x02030000: round(self._watts / 1000, 4)}

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Follow the day."""
        self._watts = 350 * use("power", now_ms) * self._rng.uniform(0.9, 1.1)
        self._counter += self._watts * elapsed_s / 36_000  # hundredths of a kWh


class WaterOrGasMeter(_Counting):
    """CJ/T 188: the volume in hundredths of a cubic metre. Answers only to its own `order` of an identifier's bytes."""

    def __init__(
        self,
        device: str,
        address: str,
        rng: random.Random,
        *,
        kind: int = 0x10,
        order: cjt188.ByteOrder = "little",
        begin: int = 0,
        valve: bool = False,
    ) -> None:
        super().__init__(device, rng, begin or rng.randrange(1000, 99_999))
        self._address, self._kind, self._order = address, kind, order
        self.battery_low = False
        self._valve = valve
        self.closed = self.stuck = self.fault = False

    def answer(self, frame: Frame) -> Answer | None:
        """The current reading, and orders for the valve: a meter without one refuses, a `stuck` one stays as it is."""
        if not isinstance(frame, cjt188.Frame) or frame.reply or frame.address not in (self._address, cjt188.BROADCAST):
            return None
        if frame.function == 0x04 and frame.data[:2] == (0xA017).to_bytes(2, self._order):
            return Answer(data=cjt188.encode(self._turn(frame)))
        if frame.data[:2] != (0x901F).to_bytes(2, self._order):
            return None
        count = self._count()
        request = cjt188.Frame(meter=self._kind, address=self._address, control=1, data=frame.data)
        payload, metric, value = self._payload(count)
        data = cjt188.encode(cjt188.read_reply(request, payload + bytes.fromhex("00561200112620") + self._status()))
        return Answer(data=data, metric=metric, value=value)

    def _status(self) -> bytes:
        return bytes([(3 if self.fault else int(self.closed)) | (4 if self.battery_low else 0), 0])

    def _turn(self, frame: cjt188.Frame) -> cjt188.Frame:
        if not self._valve or frame.data[3:] not in (bytes([cjt188.VALVE_OPEN]), bytes([cjt188.VALVE_CLOSE])):
            return cjt188.refusal(frame, 0)
        if not self.stuck:
            self.closed = frame.data[3] == cjt188.VALVE_CLOSE
        return cjt188.read_reply(frame, self._status())

    def state(self) -> Mapping[str, Any]:
        """The register, and the valve that stays where it is."""
        return {**super().state(), "closed": self.closed}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on."""
        super().restore(state)
        self.closed = bool(state.get("closed", False))

    def _payload(self, count: int) -> tuple[bytes, str, float]:
        volume = _digits(count, 4) + b"\x2c"
        return volume + _digits(max(0, count - 100), 4) + b"\x2c", "volume", count / 100

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Follow the day."""
        what = "gas" if cjt188.family(self._kind) == "gas" else "water"
        self._counter += 1.2 * use(what, now_ms) * elapsed_s / 3600


class HeatMeter(WaterOrGasMeter):
    """CJ/T 188: heat in hundredths of a kWh beside power, flow, volume and both temperatures."""

    def __init__(
        self,
        device: str,
        address: str,
        rng: random.Random,
        *,
        order: cjt188.ByteOrder = "little",
        valve: bool = False,
    ) -> None:
        super().__init__(device, address, rng, kind=0x20, order=order, valve=valve)

    def _payload(self, count: int) -> tuple[bytes, str, float]:
        power = _digits(450, 4) + b"\x17"
        flow = _digits(2500, 4) + b"\x35"
        volume = _digits(count // 9, 4) + b"\x2c"
        temperatures = _digits(round(self._rng.uniform(5500, 5600)), 3) + _digits(4012, 3)
        energies = _digits(count - 50, 4) + b"\x05" + _digits(count, 4) + b"\x05"
        return energies + power + flow + volume + temperatures + _digits(1234, 3), "energy", count * 36 / 1_000_000

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Follow the day."""
        self._counter += 450 * use("heat", now_ms) * elapsed_s / 3600


class MbusMeter(_Counting):
    """M-Bus: a heat meter that answers in two telegrams, by primary address or when it is selected.

    A question with the frame count bit of the one before gets the same telegram again, as the standard wants.
    """

    def __init__(self, device: str, primary: int, identification: str, rng: random.Random) -> None:
        super().__init__(device, rng, rng.randrange(10_000, 900_000))
        self._primary, self._identification = primary, identification
        self._selected = False
        self._bit: bool | None = None
        self._telegram = 0
        self._last: Answer | None = None

    def answer(self, frame: Frame) -> Answer | None:
        """Initialisation, selection, and requests for data."""
        if not isinstance(frame, mbus.Frame) or frame.control is None:
            return None
        if frame.address == SELECTED and frame.ci == 0x52:
            return self._select(frame.data)
        mine = frame.address in (self._primary, TEST_ADDRESS) or (frame.address == SELECTED and self._selected)
        if not mine:
            return None
        if frame.control == 0x40:
            self._selected, self._bit, self._telegram = False, None, 0
            return Answer(data=ACKNOWLEDGED)
        return self._data(bool(frame.control & 0x20)) if frame.control & 0xDF == 0x5B else None

    def _select(self, secondary: bytes) -> Answer | None:
        wanted, maker = secondary[3::-1].hex().upper(), secondary[4:6]
        fits = all(w in ("F", s) for w, s in zip(wanted, self._identification, strict=True))
        self._selected = fits and maker in (_MAKER, b"\xff\xff")
        self._bit, self._telegram = None, 0
        return Answer(data=ACKNOWLEDGED) if self._selected else None

    def _data(self, bit: bool) -> Answer:
        if bit == self._bit and self._last is not None:
            return self._last
        self._bit = bit
        head = bytes.fromhex(self._identification)[::-1] + _MAKER + b"\x01\x04" + bytes([self._telegram, 0, 0, 0])
        if self._telegram == 0:
            count = self._count()
            records = b"\x0c\x06" + _digits(count, 4) + b"\x0c\x14" + _digits(self._told // 3, 4) + b"\x1f"
            self._last = Answer(
                data=response(self._primary, 0x72, head + records), metric="energy", value=count * 36 / 10_000
            )
        else:
            records = b"\x0b\x3b" + _digits(371, 3) + b"\x0a\x5a" + _digits(553, 2) + b"\x0a\x5e" + _digits(402, 2)
            self._last = Answer(data=response(self._primary, 0x72, head + records + b"\x4c\x06" + _digits(4711, 4)))
        self._telegram = 1 - self._telegram
        return self._last

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Follow the day: whole kWh."""
        self._counter += 4.5 * use("heat", now_ms) * elapsed_s / 3600


def _fits(pattern: str, address: str) -> bool:
    """Whether a meter of `address` is meant, where A stands for any digit."""
    return all(wanted in ("A", said) for wanted, said in zip(pattern, address, strict=True))


def _digits(number: int, size: int) -> bytes:
    """BCD, low byte first; only the digits that fit, as a counter with so many wheels shows them."""
    return bytes.fromhex(f"{number % 10 ** (2 * size):0{2 * size}d}")[::-1]
