"""A passive conformance monitor: Sparkplug 3.0.0 traffic goes in, broken rules come out by their id."""

from protocols.sparkplug.monitor.monitor import Monitor
from protocols.sparkplug.monitor.rules import Connect, Rule, Violation

__all__ = ["Connect", "Monitor", "Rule", "Violation"]
