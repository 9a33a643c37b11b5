"""The status page of one agent, served."""

from __future__ import annotations

from collections.abc import Callable

from edge.config import EdgeConfig, PageTable
from edge.doctor.diagnosis import of_running
from edge.page.server import PageServer
from edge.page.site import StatusSite
from edge.status import Report


def open_page(table: PageTable, config: Callable[[], EdgeConfig], report: Callable[[], Report]) -> PageServer:
    """Begin to serve the diagnosis of the agent that works by `config` and reports `report`; the caller closes it."""
    site = StatusSite(lambda: of_running(config(), report()), table.host)
    server = PageServer(table.host, table.port, site)
    server.start()
    return server
