"""The "make something happen" drawer: exists only where the street is simulated."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud import audit
from cloud.api.services import Given, Services, SignedIn, address, now
from cloud.text import Text
from protocols.errors import RefusedError, UnavailableError

router = APIRouter(prefix="/api/v1/simulation", tags=["simulation"])

TIMEOUT_S: Final = 5.0
MOST_BYTES: Final = 1 << 20


class Trigger(BaseModel):
    """What is to happen, and where."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Text, Field(min_length=1, max_length=64)]
    at: Annotated[Text | None, Field(max_length=300)] = None


@router.get("")
def triggers(who: SignedIn, given: Given) -> dict[str, Any]:
    """What can be made to happen, and where."""
    who.require_console()
    answer = _ask(_socket(given), {"cmd": "list"})
    return {"triggers": answer.get("triggers", [])}


@router.post("/trigger")
def trigger(wanted: Trigger, who: SignedIn, request: Request, given: Given) -> dict[str, Any]:
    """Make it happen."""
    who.require_console()
    path = _socket(given)
    with given.database.transaction() as tx:
        audit.record(tx, now(), "simulation.trigger", person=who.id, subject=wanted.name, address=address(request))
    answer = _ask(path, {"cmd": "trigger"} | wanted.model_dump(exclude_none=True))
    return {"did": answer.get("did", {})}


def _socket(given: Services) -> Path:
    if given.simulation is None:
        raise RefusedError("cloud.simulation.none")
    return given.simulation


def _ask(path: Path, question: dict[str, Any]) -> dict[str, Any]:
    """One line there, one line back. Raises UnavailableError when nobody answers, RefusedError for a refusal."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(TIMEOUT_S)
            line.connect(str(path))
            line.sendall(json.dumps(question, ensure_ascii=False).encode() + b"\n")
            with line.makefile("rb") as answers:
                answer = json.loads(answers.readline(MOST_BYTES))
    except (OSError, ValueError) as error:
        raise UnavailableError("cloud.simulation.away", why=str(error)) from error
    if not isinstance(answer, dict):
        raise UnavailableError("cloud.simulation.away", why="?")
    if not answer.get("ok"):
        fault = answer.get("error") or {}
        raise RefusedError(str(fault.get("code", "cloud.simulation.refused")), **fault.get("params", {}))
    return answer
