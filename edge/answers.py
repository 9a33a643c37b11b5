"""What is asked at the gateway's local socket, and by whom it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from edge.commissioning.desk import Commissioning
from edge.configuring import Configuring
from edge.outputs import Outputs
from edge.status import Report
from protocols.errors import ConfigError
from protocols.events import Event

BY_HAND_S: Final = 10.0
"""How long a device may take to confirm an output that a person writes."""


class Answers:
    """For the threads of the local socket."""

    def __init__(
        self,
        *,
        report: Callable[[], Report],
        outputs: Outputs,
        commissioning: Commissioning,
        configuring: Callable[[], Configuring | None],
        tell: Callable[[Event], None],
        now_ms: Callable[[], int],
    ) -> None:
        """`tell` stores an event; `configuring` is None where the configuration is a file alone."""
        self._report, self._outputs, self._commissioning = report, outputs, commissioning
        self._configuring, self._tell, self._now_ms = configuring, tell, now_ms

    def __call__(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer. Raises LiandongError: why there is none."""
        configuring = self._configuring()
        match request:
            case {"ask": "status"}:
                return self._report()
            case {
                "ask": "act",
                "device": str(device),
                "output": str(output),
                "value": bool() | int() | float() | str() as value,
            }:
                self._outputs.order(device, output, value, BY_HAND_S, by="local")
                data = {"device": device, "output": output, "value": value, "by": "local"}
                self._tell(Event(device="", kind="output.written", at_ms=self._now_ms(), data=data))
                return {"ok": True}
            case {"ask": "configuration"} if configuring is not None:
                return configuring.answer(request)
            case {"ask": "commission"}:
                return self._commissioning.answer(request)
            case _:
                raise ConfigError("edge.local.unreadable")
