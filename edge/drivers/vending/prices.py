"""A price that somebody wants in a machine: what may be asked for, and who waits for the answer."""

from __future__ import annotations

import queue
import re
import time
from dataclasses import dataclass
from typing import Final

from edge.drivers.awaited import Awaited
from edge.drivers.vending.config import VendingDevice
from edge.drivers.vending.meaning import PriceWish
from protocols.errors import DeviceError, LiandongError, RefusedError
from protocols.events import Value

OUTPUT: Final = "price"
_FORM: Final = re.compile(r"([0-9A-Za-z]{1,8})=([0-9]{1,9})")


@dataclass(slots=True, kw_only=True, eq=False)
class PriceOrder(Awaited):
    """Somebody waits until the machine asks `price` for `selection`. `until` is monotonic."""

    selection: str
    price: int
    until: float
    sent: bool = False


class PriceOrders:
    """One at a time. `give` is for any thread, all else for the driver's own."""

    def __init__(self, device: VendingDevice) -> None:
        self._device = device
        self._waiting: queue.Queue[PriceOrder] = queue.Queue(1)
        self._sent: PriceOrder | None = None

    def give(self, value: Value, timeout_s: float) -> None:
        """Set a price, written ``selection=minor units``; returns once the machine's own audit shows it.

        Raises RefusedError for what the configuration does not allow, DeviceError when the machine keeps its price, or
        when nobody knows yet: its next audit will tell.
        """
        order = self._order(value, timeout_s)
        try:
            self._waiting.put_nowait(order)
        except queue.Full:
            raise DeviceError("edge.driver.vending.price-busy", device=self._device.id) from None
        if not order.wait(timeout_s):
            if not order.sent:
                raise DeviceError("edge.driver.vending.price-busy", device=self._device.id)
            where = {"device": self._device.id, "selection": order.selection, "price": order.price}
            raise DeviceError("edge.driver.vending.price-open", **where)

    def _order(self, value: Value, timeout_s: float) -> PriceOrder:
        device = self._device
        match = _FORM.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise RefusedError("edge.driver.vending.price-form", device=device.id, value=value)
        selection, price = match[1], int(match[2])
        if selection not in device.price_selections:
            allowed = ", ".join(device.price_selections) or "-"
            raise RefusedError(
                "edge.driver.vending.price-not-allowed", device=device.id, selection=selection, allowed=allowed
            )
        if not device.price_lowest <= price <= device.price_highest:
            span = {"lowest": device.price_lowest, "highest": device.price_highest}
            raise RefusedError("edge.driver.vending.price-range", device=device.id, price=price, **span)
        return PriceOrder(selection=selection, price=price, until=time.monotonic() + timeout_s)

    def take(self) -> PriceOrder | None:
        """The order to send now, if somebody still waits for it. From here on it counts as sent."""
        while self._sent is None and not self._waiting.empty():
            order = self._waiting.get_nowait()
            if time.monotonic() < order.until:
                self._sent, order.sent = order, True
                return order
        return None

    def refuse(self, error: LiandongError) -> None:
        """Nothing can be sent, or nothing is known of what was: whoever waits is told."""
        while not self._waiting.empty():
            self._waiting.get_nowait().finish(error)
        if self._sent is not None:
            self._sent.finish(error)
            self._sent = None

    def settle(self, wish: PriceWish, now: int | None) -> None:
        """The machine's audit says what it asks `now`."""
        order, self._sent = self._sent, None
        if order is None or (order.selection, order.price) != (wish.selection, wish.price):
            return
        if now == wish.price:
            order.finish()
            return
        told = {"device": self._device.id, "selection": wish.selection, "price": wish.price}
        order.finish(DeviceError("edge.driver.vending.price-kept", **told, now="-" if now is None else now))
