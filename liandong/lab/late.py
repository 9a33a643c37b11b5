"""Late data: what was committed after something that its device showed later, and why. Pure.

That may happen for one reason: it had to be sent again, for it was lost on its way, or never answered. So each such
row must have been said twice at the broker, or said there later than what overtook it, which a gateway does only with
what it sends again. What was said in order, once, and stored out of order, is a fault of the cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from liandong.lab.stored import Key

AGAIN: Final = "again"
OVERTAKEN: Final = "overtaken"
NOT_HEARD: Final = "not-heard"
UNEXPLAINED: Final = "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """`key` was committed after `before`, which the same device showed later. Times: ms since 1970 UTC."""

    key: Key
    before: Key
    at_ms: int
    committed_ms: float


def explain(
    late: Sequence[Late], sendings: Mapping[Key, Sequence[tuple[int, str]]], unheard: Callable[[float, float], bool]
) -> dict[str, list[Late]]:
    """Each row by its reason. `sendings`, `unheard`: see `liandong.lab.wiretap.Wiretap`."""
    found: dict[str, list[Late]] = {}
    for one in late:
        found.setdefault(_reason(one, sendings, unheard), []).append(one)
    return found


def _reason(
    one: Late, sendings: Mapping[Key, Sequence[tuple[int, str]]], unheard: Callable[[float, float], bool]
) -> str:
    said = sendings.get(one.key, ())
    if len(said) > 1:
        return AGAIN
    if not said:
        return NOT_HEARD if unheard(one.at_ms, one.committed_ms) else UNEXPLAINED
    overtaker = sendings.get(one.before, ())
    if overtaker and overtaker[0][0] < said[0][0]:
        return OVERTAKEN
    return NOT_HEARD if unheard(one.at_ms, one.committed_ms) else UNEXPLAINED
