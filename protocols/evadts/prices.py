"""Prices for a machine: the configuration that a data carrier sends, and what a machine reads from one.

One record per selection, ``PC1*<selection>*<price in minor units>`` (EVA-DTS 6.2, PC101, PC102, example in 4.7; tried
on no real machine). What else stands in a PC1 is left to the machine.
"""

from __future__ import annotations

from collections.abc import Mapping

from protocols.evadts.reader import read
from protocols.evadts.writer import write


def price_set(prices: Mapping[str, int], *, communication_id: str) -> bytes:
    """The configuration that sets `prices` (selection → minor units). `communication_id` is the carrier's.

    Raises ProtocolError for a selection that cannot stand in a field.
    """
    return write([("PC1", (number, price)) for number, price in prices.items()], communication_id=communication_id)


def prices_of(configuration: bytes) -> dict[str, int] | None:
    """The prices that a configuration sets; None for one that is damaged or holds none that can be read."""
    found = read(configuration)
    prices = {record.word("selection"): record.minor("price") for record in found.of("PC1")}
    if not found.ok or not prices or any(not number or price is None for number, price in prices.items()):
        return None
    return {number: price for number, price in prices.items() if price is not None}
