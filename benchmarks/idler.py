"""A process that uses a share of a core and does nothing: what a limit runs beside, to be one of the same run."""

from __future__ import annotations

import sys
import time
from typing import Final

_PERIOD_S: Final = 0.01
_LONGEST_S: Final = 600.0


def main(share: float) -> None:
    """Burn `share` of a core (0 … 1) until killed, ten minutes at most."""
    end = time.monotonic() + _LONGEST_S
    while (now := time.monotonic()) < end:
        while time.monotonic() < now + share * _PERIOD_S:
            pass
        time.sleep((1 - share) * _PERIOD_S)


if __name__ == "__main__":
    main(min(1.0, max(0.0, float(sys.argv[1]))))
