"""The cloud with a flaw that no exception handler catches: a reading of 666 kills the process while it is opened.

Run as a module in place of the command; nothing of this is in the product.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

DEADLY = 666.0


def main() -> int:
    from cloud.ingest import storing
    from liandong.cli import main as command

    decode = storing.decode

    def deadly(payload: Any, *rest: Any, **more: Any) -> Any:
        if any(metric.double_value == DEADLY for metric in payload.metrics):
            os.kill(os.getpid(), signal.SIGKILL)
        return decode(payload, *rest, **more)

    storing.decode = deadly
    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
