"""Who is still there, after the broker was away or the worker was not: whoever says nothing is offline."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from cloud.ingest.hearing import Hearing
from protocols.sparkplug.actions import Now
from protocols.sparkplug.host import NodeKey

GRACE_S: Final = 3.0
"""Nodes with a primary host birth by themselves when its STATE comes back; they need not be asked."""
PATIENCE_S: Final = 30.0


class RollCall:
    """Begins anew with each connection, and for groups that are new to this worker. Single-threaded."""

    def __init__(self, hearing: Hearing, believed: Callable[[], Iterable[NodeKey]]) -> None:
        """`believed` names the nodes that count as online; it may raise, and is asked again then."""
        self._hearing = hearing
        self._believed = believed
        self._calls: list[_Call] = []

    def begin(self, now: Now) -> None:
        """The broker is there (again)."""
        self._calls = [_Call(since=now.at)]

    def include(self, groups: frozenset[str] | None, now: Now) -> None:
        """These groups (None: all) are listened to from now on."""
        self._calls.append(_Call(since=now.at, groups=groups))

    def tick(self, now: Now) -> None:
        """Ask who has not been heard since, once; later give up who has not answered."""
        for call in [call for call in self._calls if now.at - call.since >= GRACE_S]:
            if call.awaited is None:
                call.awaited = {node for node in self._believed() if self._missed(call, node)}
                for node in call.awaited:
                    self._hearing.ask_rebirth(node, now)
            if now.at - call.since >= PATIENCE_S:
                for node in call.awaited:
                    if self._missed(call, node):
                        self._hearing.gone(node, now, "silent")
                self._calls.remove(call)

    def _missed(self, call: _Call, node: NodeKey) -> bool:
        mine = self._hearing.carries(node[0]) and (call.groups is None or node[0] in call.groups)
        return mine and self._hearing.heard_at.get(node, 0.0) < call.since


@dataclass(slots=True, kw_only=True)
class _Call:
    """Since when who is awaited, of which groups (None: of all)."""

    since: float
    groups: frozenset[str] | None = None
    awaited: set[NodeKey] | None = None
