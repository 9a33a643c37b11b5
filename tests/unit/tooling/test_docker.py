"""The containers' configuration is one that the service accepts."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import cloud.config

DOCKER = Path(__file__).parents[3] / "docker"


def test_the_service_accepts_its_configuration() -> None:
    config = cloud.config.read(DOCKER / "cloud.toml")
    assert config.database.dsn_file == Path("/run/secrets/database_dsn")
    assert config.broker.host == "broker"
    assert config.http.secure


def test_the_proxy_on_the_server_is_believed() -> None:
    """Else all requests come from one address: the audit log says nothing, and one guesser locks everybody out."""
    compose = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    subnet = ip_network(compose.partition("subnet: ")[2].split()[0])
    assert cloud.config.read(DOCKER / "cloud.toml").http.proxies == (str(next(subnet.hosts())),)


def test_a_slow_statement_is_logged_without_what_it_carries() -> None:
    lines = (DOCKER / "database" / "postgresql.conf").read_text(encoding="utf-8").splitlines()
    assert "log_parameter_max_length = 0" in [line.partition("#")[0].strip() for line in lines]


def test_every_secret_in_use_is_handed_to_a_container() -> None:
    compose = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    config = cloud.config.read(DOCKER / "cloud.toml")
    for path in (config.database.dsn_file, config.broker.password_file):
        assert path is not None
        assert f"  {path.name}:\n    file: ./secrets/{path.name}\n" in compose
