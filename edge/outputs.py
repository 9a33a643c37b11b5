"""Who wants what of an output: a later wish ends what is still being tried for an earlier one that it contradicts.

Every write of an output goes through here: a command, somebody on the gateway, a local rule. Which outputs end which
is data of the catalogue (`DeviceType.ends`). All of it lives in RAM; what a rule owes is stored by `edge.rules`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from protocols.catalog import DEVICE_TYPES
from protocols.errors import RefusedError
from protocols.events import Value

HANDING_S: Final = 0.25
"""How long a write that has begun may need until its driver has it; who contradicts it waits so long to come after."""

Act = Callable[[str, str, Value, float], None]
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """`output` of `device` is to become `value`. The greater `number` is the later wish; `by` says whose it is."""

    number: int
    device: str
    output: str
    value: Value
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Output:
    """`newest`: the latest wish of it; `over`: wishes before this number are over; `tried`: somebody tries for it."""

    newest: Wish | None = None
    over: int = 0
    tried: bool = False


class Outputs:
    """The order of all wishes. Every method may be called from any thread."""

    def __init__(self, types: Mapping[str, str], act: Act, overruled: Callable[[Wish], None]) -> None:
        """`types`: device → row of the catalogue, as it is now; `act` writes, and raises LiandongError.

        `overruled` is told of each wish that is no rule's, once it may have reached its device: rules then owe nothing
        that it contradicts.
        """
        self._types, self._act, self._overruled = types, act, overruled
        self._changed = threading.Condition()
        self._given = 0
        self._outputs: dict[_Key, _Output] = {}
        self._writing: list[tuple[Wish, float]] = []

    def want(self, device: str, output: str, value: Value, by: str = "rule") -> Wish:
        """From now on `value` is wanted; earlier wishes that it contradicts are over."""
        return self._want(device, output, value, by)[0]

    def order(self, device: str, output: str, value: Value, timeout_s: float, *, by: str, yields: bool = False) -> None:
        """Want it and write it, once. Raises what `act` raises; what is refused has ended nothing.

        With `yields` it joins a wish for the same that somebody still tries for, and has none of its own.
        """
        wish, before = self._want(device, output, value, by, yields=yields)
        try:
            self.write(wish, timeout_s)
        except RefusedError:
            self._take_back(before)
            raise
        except Exception:
            if before:
                self.close(wish.number, device, output)
                self._overruled(wish)
            raise
        if before:
            self._overruled(wish)

    def write(self, wish: Wish, timeout_s: float) -> None:
        """Write what is wanted, unless it is over: then RefusedError. Raises what `act` raises."""
        with self._changed:
            self._changed.wait_for(lambda: not self._overtakes(wish), HANDING_S)
            if self._is_over(wish):
                raise RefusedError("edge.output.overruled", device=wish.device, output=wish.output)
            begun = (wish, time.monotonic())
            self._writing.append(begun)
        try:
            self._act(wish.device, wish.output, wish.value, timeout_s)
        finally:
            with self._changed:
                self._writing.remove(begun)
                self._changed.notify_all()
        self.close(wish.number, wish.device, wish.output)

    def end(self, device: str, output: str, value: Value, timeout_s: float, *, by: str) -> None:
        """Write `value` as the end of what `by` wanted last. RefusedError when anybody wants anything else since."""
        with self._changed:
            newest = self._output(device, output).newest
        if newest is None or newest.by != by:
            raise RefusedError("edge.output.overruled", device=device, output=output)
        self.write(replace(newest, value=value), timeout_s)

    def is_over(self, number: int, device: str, output: str) -> bool:
        """Whether a later wish ended the one of this number."""
        with self._changed:
            return number < self._output(device, output).over

    def close(self, number: int, device: str, output: str) -> None:
        """Nobody tries for this wish any more: it is done, has failed, or lost its cause."""
        with self._changed:
            known = self._output(device, output)
            if known.newest is not None and known.newest.number == number:
                self._outputs[device, output] = replace(known, tried=False)

    def _want(
        self, device: str, output: str, value: Value, by: str, *, yields: bool = False
    ) -> tuple[Wish, Mapping[_Key, _Change]]:
        """The wish, and what it changed."""
        with self._changed:
            before = self._output(device, output)
            same = before.newest is not None and before.newest.value == value
            if before.newest is not None and same and before.tried and yields:
                return before.newest, {}
            self._given += 1
            wish = Wish(number=self._given, device=device, output=output, value=value, by=by)
            after = {output: _Output(newest=wish, over=before.over if same else wish.number, tried=True)}
            kind = self._types.get(device)
            for other in () if kind is None else DEVICE_TYPES[kind].ended_by(output):
                after[other] = replace(self._output(device, other), over=wish.number, tried=False)
            changes = {(device, name): (self._output(device, name), now) for name, now in after.items()}
            self._outputs |= {key: now for key, (_, now) in changes.items()}
            return wish, changes

    def _take_back(self, changes: Mapping[_Key, _Change]) -> None:
        with self._changed:
            for key, (before, after) in changes.items():
                if self._outputs[key] is after:  # nobody has wanted anything of it since
                    self._outputs[key] = before

    def _output(self, device: str, output: str) -> _Output:
        return self._outputs.get((device, output), _UNTOUCHED)

    def _is_over(self, wish: Wish) -> bool:
        known = self._output(wish.device, wish.output)
        newer = known.newest is not None and known.newest.number > wish.number and known.newest.value != wish.value
        return newer or wish.number < known.over

    def _overtakes(self, wish: Wish) -> bool:
        """Whether a write of the device that is over may not have reached its driver yet."""
        fresh = time.monotonic() - HANDING_S
        return any(one.device == wish.device and self._is_over(one) and at > fresh for one, at in self._writing)


def contradicts(types: Mapping[str, str], wish: Wish, output: str, value: Value) -> bool:
    """Whether `wish` ends an older one for `value` at `output` of the same device."""
    if output == wish.output:
        return bool(value != wish.value)
    kind = types.get(wish.device)
    return kind is not None and output in DEVICE_TYPES[kind].ended_by(wish.output)


_Change = tuple[_Output, _Output]
_UNTOUCHED: Final = _Output()
