"""A process to be killed: an agent whose driver counts, and tells on standard output what is on the disk."""

from __future__ import annotations

import sys
from pathlib import Path

from protocols.events import Reading
from tests.integration.edge.bench import document, running


def main(folder: Path, port: int) -> None:
    with running(folder, document(port)) as (_agent, driver):
        assert driver.ctx is not None
        number = int(driver.ctx.state().get("told", 0))
        while True:
            number += 1
            told = Reading(device="meter-1", metric="power", value=float(number), at_ms=1_000 + number)
            driver.emit(told, state={"told": number})
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
