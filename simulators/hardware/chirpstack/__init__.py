"""LoRaWAN sensors behind a stand-in for ChirpStack on the gateway's field broker."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from simulators.hardware.chirpstack.devices import LoraDevice, make_device
from simulators.hardware.chirpstack.server import NetworkServer
from simulators.hardware.field_client import FieldBroker
from simulators.hardware.port import Ledger

__all__ = ["LoraDevice", "NetworkServer", "make", "make_device"]


class _Device(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    model: str
    dev_eui: str = Field(pattern=r"^[0-9a-f]{16}$")
    every_s: float = Field(default=600.0, gt=0)


class _Settings(FieldBroker):
    topic_prefix: str = ""
    device: tuple[_Device, ...] = Field(min_length=1)


def make(settings: Mapping[str, Any], rng: random.Random, ledger: Ledger) -> NetworkServer:
    """The network server of a ``[[hardware]]`` table: `device` rows (`id`, `model`, `dev_eui`), and the broker.

    Raises ConfigError for a model without a stand-in and for a password file that cannot be read.
    """
    read = _Settings.model_validate(settings)
    devices = [make_device(row.id, row.model, row.dev_eui, rng, every_s=row.every_s) for row in read.device]
    return NetworkServer(read, devices, ledger=ledger, rng=rng, topic_prefix=read.topic_prefix)
