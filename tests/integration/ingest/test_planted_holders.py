"""A lease that everybody gets: the test that there is one holder must fail."""

from __future__ import annotations

from typing import Any

import pytest

from cloud.ingest import state_holder
from cloud.storage import leases
from cloud.storage.database import Database
from protocols.sparkplug.state import HostState
from tests.integration.ingest import gateway, test_faults
from tests.integration.ingest.gateway import wait_for
from tests.integration.ingest.test_faults import states
from tests.services.brokers import Broker

__all__ = ["states"]


def test_two_holders_are_noticed(
    database: Database, broker: Broker, states: list[HostState], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plants a violation of tck-id-operational-behavior-host-application-host-id."""
    started: list[state_holder.StateHolder] = []

    class Seen(state_holder.StateHolder):
        def start(self) -> None:
            started.append(self)
            super().start()
            wait_for(lambda: self.online)

    monkeypatch.setattr(test_faults, "StateHolder", Seen)
    monkeypatch.setattr(leases, "hold", lambda *_: True)
    monkeypatch.setattr(gateway, "WAIT_S", 2.0)
    named: Any = test_faults.test_state_has_one_holder_and_a_successor
    try:
        with pytest.raises(AssertionError):
            named(database, broker, states)
    finally:
        monkeypatch.undo()
        for holder in started:
            holder.stop()
