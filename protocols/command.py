"""The texts of a command down: what a host writes, by DCMD, to the metric of an output or to `READ_METRIC`.

An output is written, and a device read at once, in the two steps of `protocols.downward`:

1. The host asks, ``{"host", "id", "value", "ttl_ms"}``. The agent keeps the wish and answers with the event
   `READY`, which carries a ticket that it has just made.
2. The host confirms, ``{"host", "id", "ticket"}``. The agent writes the output if the ticket is the one that it gave,
   was not used, and is younger than its time to live by the agent's own monotonic clock.

The outcome is the event `DONE` or `REFUSED`. Every event carries ``id``, ``device`` and ``output``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr, TypeAdapter

from protocols import downward

OUTPUT_PREFIX: Final = "Output/"
READ: Final = "read"
"""The name under which "read the device now" stands beside the outputs; no output is called so."""
READ_METRIC: Final = "Device Control/Read"
READ_S: Final = 45.0
"""Seconds that a device may take to be read at once: a vending machine's audit takes half of it."""
MAX_BYTES: Final = 2048
MAX_TICKET_MS: Final = 8000
"""No ticket lives longer than this, whatever a host asks for."""

READY: Final = "command.ready"
DONE: Final = "command.done"
REFUSED: Final = "command.refused"
ANSWERS: Final = frozenset((READY, DONE, REFUSED))


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("printable text only")
    return text


_Number = Annotated[StrictFloat, Field(allow_inf_nan=False)]
_Word = Annotated[StrictStr, Field(max_length=200), AfterValidator(_printable)]
OutputValue = StrictBool | StrictInt | _Number | _Word


class Ask(downward.Message):
    """Step 1. `ttl_ms`: how long the host still wants it; bounds the life of the ticket."""

    value: OutputValue
    ttl_ms: Annotated[int, Field(gt=0, le=60_000)]


class Confirm(downward.Ticketed):
    """Step 2."""


_MESSAGE: Final[TypeAdapter[Ask | Confirm]] = TypeAdapter(Ask | Confirm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a gateway's event says about a command. `error`: code and params of a refusal."""

    kind: Literal["command.ready", "command.done", "command.refused"]
    id: UUID
    ticket: UUID | None = None
    error: dict[str, Any] | None = None


def metric_name(output: str) -> str:
    """The metric that stands for an output, or for reading, in a birth."""
    return READ_METRIC if output == READ else f"{OUTPUT_PREFIX}{output}"


def output_of(metric: str) -> str | None:
    """The output that a metric stands for (`READ` for reading); None for any other metric."""
    if metric == READ_METRIC:
        return READ
    return metric.removeprefix(OUTPUT_PREFIX) if metric.startswith(OUTPUT_PREFIX) else None


def read(text: object) -> Ask | Confirm:
    """What the value of an output's metric says. Raises ProtocolError for anything else, a plain value for one."""
    return downward.read(text, _MESSAGE, most=MAX_BYTES, code="protocols.command.plain")


def answer(kind: str, data: Any) -> Answer | None:
    """The answer that an event's `kind` and `data` carry; None when it is none, or cannot be read."""
    if kind not in ANSWERS or not isinstance(data, dict):
        return None
    try:
        identity = UUID(str(data["id"]))
        ticket = UUID(str(data["ticket"])) if kind == READY else None
    except (KeyError, ValueError):
        return None
    error = downward.reason(data) if kind == REFUSED else None
    return Answer(kind=kind, id=identity, ticket=ticket, error=error)  # type: ignore[arg-type]
