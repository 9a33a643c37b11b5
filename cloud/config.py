"""The service's configuration: one TOML file, every error names the key, what stands there and what is allowed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from protocols.errors import ConfigError


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseTable(_Table):
    """PostgreSQL 15–18, with or without TimescaleDB. `dsn_file` keeps a password out of this file."""

    dsn: str | None = None
    dsn_file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> DatabaseTable:
        if (self.dsn is None) == (self.dsn_file is None):
            raise ValueError("one of dsn and dsn_file")
        return self

    def resolved(self) -> str:
        """The connection string. Raises ConfigError when its file cannot be read, or it is none.

        Only here it can be refused without being shown: who connects with it says in the log what cannot be read.
        """
        key, text = "database.dsn", self.dsn
        if text is None:
            key = "database.dsn_file"
            text = secret(key, self.dsn_file)
        try:
            conninfo_to_dict(text)
        except ProgrammingError:
            raise ConfigError("cloud.config.dsn", key=key) from None
        return text


class BrokerTable(_Table):
    """The MQTT broker of the gateways.

    `state_every_s`: STATE is said again so often (s; 0: once), for a cluster whose nodes do not share what is retained.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    username: str | None = None
    password_file: Path | None = None
    state_every_s: Annotated[float, Field(ge=0, le=3600)] = 0.0

    def password(self) -> str | None:
        """Raises ConfigError when its file cannot be read."""
        return None if self.password_file is None else secret("broker.password_file", self.password_file)


class HttpTable(_Table):
    """Where pages and API listen. `secure`: pages are reached over TLS, so cookies are for TLS only.

    `proxies`: addresses and networks whose word (`X-Forwarded-For`) counts of where a request came from.
    `metrics_token_file`: who shows its content as a bearer token may read `/metrics` from anywhere.
    """

    listen: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    secure: bool = False
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    metrics_token_file: Path | None = None

    @field_validator("proxies")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(one)) if "/" in one else str(ip_address(one)) for one in proxies)

    def metrics_token(self) -> str | None:
        """Raises ConfigError when its file cannot be read, or holds nothing."""
        if self.metrics_token_file is None:
            return None
        key = "http.metrics_token_file"
        token = secret(key, self.metrics_token_file)
        if not token:
            raise ConfigError("cloud.config.secret", key=key, file=self.metrics_token_file, why="empty")
        return token


class StreetTable(_Table):
    """The street that is served."""

    time_zone: str = "Asia/Shanghai"

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("a name like Asia/Shanghai")
        return name

    def zone(self) -> ZoneInfo:
        """The street's time zone."""
        return ZoneInfo(self.time_zone)


class SimulationTable(_Table):
    """Only where the street is simulated: the socket on which things can be made to happen."""

    socket: Path


class Config(_Table):
    """The whole file. `host_id` is the Sparkplug host that gateways wait for."""

    host_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "liandong"
    database: DatabaseTable
    broker: BrokerTable = BrokerTable()
    http: HttpTable = HttpTable()
    street: StreetTable = StreetTable()
    simulation: SimulationTable | None = None


def read(path: Path) -> Config:
    """The configuration in a file; paths in it are relative to the file. Raises ConfigError."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError("cloud.config.missing", file=path) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("cloud.config.unreadable", file=path, why=error) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("cloud.config.not-toml", file=path, why=error) from error
    return parse(tables, path)


def parse(tables: dict[str, Any], path: Path) -> Config:
    """Tables of a file as its configuration. Raises ConfigError."""
    try:
        config = Config.model_validate(tables)
    except ValidationError as error:
        raise _first_fault(error, path) from error
    return config.model_copy(update=_absolute(config, path.parent.resolve()))


def secret(key: str, path: Path | None) -> str:
    """The content of a secret's file, without the line's end. Raises ConfigError."""
    assert path is not None
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("cloud.config.secret", key=key, file=path, why=error) from error


def _absolute(config: Config, base: Path) -> dict[str, _Table | None]:
    """Relative paths of the file, seen from the file's folder."""
    database, broker, simulation, http = config.database, config.broker, config.simulation, config.http
    if database.dsn_file is not None:
        database = database.model_copy(update={"dsn_file": base / database.dsn_file})
    if broker.password_file is not None:
        broker = broker.model_copy(update={"password_file": base / broker.password_file})
    if simulation is not None:
        simulation = simulation.model_copy(update={"socket": base / simulation.socket})
    if http.metrics_token_file is not None:
        http = http.model_copy(update={"metrics_token_file": base / http.metrics_token_file})
    return {"database": database, "broker": broker, "simulation": simulation, "http": http}


def _first_fault(error: ValidationError, path: Path) -> ConfigError:
    fault = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return ConfigError("cloud.config.unknown-key", file=path, key=key, allowed=", ".join(_allowed(fault["loc"])))
    if fault["type"] == "missing":
        return ConfigError("cloud.config.needed", file=path, key=key)
    return ConfigError("cloud.config.value", file=path, key=key, value=_told(key, fault["input"]), why=fault["msg"])


def _told(key: str, value: Any) -> str:
    """A value as an error shows it: of a table its keys only, and no connection string: both may hold a password."""
    if isinstance(value, Mapping):
        return f"[{', '.join(sorted(value))}]"
    return "…" if key.startswith("database") else str(value)


def _allowed(location: tuple[int | str, ...]) -> list[str]:
    tables: dict[str, type[_Table]] = {
        "database": DatabaseTable,
        "broker": BrokerTable,
        "http": HttpTable,
        "street": StreetTable,
        "simulation": SimulationTable,
    }
    table = tables[str(location[0])] if len(location) > 1 else Config
    return sorted(table.model_fields)
