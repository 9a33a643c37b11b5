"""Root at work below the agent's data directory.

An installer may be root, the agent is not: what root made there itself the agent could neither replace nor open, and
a link that lies there would lead root where the agent may not go.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ALONE = threading.Lock()


@contextmanager
def as_owner(data: Path) -> Iterator[None]:
    """Within it root is whoever owns `data`, in all threads; for anybody else nothing changes. Raises OSError."""
    if os.geteuid() != 0:
        yield
        return
    owner = data.stat()
    with _ALONE:
        group = os.getegid()
        os.setegid(owner.st_gid)
        try:
            os.seteuid(owner.st_uid)
            yield
        finally:
            os.seteuid(0)
            os.setegid(group)
