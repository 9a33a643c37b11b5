"""The gateway's configuration: a TOML file, checked before anything starts.

Every fault is a ConfigError that names file, key, value and what is allowed. Paths are relative to the file.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from edge.config_faults import config_error, suggestion
from edge.drivers import FAMILIES, Families
from edge.drivers.port import DriverFamily
from protocols.errors import ConfigError
from protocols.rules import Rule

ID_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$"
M = TypeVar("M", bound=BaseModel)
Identity = Annotated[str, StringConstraints(pattern=ID_PATTERN)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GatewayTable(_Table):
    """``[gateway]``: who this is. `group` is the estate's Sparkplug group, `node` this gateway's edge node id."""

    group: Identity
    node: Identity
    data: Path = Path("data")
    name: str = ""
    timezone: str = "Asia/Shanghai"
    health_s: float = Field(default=30.0, ge=1, le=3600)


class TlsTable(_Table):
    """``[uplink.tls]``: the broker's authority, and this gateway's own certificate when the broker asks for one."""

    ca_file: Path
    cert_file: Path | None = None
    key_file: Path | None = None


class UplinkTable(_Table):
    """``[uplink]``: the broker, and how delivery is confirmed. `flush_s` and `flush_bytes` bound what a kill may cost.

    An empty `primary_host` (with plain delivery only) sends as soon as it is connected, to whoever listens.
    """

    host: str = Field(min_length=1)
    port: int = Field(default=1883, ge=1, le=65535)
    primary_host: str = Field(default="liandong", pattern=r"^$|" + ID_PATTERN)
    delivery: Literal["acknowledged", "plain"] = "acknowledged"
    username: str | None = None
    password_file: Path | None = None
    tls: TlsTable | None = None
    keepalive_s: int = Field(default=30, ge=5, le=1200)
    reconnect_s: float = Field(default=0.5, gt=0, le=5, description="longest first pause; doubles up to 60 s")
    flush_s: float = Field(default=1.0, gt=0, le=60)
    flush_bytes: int = Field(default=65536, ge=1024, le=1 << 20)


class OutboxTable(_Table):
    """``[outbox]``: how much of the disk may be used, and which share of it for what the cloud has confirmed."""

    quota_mb: float = Field(default=256, ge=0.1, le=1_000_000)
    acknowledged_share: float = Field(default=0.2, ge=0, le=0.9)


class ClockTable(_Table):
    """``[clock]``: when the system clock is believed before a time server or the primary host vouches for it.

    ``auto``: where the machine keeps the time while it is off; ``system``: always; ``synchronised``: never.
    """

    trust: Literal["auto", "system", "synchronised"] = "auto"


class PageTable(_Table):
    """``[page]``: the gateway's own status page is served where this table stands.

    `host` is an IP address of this machine. On loopback only this machine can open the page; with any other address
    everybody in that network can read it, without a password. Nothing can be changed on it.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8790, ge=1, le=65535)

    @field_validator("host")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return str(ip_address(value))


class _File(_Table):
    gateway: GatewayTable
    uplink: UplinkTable
    outbox: OutboxTable = OutboxTable()
    clock: ClockTable = ClockTable()
    page: PageTable | None = None
    driver: tuple[dict[str, Any], ...] = ()
    rule: tuple[Rule, ...] = ()


