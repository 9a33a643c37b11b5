"""A process whose clocks are turned: an agent with a bench driver that does what its standard input says.

A line in is a JSON list: ``["emit", device, metric, value]``, ``["state", device, online]``, ``["status"]`` or
``["acted"]``. A line out is the answer: null, the agent's report, or what was written to outputs since the last asking.
"""

from __future__ import annotations

import json
import queue
import sys
from pathlib import Path
from typing import Any

from edge.app import EdgeAgent
from liandong.lab.clock import turn_clocks
from protocols.events import Reading
from tests.integration.edge.bench import BenchDriver, running


def answer(agent: EdgeAgent, driver: BenchDriver, words: list[Any]) -> Any:
    assert driver.ctx is not None
    match words:
        case ["emit", str(device), str(metric), value]:
            told = Reading(device=device, metric=metric, value=value, at_ms=driver.ctx.now_ms())
            driver.emit(told, durable=True)
        case ["status"]:
            return agent.report()
        case ["acted"]:
            acted: list[Any] = []
            while True:
                try:
                    acted.append(driver.acted.get_nowait())
                except queue.Empty:
                    return acted
        case _:
            raise ValueError(words)
    return None


def main(folder: Path, made: dict[str, Any]) -> None:
    turn_clocks(folder / "clock.turned")
    with running(folder, made) as (agent, driver):
        sys.stdout.write("null\n")
        sys.stdout.flush()
        for line in sys.stdin:
            sys.stdout.write(json.dumps(answer(agent, driver, json.loads(line))) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
