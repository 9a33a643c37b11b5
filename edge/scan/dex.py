"""A vending machine on its DEX plug: it says who it is in the second handshake; then the session is given up.

Nothing is acknowledged, so the machine does not count the audit as read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from edge.scan.findings import Budget, Found
from edge.scan.line import ScanLine, unusable
from protocols.evadts.dex import AuditReceived, Carrier, Failed, Greeted, Identity, Step, Timers

_BIDS: Final = 2
_PATIENCE_S: Final = 8.0
_IDENTITY: Final = Identity(id="LDG0000000")


def search(line: ScanLine, budget: Budget) -> Iterator[Found]:
    """The machine, when there is one; it has no address. Raises DeviceError for a lost line."""
    if budget.over:
        return
    budget.tell(f"{line.name} dex {line.setting}")
    try:
        machine = _greet(line, line.setting.baud)
    except OSError as error:
        raise unusable(line.name, error) from error
    if machine is not None:
        model = f"{machine.id.strip()} {machine.revision}"
        yield Found(port=line.name, kind="dex", setting=line.setting, model=model, type="vending")


def _greet(line: ScanLine, baud: int) -> Greeted | None:
    carrier = Carrier(_IDENTITY, Timers(byte=10 / baud, bids=_BIDS, overall=_PATIENCE_S))
    now = time.monotonic()
    end = now + _PATIENCE_S
    step = carrier.start(now)
    while now < end:
        if step.send:
            line.write(step.send)
        greeted = next((event for event in step.events if isinstance(event, Greeted)), None)
        over = any(isinstance(event, Failed | AuditReceived) for event in step.events)
        if greeted is not None or over:
            _leave(line, carrier)
            return greeted
        due = carrier.due
        data = line.read(min(end, now + 0.2 if due is None else due) - now)
        now = time.monotonic()
        step = carrier.feed(data, now) if data else carrier.poll(now)
    return None


def _leave(line: ScanLine, carrier: Carrier) -> None:
    """Say EOT, and let it leave."""
    step: Step = carrier.abandon(time.monotonic())
    for _ in range(10):
        if step.send:
            line.write(step.send)
            return
        time.sleep(0.02)
        step = carrier.poll(time.monotonic())