class _DriverHead(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    family: str
    name: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverEntry:
    """One ``[[driver]]`` table: its family, and its settings as the family's own model."""

    name: str
    family: DriverFamily
    settings: BaseModel


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeConfig:
    """Everything an agent needs to start. `source` is the file that it came from, for messages."""

    source: Path
    gateway: GatewayTable
    uplink: UplinkTable
    outbox: OutboxTable
    clock: ClockTable
    page: PageTable | None
    drivers: tuple[DriverEntry, ...]
    rules: tuple[Rule, ...]


def load_config(path: Path, families: Families = FAMILIES) -> EdgeConfig:
    """The configuration in the TOML file `path`. Raises ConfigError for the first fault."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError("edge.config.absent", file=path) from error
    except OSError as error:
        raise ConfigError("edge.config.unreadable", file=path, why=error.strerror or error) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("edge.config.not-toml", file=path, why=error) from error
    return parse_config(document, path, families)


def parse_config(document: dict[str, Any], source: Path, families: Families = FAMILIES) -> EdgeConfig:
    """The configuration that `document` (read from `source`) says. Raises ConfigError for the first fault."""
    base = source.resolve().parent
    file = _validated(_File, document, source, ())
    _check_timezone(file.gateway.timezone, source)
    uplink, gateway = _rebased(file.uplink, base), _rebased(file.gateway, base)
    _check_files(uplink, source)
    drivers = tuple(_driver(index, table, source, families) for index, table in enumerate(file.driver))
    _check_unique("driver", "name", [driver.name for driver in drivers], source)
    _check_unique("rule", "code", [rule.code for rule in file.rule], source)
    return EdgeConfig(
        source=source,
        gateway=gateway,
        uplink=uplink,
        outbox=file.outbox,
        clock=file.clock,
        page=file.page,
        drivers=drivers,
        rules=file.rule,
    )


def _validated(model: type[M], data: Any, source: Path, at: tuple[str | int, ...]) -> M:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise config_error(error, model, data, source, at) from error


def _driver(index: int, table: dict[str, Any], source: Path, families: Families) -> DriverEntry:
    at = ("driver", index)
    head = _validated(_DriverHead, table, source, at)
    if head.family not in families:
        raise ConfigError(
            "edge.config.not-allowed",
            file=source,
            key=f"driver[{index}].family",
            value=repr(head.family),
            allowed=", ".join(families),
            hint=suggestion(head.family, families),
        )
    family = families[head.family]()
    settings = _validated(family.config, table, source, at)
    return DriverEntry(name=head.name, family=family, settings=_rebased(settings, source.resolve().parent))


def _rebased(model: M, base: Path) -> M:
    """`model` with every Path in it, also in nested tables and lists, made absolute from `base`."""
    moved = {name: _moved(getattr(model, name), base) for name in type(model).model_fields}
    changed = {name: value for name, value in moved.items() if value is not None}
    return model.model_copy(update=changed) if changed else model


def _moved(value: object, base: Path) -> object | None:
    if isinstance(value, Path):
        return base / value.expanduser()
    if isinstance(value, BaseModel):
        moved = _rebased(value, base)
        return None if moved is value else moved
    if isinstance(value, list | tuple):
        items = [new if (new := _moved(item, base)) is not None else item for item in value]
        return type(value)(items) if any(a is not b for a, b in zip(items, value, strict=True)) else None
    return None


def _check_timezone(name: str, source: Path) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError("edge.config.timezone", file=source, key="gateway.timezone", value=repr(name)) from error


def _check_files(uplink: UplinkTable, source: Path) -> None:
    if not uplink.primary_host and uplink.delivery == "acknowledged":
        raise ConfigError("edge.config.no-primary-host", file=source, key="uplink.primary_host")
    tls = uplink.tls
    named = {"uplink.password_file": uplink.password_file}
    if tls is not None:
        named |= {"uplink.tls.ca_file": tls.ca_file, "uplink.tls.cert_file": tls.cert_file}
        named |= {"uplink.tls.key_file": tls.key_file}
        if (tls.cert_file is None) != (tls.key_file is None):
            raise ConfigError("edge.config.certificate-pair", file=source, key="uplink.tls")
    for key, path in named.items():
        if path is not None and not path.is_file():
            raise ConfigError("edge.config.file-missing", file=source, key=key, value=str(path))
    if uplink.password_file is not None and uplink.username is None:
        raise ConfigError("edge.config.missing", file=source, key="uplink.username")


def _check_unique(table: str, field: str, names: list[str], source: Path) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            key = f"{table}[{index}].{field}"
            raise ConfigError("edge.config.twice", file=source, key=key, value=repr(name))
