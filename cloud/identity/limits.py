"""How often something may be tried."""

from __future__ import annotations

from collections import OrderedDict, deque
from threading import Lock

from protocols.errors import RefusedError


class Limit:
    """At most `times` within `per_s` seconds per key; remembers at most `most` keys. Thread-safe."""

    def __init__(self, times: int, per_s: float, most: int = 10_000) -> None:
        self._times, self._per_s, self._most = times, per_s, most
        self._lock = Lock()
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, key: str, now_s: float) -> None:
        """Count one try. Raises RefusedError (`cloud.too-often`, with `seconds` to wait)."""
        with self._lock:
            tries = self._tries.setdefault(key, deque())
            self._tries.move_to_end(key)
            while len(self._tries) > self._most:
                self._tries.popitem(last=False)
            while tries and tries[0] <= now_s - self._per_s:
                tries.popleft()
            if len(tries) >= self._times:
                raise RefusedError("cloud.too-often", seconds=max(1, round(tries[0] + self._per_s - now_s)))
            tries.append(now_s)

    def forget(self, key: str) -> None:
        """It went well: earlier tries no longer count."""
        with self._lock:
            self._tries.pop(key, None)
