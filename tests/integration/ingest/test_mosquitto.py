"""The same on Mosquitto, the broker of a one-server installation."""

from __future__ import annotations

import pytest

from tests.integration.ingest.gateway import Gateway, wait_for
from tests.integration.ingest.test_ingest import Rows, born, temperature
from tests.services.brokers import Broker

pytestmark = pytest.mark.needs("mosquitto")


@pytest.fixture
def broker(mosquitto_broker: Broker) -> Broker:
    return mosquitto_broker


def test_birth_data_duplicates_and_death(gateway: Gateway, rows: Rows) -> None:
    born(gateway)
    for number in (1, 2, 2, 3):
        gateway.data(number, (temperature(float(number)),), device="cold-1")
    wait_for(lambda: gateway.acknowledged_up_to(3))
    assert sorted(row["value"] for row in rows("SELECT value FROM reading")) == [1.0, 2.0, 3.0]
    gateway.die()
    wait_for(lambda: not rows("SELECT FROM gateway WHERE online"))
