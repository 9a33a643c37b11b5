"""The serial ports of this machine under names that survive replugging, and which of them are to be left alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge import ports
from edge.local import ask
from edge.scan.findings import Refused
from protocols.errors import LiandongError

_BY_ID: Final = Path("/dev/serial/by-id")
_ANSWER_S: Final = 5.0


def serial_ports() -> list[Path]:
    """Every port with hardware behind it, by its stable name where it has one."""
    from serial.tools.list_ports import comports

    stable = {link.resolve(): link for link in sorted(_BY_ID.glob("*"))} if _BY_ID.is_dir() else {}
    # A board lists serial ports that lead nowhere; those have neither a USB number nor a description.
    found = (Path(port.device) for port in comports() if port.hwid != "n/a")
    return sorted(stable.get(port.resolve(), port) for port in found)


def held_by_agent(data: Path) -> Mapping[Path, str]:
    """The ports of the agent that works in `data`, each with its driver's name; empty when none runs."""
    try:
        parts = ask(data, {"ask": "status"}, _ANSWER_S)["parts"]
    except LiandongError:
        return {}
    return {
        Path(part["data"]["line"]).resolve(): part["name"].removeprefix("driver/")
        for part in parts
        if part["name"].startswith("driver/") and part["data"]["line"].startswith("/")
    }


def refusal(port: Path, agents: Mapping[Path, str]) -> Refused | None:
    """Why `port` is left alone; None when it may be asked."""
    driver = agents.get(port.resolve())
    if driver is not None:
        return Refused(port=port, code="edge.scan.held-by-agent", params={"port": str(port), "driver": driver})
    state = ports.state(port)
    if state == "free":
        return None
    holder = (ports.holder(port) or "?") if state == "held" else ""
    return Refused(port=port, code=f"edge.scan.port-{state}", params={"port": str(port), "holder": holder})
