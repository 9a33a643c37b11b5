"""The port between the simulated estate and a piece of hardware.

A stand-in speaks the real bytes over the real kind of line (a pty, a TCP port, a field broker). It is built on
``protocols/`` and independent libraries only, never on ``edge/``. Chance comes from the `random.Random` it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Ledger(Protocol):
    """What the hardware knows to have happened, to compare with the database later."""

    def observed(self, device: str, metric: str, counter: int, value: object, at_ms: int) -> None:
        """`device` showed `value` of `metric` (or kind of event), its own `counter`-th of it, and it was taken.

        Taken is an acknowledged frame, or a poll reply followed by the next request. Thread-safe; filed on return.
        """


class Hardware(Protocol):
    """One device, or one bus with its devices. Thread-safe."""

    @property
    def devices(self) -> tuple[str, ...]:
        """Sparkplug device ids of what hangs on this line (so that a trigger finds its hardware)."""

    def start(self) -> None:
        """Open the line and begin to answer, in threads of its own."""

    def stop(self) -> None:
        """Stop answering and close the line; returns within two seconds."""

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Live a little: sell, drift, use water. Called about once a second; `elapsed_s` in simulated seconds."""

    def triggers(self) -> Mapping[str, Callable[[str, Mapping[str, Any]], Mapping[str, Any]]]:
        """What can be made to happen: trigger name → ``f(device, params) -> what was done``."""

    def state(self) -> Mapping[str, Any]:
        """Counters that survive a restart of the simulator (plain JSON)."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the counters of `state`; called before `start`."""
