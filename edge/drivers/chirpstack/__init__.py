"""LoRaWAN sensors through ChirpStack v4 on the gateway's own broker (see ``sample.toml``)."""

from edge.drivers.chirpstack.config import ChirpstackConfig
from edge.drivers.chirpstack.driver import ChirpstackDriver
from edge.drivers.port import DriverFamily

__all__ = ["FAMILY", "ChirpstackConfig", "ChirpstackDriver"]

FAMILY = DriverFamily(name="chirpstack", config=ChirpstackConfig, make=ChirpstackDriver)
