"""What waits for the line of a door, and what of it still counts when nobody waits any more."""

from __future__ import annotations

import pytest

from edge.drivers.osdp.orders import Orders
from protocols.errors import DeviceError


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ((("door-1", "release"),), ["release"]),
        ((("door-1", "unlock"), ("door-1", "beep")), []),
        ((("door-1", "release"), ("door-1", "restore")), ["restore"]),
        ((("door-1", "restore"), ("door-1", "release")), ["release"]),
        ((("door-1", "release"), ("door-2", "restore")), ["release", "restore"]),
    ],
)
def test_an_emergency_counts_unless_a_later_order_ends_it(given: tuple[tuple[str, str], ...], taken: list[str]) -> None:
    orders = Orders()
    for device, output in given:
        with pytest.raises(DeviceError):
            orders.give(device, output, 0.0)
    assert [order.output for order in orders.taken()] == taken
