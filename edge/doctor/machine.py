"""What the machine itself shows: disk, memory, temperature, wear, network. Bounds are those of a small gateway."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

from edge import machine
from edge.doctor.checks import Check, Grade

_MB: Final = 1_000_000
_DISK_LOW: Final = 300 * _MB
_DISK_SHORT: Final = 50 * _MB
_MEMORY_LOW: Final = 0.10
_MEMORY_SHORT: Final = 0.03
_WARM_C: Final = 75.0
_HOT_C: Final = 85.0  # a Raspberry Pi's processor slows itself down from here on
_WORN: Final = 80.0
_WORN_OUT: Final = 100.0
_WEAK: Final = 40.0


def look(data: Path, host: str, root: Path = machine.ROOT) -> list[Check]:
    """The machine that `data` lies on and that reaches the broker at `host`. Never waits for anything."""
    return [_disk(data), _memory(root), *_temperature(root), *_wear(root), _network(host, root)]


def _disk(data: Path) -> Check:
    found = machine.disk(data)
    if found is None or found.read_only:
        return Check(
            name="disk",
            grade=Grade.WRONG,
            code="edge.doctor.disk-read-only",
            data={"folder": str(data)},
            todo="edge.doctor.do-disk-read-only",
        )
    grade = _grade(found.free < _DISK_LOW, found.free < _DISK_SHORT)
    return Check(
        name="disk",
        grade=grade,
        code="edge.doctor.disk",
        data={
            "free": machine.size(found.free),
            "total": machine.size(found.total),
            "free_bytes": found.free,
            "folder": str(data),
        },
        todo="edge.doctor.do-disk" if grade else "",
    )


def _memory(root: Path) -> Check:
    found = machine.memory_available(root)
    if found is None:
        return Check(name="memory", grade=Grade.WELL, code="edge.doctor.untold")
    available, total = found
    grade = _grade(available < _MEMORY_LOW * total, available < _MEMORY_SHORT * total)
    return Check(
        name="memory",
        grade=grade,
        code="edge.doctor.memory",
        data={"available": machine.size(available), "total": machine.size(total), "available_bytes": available},
        todo="edge.doctor.do-memory" if grade else "",
    )


def _temperature(root: Path) -> list[Check]:
    celsius = machine.cpu_celsius(root)
    if celsius is None:
        return [Check(name="temperature", grade=Grade.WELL, code="edge.doctor.no-sensor")]
    grade = _grade(celsius >= _WARM_C, celsius >= _HOT_C)
    data = {"celsius": round(celsius, 1)}
    todo = "edge.doctor.do-temperature" if grade else ""
    return [Check(name="temperature", grade=grade, code="edge.doctor.temperature", data=data, todo=todo)]


def _wear(root: Path) -> list[Check]:
    worn = machine.wear_percent(root)
    if worn is None:
        return []
    grade = _grade(worn >= _WORN, worn >= _WORN_OUT)
    todo = "edge.doctor.do-wear" if grade else ""
    return [Check(name="flash", grade=grade, code="edge.doctor.wear", data={"percent": worn}, todo=todo)]


def _network(host: str, root: Path) -> Check:
    interface, quality = machine.default_interface(root), machine.link_quality(root)
    if interface is None:
        if _on_this_machine(host):
            return Check(name="network", grade=Grade.WELL, code="edge.doctor.network-local", data={"host": host})
        todo = "edge.doctor.do-network"
        return Check(name="network", grade=Grade.WRONG, code="edge.doctor.network-none", todo=todo)
    data: dict[str, object] = {"interface": interface, "address": _address() or "-", "quality": quality}
    if quality is None:
        return Check(name="network", grade=Grade.WELL, code="edge.doctor.network", data=data)
    weak = quality < _WEAK
    return Check(
        name="network",
        grade=_grade(weak, False),
        code="edge.doctor.network-radio",
        data=data,
        todo="edge.doctor.do-network-radio" if weak else "",
    )


def _address() -> str | None:
    """This machine's own address on the way out. A datagram socket that is connected sends nothing."""
    for family, beyond in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((beyond, 9))
            return str(probe.getsockname()[0])
    return None


def _on_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _grade(attention: bool, wrong: bool) -> Grade:
    return Grade.WRONG if wrong else Grade.ATTENTION if attention else Grade.WELL
