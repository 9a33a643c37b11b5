"""``liandong sim run``: an estate as a process: hardware, cables, control socket."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from protocols.errors import ConfigError, UnavailableError
from simulators.cable import Cable
from simulators.control import ControlServer
from simulators.estate import CABLE_TRIGGERS, Estate
from simulators.scenario import Scenario

_log = logging.getLogger("simulators.run")
_STEP_S: Final = 1.0


class EstateProcess:
    """The estate, its cables and its control socket, in one event loop. Hardware lives in its own threads."""

    def __init__(self, scenario: Scenario, home: Path, control: Path, *, seed: int, speed: float) -> None:
        self._estate = Estate(scenario, home, seed=seed, speed=speed)
        self._cables = {row.gateway: Cable(row.listen, row.target) for row in scenario.cable}
        self._control = ControlServer(control, self._handle)
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Live until SIGTERM or SIGINT. Raises UnavailableError when a port or socket is taken."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        try:
            for cable in self._cables.values():
                await cable.start()
            await asyncio.to_thread(self._estate.start)
            await self._control.start()
        except OSError as error:
            raise UnavailableError("simulators.run.taken", why=error) from error
        _log.info("estate=%s hardware=%d", self._estate.scenario.group, len(self._estate.hardware))
        try:
            await self._live()
        finally:
            await self._control.close()
            for cable in self._cables.values():
                await cable.close()
            await asyncio.to_thread(self._estate.stop)

    async def _live(self) -> None:
        while not self._stopping.is_set():
            await asyncio.to_thread(self._estate.step, time.time_ns() // 1_000_000)
            try:
                await asyncio.wait_for(self._stopping.wait(), _STEP_S)
            except TimeoutError:
                continue

    async def _handle(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        match request.get("cmd"):
            case "ping":
                return {"devices": sum(len(h.devices) for h in self._estate.hardware.values())}
            case "list":
                return {"triggers": self._estate.triggers() + self._cable_triggers()}
            case "trigger":
                return {"did": await self._trigger(request)}
            case "network":
                return {"did": self._network(request)}
            case "line":
                name, act, params = str(request.get("name")), str(request.get("do")), request.get("params") or {}
                return {"did": await asyncio.to_thread(self._estate.line, name, act, params)}
            case other:
                raise ConfigError("simulators.control.unknown", cmd=other)

    async def _trigger(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        name, at = str(request.get("name")), request.get("at")
        if at is not None and not isinstance(at, str):
            raise ConfigError("simulators.control.unreadable")
        params = request.get("params") or {}
        if name in CABLE_TRIGGERS:
            return self._pull(name, at)
        return await asyncio.to_thread(self._estate.trigger, name, at, params)

    def _pull(self, name: str, at: str | None) -> Mapping[str, Any]:
        gateway = (at or next(iter(self._cables), "")).rpartition("/")[2]
        cable = self._cables.get(gateway)
        if cable is None:
            raise ConfigError("simulators.trigger.nowhere", name=name, at=at, known=", ".join(self._cables))
        if name == "gateway-unplug":
            cable.unplug()
        else:
            cable.plug()
        _log.info("trigger=%s gateway=%s", name, gateway)
        return {"trigger": name, "gateway": gateway}

    def _network(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is wrong with a cable from now on, or no more: ``{"at", "do", "delay_s", "bytes_per_s"}``."""
        cable = self._cables.get(str(request.get("at")))
        if cable is None:
            known = ", ".join(self._cables)
            raise ConfigError("simulators.trigger.nowhere", name="network", at=request.get("at"), known=known)
        match request.get("do"):
            case "unplug":
                cable.unplug()
            case "plug":
                cable.plug()
            case "reset":
                return {"connections": cable.reset()}
            case "halve":
                return {"connections": cable.halve()}
            case "limit":
                delay_s, bytes_per_s = float(request.get("delay_s", 0)), int(request.get("bytes_per_s", 0))
                cable.limit(delay_s=delay_s, bytes_per_s=bytes_per_s)
            case other:
                raise ConfigError("simulators.control.unknown", cmd=other)
        return {}

    def _cable_triggers(self) -> list[dict[str, Any]]:
        targets = [{"at": name, "device": name, "name": {"zh-CN": name, "en": name}} for name in self._cables]
        return [{"name": name, "targets": targets} for name in CABLE_TRIGGERS] if targets else []
