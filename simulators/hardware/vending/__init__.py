"""A vending machine with spirals, a coin changer, a card reader and a cooled cabinet, wire-true on a DEX line."""

from simulators.hardware.vending.machine import VendingMachine
from simulators.hardware.vending.memory import Memory, Selection
from simulators.hardware.vending.settings import make

__all__ = ["Memory", "Selection", "VendingMachine", "make"]
