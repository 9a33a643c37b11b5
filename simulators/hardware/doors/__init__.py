"""Doors with OSDP readers."""

from __future__ import annotations

from simulators.hardware.doors.door import Door

__all__ = ["Door"]
