"""A gateway to be killed: ``python -m tests.integration.vending.gateway PORT OUTBOX`` reads the machine for ever."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.integration.vending.rig import FileContext, make_driver

if __name__ == "__main__":
    make_driver(Path(sys.argv[1]), interval_s=1.0).run(FileContext(Path(sys.argv[2])))
