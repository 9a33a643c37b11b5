"""A simulated estate: its hardware lives, and can be told to make things happen.

Everything is seeded: the same seed and the same triggers give the same sales, cards and drifts.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from protocols.errors import ConfigError, RefusedError
from simulators.hardware import make_hardware
from simulators.hardware.port import Hardware
from simulators.ledger import LedgerFile
from simulators.scenario import Scenario

_log = logging.getLogger("simulators.estate")

# which type of device a trigger needs; the others concern the estate or a whole gateway
TRIGGER_TYPES: Final[Mapping[str, str]] = {
    "smoke": "smoke",
    "smoke-clear": "smoke",
    "sos": "sos-button",
    "leak": "water-leak",
    "leak-clear": "water-leak",
    "motion": "motion",
    "door-forced": "door",
    "door-held": "door",
    "door-closed": "door",
    "card": "door",
    "tamper": "door",
    "vending-sale": "vending",
    "vending-jam": "vending",
    "vending-clear": "vending",
    "cold-chain-warm": "cold-chain",
    "cold-chain-cool": "cold-chain",
    "unit-silent": "power-meter",
    "unit-back": "power-meter",
    "panel-fire": "fire-panel",
    "panel-normal": "fire-panel",
    "panel-reset": "fire-panel",
}
ESTATE_TRIGGERS: Final = ("power-cut", "power-restore")
CABLE_TRIGGERS: Final = ("gateway-unplug", "gateway-plug")
_SAVE_EVERY_S: Final = 5.0


class Estate:
    """The hardware of a scenario. `step` is called by one thread; `trigger` by any."""

    def __init__(self, scenario: Scenario, home: Path, *, seed: int, speed: float = 1.0) -> None:
        self.scenario = scenario
        self.ledger = LedgerFile(home / "ledger.jsonl")
        self._state_file = home / "state.json"
        self._speed = speed
        self._lock = threading.Lock()
        self._saved_at = 0.0
        self._stepped_at = time.monotonic()
        self.hardware: dict[str, Hardware] = {}
        for table in scenario.hardware:
            chance = random.Random(f"{seed}/{table.name}")
            self.hardware[table.name] = make_hardware(table.family, table.settings, chance, self.ledger)

    def start(self) -> None:
        """Take up the stored counters and begin to answer on every line."""
        stored = _read_json(self._state_file)
        for name, hardware in self.hardware.items():
            if name in stored:
                hardware.restore(stored[name])
            hardware.start()
        self._stepped_at = time.monotonic()

    def step(self, now_ms: int) -> None:
        """Let the estate live from the last call until now."""
        now = time.monotonic()
        elapsed, self._stepped_at = (now - self._stepped_at) * self._speed, now
        for name, hardware in self.hardware.items():
            try:
                hardware.step(now_ms, elapsed)
            except Exception:  # noqa: BLE001 - one broken device must not stop the street
                _log.exception("hardware=%s step failed", name)
        if now - self._saved_at > _SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Store the counters, whole or not at all."""
        self._saved_at = time.monotonic()
        text = json.dumps({name: dict(hardware.state()) for name, hardware in self.hardware.items()})
        fresh = self._state_file.with_suffix(".new")
        try:
            fresh.write_text(text, "utf-8")
            fresh.replace(self._state_file)
        except OSError as error:  # the street goes on; the next save may find room again
            _log.warning("state not saved file=%s why=%s", self._state_file, error.strerror)

    def stop(self) -> None:
        """Stop every device and store the counters."""
        for name, hardware in self.hardware.items():
            try:
                hardware.stop()
            except Exception:  # noqa: BLE001 - the others must stop too
                _log.exception("hardware=%s stop failed", name)
        self.save()
        self.ledger.close()

    def triggers(self) -> list[dict[str, Any]]:
        """What can be made to happen and where: ``[{"name", "targets": [{"at", "device", "name"}]}]``."""
        listed: list[dict[str, Any]] = []
        for name, kind in TRIGGER_TYPES.items():
            targets = [self._target(device) for device, _ in self._who_can(name, kind)]
            if targets:
                listed.append({"name": name, "targets": targets})
        listed += [{"name": name, "targets": []} for name in ESTATE_TRIGGERS if any(self._powered(name))]
        return listed

    def trigger(self, name: str, at: str | None, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make `name` happen, at the place `at` (``peach-garden/3/502``: steps may be left out) or at the first device.

        Raises ConfigError when nothing of that name, or no such device there, exists, RefusedError for what cannot
        happen now.
        """
        if name in ESTATE_TRIGGERS:
            return self._power(name, params)
        kind = TRIGGER_TYPES.get(name)
        if kind is None:
            known = ", ".join([*(row["name"] for row in self.triggers()), *CABLE_TRIGGERS])
            raise ConfigError("simulators.trigger.unknown", name=name, known=known)
        can = list(self._who_can(name, kind))
        chosen = [(device, act) for device, act in can if at is None or self._stands_at(device, at)]
        if not chosen:
            places = ", ".join(sorted({self.scenario.places.get(device, device) for device, _ in can}))
            raise ConfigError("simulators.trigger.nowhere", name=name, at=at, known=places or "-")
        device, act = chosen[0]
        with self._lock:
            did = act(device, params)
        if "refused" in did:
            raise _refused(name, device, str(did["refused"]))
        _log.info("trigger=%s device=%s did=%s", name, device, dict(did))
        return {"trigger": name, "device": device, "at": self.scenario.places.get(device), **did}

    def line(self, name: str, act: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do `act` (``unplug``, ``plug``, ``noise``, ``slow``, ``echo``, ``flood``) to the hardware called `name`.

        Raises ConfigError when there is no such hardware, or it cannot do that.
        """
        hardware = self.hardware.get(name)
        did = None if hardware is None else hardware.triggers().get(act)
        if hardware is None or did is None:
            raise ConfigError("simulators.trigger.nowhere", name=act, at=name, known=", ".join(self.hardware))
        with self._lock:
            told = did(hardware.devices[0], params)
        _log.info("line=%s did=%s", name, act)
        return told

    def _power(self, name: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._lock:
            for device, act in self._powered(name):
                act(device, params)
        _log.info("trigger=%s", name)
        return {"trigger": name, "devices": [device for device, _ in self._powered(name)]}

    def _powered(self, name: str) -> Iterator[tuple[str, Callable[[str, Mapping[str, Any]], Mapping[str, Any]]]]:
        """Every device that feels the mains, with what to call; a line whose devices share a feed appears once."""
        for hardware in self.hardware.values():
            act = hardware.triggers().get(name)
            if act is not None:
                yield hardware.devices[0], act

    def _who_can(
        self, name: str, kind: str
    ) -> Iterator[tuple[str, Callable[[str, Mapping[str, Any]], Mapping[str, Any]]]]:
        for hardware in self.hardware.values():
            act = hardware.triggers().get(name)
            if act is not None:
                yield from ((device, act) for device in hardware.devices if self.scenario.types.get(device) == kind)

    def _stands_at(self, device: str, at: str) -> bool:
        """Whether `at` names the device or its place: the last step must fit, steps before it may be left out."""
        if at == device:
            return True
        path = self.scenario.places.get(device, "").split("/")
        wanted = at.strip("/").split("/")
        if path[-1] != wanted[-1] and not _is_spot_below(path, wanted):
            return False
        steps = iter(path)
        return all(step in steps for step in wanted)

    def _target(self, device: str) -> dict[str, Any]:
        return {"device": device, "at": self.scenario.places.get(device), "name": self.scenario.names.get(device, {})}


def _refused(name: str, device: str, why: str) -> RefusedError:
    code = why if why in ("door-not-locked", "reader-offline") else "refused"
    return RefusedError(f"simulators.trigger.{code}", name=name, device=device, why=why)


def _is_spot_below(path: list[str], wanted: list[str]) -> bool:
    """``peach-garden/3/1`` also means the hall of that unit, where its door hangs."""
    return len(path) > 1 and path[-2] == wanted[-1]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
