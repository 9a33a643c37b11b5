"""The brokers that a gateway may have, and somebody else on them."""

from __future__ import annotations

from collections.abc import Iterator

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.services.brokers import Broker


@pytest.fixture(params=["iotcore", pytest.param("mosquitto", marks=pytest.mark.needs("mosquitto"))])
def broker(request: pytest.FixtureRequest) -> Broker:
    found = request.getfixturevalue(f"{request.param}_broker")
    assert isinstance(found, Broker)
    return found


@pytest.fixture
def raw(broker: Broker) -> Iterator[paho.Client]:
    """Somebody else on the broker."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="somebody")
    client.connect(broker.host, broker.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()
