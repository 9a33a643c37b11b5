"""The containers' configuration is one that the service accepts."""

from __future__ import annotations

from pathlib import Path

import cloud.config

DOCKER = Path(__file__).parents[3] / "docker"


def test_the_service_accepts_its_configuration() -> None:
    config = cloud.config.read(DOCKER / "cloud.toml")
    assert config.database.dsn_file == Path("/run/secrets/database_dsn")
    assert config.broker.host == "broker"
    assert config.http.secure


def test_every_secret_in_use_is_handed_to_a_container() -> None:
    compose = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    config = cloud.config.read(DOCKER / "cloud.toml")
    for path in (config.database.dsn_file, config.broker.password_file):
        assert path is not None
        assert f"  {path.name}:\n    file: ./secrets/{path.name}\n" in compose
