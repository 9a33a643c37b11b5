"""The lines of this machine under names that survive replugging, and which of them are to be left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge import ports
from edge.local import ask
from edge.scan.findings import Refused
from protocols.errors import LiandongError

_BY_ID: Final = Path("/dev/serial/by-id")
_ANSWER_S: Final = 5.0
_TCP: Final = re.compile(r"([^:/\s]+|\[[0-9a-fA-F:]+\]):\d{1,5}")


def is_tcp(port: str) -> bool:
    """Whether `port` is host:port, and no path."""
    return _TCP.fullmatch(port) is not None


def serial_ports() -> list[str]:
    """Every port with hardware behind it, by its stable name where it has one."""
    from serial.tools.list_ports import comports

    stable = {link.resolve(): link for link in sorted(_BY_ID.glob("*"))} if _BY_ID.is_dir() else {}
    # A board lists serial ports that lead nowhere; those have neither a USB number nor a description.
    found = (Path(port.device) for port in comports() if port.hwid != "n/a")
    return sorted(str(stable.get(port.resolve(), port)) for port in found)


def held_by_agent(data: Path) -> Mapping[str, str]:
    """The lines of the agent that works in `data`, each with its driver's name; empty when none runs."""
    try:
        parts = ask(data, {"ask": "status"}, _ANSWER_S)["parts"]
    except LiandongError:
        return {}
    drivers = [part for part in parts if part["name"].startswith("driver/")]
    return {_known(part["data"]["line"]): part["name"].removeprefix("driver/") for part in drivers}


def refusal(port: str, agents: Mapping[str, str]) -> Refused | None:
    """Why `port` is left alone; None when it may be asked."""
    driver = agents.get(_known(port))
    if driver is not None:
        return Refused(port=port, code="edge.scan.held-by-agent", params={"port": port, "driver": driver})
    state = "free" if is_tcp(port) else ports.state(Path(port))
    if state == "free":
        return None
    holder = (ports.holder(Path(port)) or "?") if state == "held" else ""
    return Refused(port=port, code=f"edge.scan.port-{state}", params={"port": port, "holder": holder})


def _known(line: str) -> str:
    """The name under which two ways to write a line are the same."""
    return line if is_tcp(line) else str(Path(line).resolve())
