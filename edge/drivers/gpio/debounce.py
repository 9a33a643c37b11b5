"""Contacts bounce: what counts is the level that lasted. Pure, on a monotonic clock in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Debounced:
    """One contact. `closed` is what it is known to be; None before the first look."""

    rest_s: float
    closed: bool | None = None
    _seen: bool | None = None
    _since_s: float = 0.0

    def see(self, closed: bool, at_s: float) -> bool | None:
        """The contact is `closed` at `at_s`; what it is from now on if that is news, else None."""
        if closed is not self._seen:
            self._seen, self._since_s = closed, at_s
        if closed is self.closed or at_s - self._since_s < self.rest_s:
            return None
        self.closed = closed
        return closed
