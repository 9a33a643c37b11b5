"""A process that plays gateways: it encodes first, then sends as fast as acknowledgements allow, and times that.

Orders come as JSON lines on standard input; each is answered by one line on standard output.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from typing import Any, Final

from benchmarks.gateways import Gateway, now_ms
from benchmarks.wire import Wire
from protocols.delivery import Lane
from protocols.errors import UnavailableError

WINDOW: Final = 128
"""Messages that a gateway may have unacknowledged; an agent of ours has up to 256 (`protocols.delivery.window`)."""
_PATIENCE_S: Final = 30.0
_ACK: Final = re.compile(rb"/(bulk|urgent)/\{\[1,(\d+)\)\}")


class Load:
    """All gateways, over one connection. Single-threaded."""

    def __init__(self, order: dict[str, Any]) -> None:
        group = order["group"]
        self._wire = Wire(order["port"], f"load-{group}", order["user"], order["password"])
        self._wire.subscribe(f"spBv1.0/{group}/NCMD/+")
        names = [f"gw-{number}" for number in range(order["gateways"])]
        self._gateways = {name: Gateway(name, order["devices"], group) for name in names}
        self._acknowledged = {(name, lane.value): 0 for name in names for lane in Lane}
        self._before = dict(self._acknowledged)

    def births(self, _order: dict[str, Any]) -> dict[str, Any]:
        """Everybody is born."""
        for gateway in self._gateways.values():
            self._wire.send(gateway.births())
        return {}

    def encode(self, order: dict[str, Any]) -> dict[str, Any]:
        """Make what the next `run` sends: `messages` per gateway, of `readings` each."""
        self._before = dict(self._acknowledged)
        for gateway in self._gateways.values():
            gateway.encode(order["messages"], order["readings"], now_ms())
        packets = sum(len(gateway.packets) for gateway in self._gateways.values())
        size = sum(len(packet) for gateway in self._gateways.values() for packet in gateway.packets)
        return {"messages": packets, "bytes": size}

    def run(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send it, and wait until all is acknowledged. `pace`: messages per second over all, 0 for no limit."""
        began, cpu = time.monotonic(), _cpu_s()
        sent, total = dict.fromkeys(self._gateways, 0), sum(len(g.packets) for g in self._gateways.values())
        heard_at = began
        while (done := sum(map(self._done, self._gateways))) < total:
            now = time.monotonic()
            allowed = int((now - began) * order["pace"]) if order["pace"] else total
            self._send(sent, allowed)
            if self._hear():
                heard_at = time.monotonic()
            elif now - heard_at > _PATIENCE_S:
                raise UnavailableError("liandong.bench.silent", done=done, total=total)
        seconds = time.monotonic() - began
        for gateway in self._gateways.values():
            gateway.packets.clear()
        return {"seconds": seconds, "cpu_s": _cpu_s() - cpu}

    def _send(self, sent: dict[str, int], allowed: int) -> None:
        room = allowed - sum(sent.values())
        for name, gateway in self._gateways.items():
            first = sent[name]
            last = min(len(gateway.packets), self._done(name) + WINDOW, first + room)
            if last > first:
                self._wire.send(b"".join(gateway.packets[first:last]))
                sent[name] = last
                room -= last - first

    def _hear(self) -> bool:
        messages = self._wire.heard(0.02)
        for topic, payload in messages:
            found = _ACK.search(payload)
            if found:
                self._acknowledged[topic.rsplit("/", 1)[1], found[1].decode()] = int(found[2]) - 1
        return bool(messages)

    def _done(self, name: str) -> int:
        return sum(self._acknowledged[name, lane.value] - self._before[name, lane.value] for lane in Lane)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Serve orders until standard input ends. The first says where the broker is and how many gateways to play."""
    load = Load(json.loads(sys.stdin.readline()))
    _answer({})
    for line in sys.stdin:
        order = json.loads(line)
        _answer(getattr(load, order["do"])(order))


def _answer(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
