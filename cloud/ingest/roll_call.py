"""Who is still there, after the broker was away or the worker was not: whoever says nothing is offline."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from cloud.ingest.hearing import Hearing
from protocols.sparkplug.actions import Now
from protocols.sparkplug.host import NodeKey

GRACE_S: Final = 3.0
"""Nodes with a primary host birth by themselves when its STATE comes back; they need not be asked."""
PATIENCE_S: Final = 30.0


class RollCall:
    """Begins anew with each connection. Single-threaded; the clock is `Now`'s monotonic one."""

    def __init__(self, hearing: Hearing, believed: Callable[[], Iterable[NodeKey]]) -> None:
        """`believed` names the nodes that count as online; it may raise, and is asked again then."""
        self._hearing = hearing
        self._believed = believed
        self._since: float | None = None
        self._awaited: set[NodeKey] | None = None

    def begin(self, now: Now) -> None:
        """The broker is there (again)."""
        self._since, self._awaited = now.at, None

    def tick(self, now: Now) -> None:
        """Ask who has not been heard since, once; later give up who has not answered."""
        if self._since is None or now.at - self._since < GRACE_S:
            return
        if self._awaited is None:
            self._awaited = {node for node in self._believed() if not self._heard(node)}
            for node in self._awaited:
                self._hearing.ask_rebirth(node, now)
        if now.at - self._since >= PATIENCE_S:
            for node in self._awaited:
                if not self._heard(node):
                    self._hearing.gone(node, now, "silent")
            self._since, self._awaited = None, None

    def _heard(self, node: NodeKey) -> bool:
        return self._since is not None and self._hearing.heard_at.get(node, 0.0) >= self._since
