"""The service's configuration: what is wrong is named, with what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.config import read
from cloud.identity.limits import Limit
from protocols.errors import ConfigError, RefusedError

GOOD = """
host_id = "liandong"
[database]
dsn = "postgresql://x"
"""


def _read(tmp_path: Path, text: str) -> str:
    path = tmp_path / "cloud.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as fault:
        read(path)
    assert fault.value.exit_code == 2
    return str(fault.value)


def test_defaults(tmp_path: Path) -> None:
    path = tmp_path / "cloud.toml"
    path.write_text(GOOD, "utf-8")
    config = read(path)
    assert (config.http.listen, config.http.port, config.street.time_zone) == ("127.0.0.1", 8080, "Asia/Shanghai")
    assert config.database.resolved() == "postgresql://x"
    assert config.simulation is None


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cloud.toml"
    (tmp_path / "dsn").write_text("postgresql://y\n", "utf-8")
    path.write_text('[database]\ndsn_file = "dsn"\n[simulation]\nsocket = "s"\n', "utf-8")
    config = read(path)
    assert config.database.resolved() == "postgresql://y"
    assert config.simulation is not None
    assert config.simulation.socket == tmp_path / "s"


def test_who_is_believed_and_who_may_watch(tmp_path: Path) -> None:
    path = tmp_path / "cloud.toml"
    (tmp_path / "token").write_text("t0ken\n", "utf-8")
    path.write_text(GOOD + '[http]\nproxies = ["10.0.0.0/8", "::0001"]\nmetrics_token_file = "token"', "utf-8")
    http = read(path).http
    assert (http.proxies, http.metrics_token()) == (("10.0.0.0/8", "::1"), "t0ken")
    (tmp_path / "token").write_text("\n", "utf-8")
    with pytest.raises(ConfigError):  # an empty token would let everybody in
        http.metrics_token()


@pytest.mark.parametrize(
    "text",
    [
        '[database]\ndsn = "postgresql://u:hush@h/d"\ndsn_file = "x"',
        '[database]\ndsn = ["postgresql://u:hush@h/d"]',
        'database = "postgresql://u:hush@h/d"',
    ],
)
def test_no_fault_shows_a_password(tmp_path: Path, text: str) -> None:
    said = _read(tmp_path, text)
    assert "database" in said
    assert "hush" not in said


@pytest.mark.parametrize("table", ['dsn = "postgresql//u:hush@h/d"', 'dsn_file = "dsn"'])
def test_what_is_no_connection_string_is_refused_unseen(tmp_path: Path, table: str) -> None:
    (tmp_path / "dsn").write_text("postgresql//u:hush@h/d", "utf-8")
    (tmp_path / "cloud.toml").write_text(f"[database]\n{table}\n", "utf-8")
    config = read(tmp_path / "cloud.toml")
    with pytest.raises(ConfigError) as fault:
        config.database.resolved()
    assert f"{table.partition(' ')[0]} is no connection string" in str(fault.value)
    assert "hush" not in str(fault.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD + "dns = 1", "there is no key database.dns. Allowed here: dsn, dsn_file"),
        (GOOD + "[htp]", "there is no key htp. Allowed here: broker, database, host_id, http, simulation, street"),
        (GOOD + "[http]\nport = 70000", "http.port = 70000"),
        (GOOD + '[http]\nproxies = ["10.0.0.1/8"]', "has host bits set"),
        (GOOD + '[http]\nproxies = ["proxy"]', "'proxy' does not appear to be an IPv4 or IPv6 address"),
        (GOOD + '[street]\ntime_zone = "Mars"', "street.time_zone = Mars"),
        ("[database]", "one of dsn and dsn_file"),
        ("", "the key database is missing"),
        ("x = ", "is not TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    sentence = _read(tmp_path, text)
    assert told in sentence
    assert "\n" not in sentence


def test_a_missing_file_and_a_missing_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no configuration file"):
        read(tmp_path / "none.toml")
    path = tmp_path / "cloud.toml"
    path.write_text('[database]\ndsn_file = "none"\n', "utf-8")
    with pytest.raises(ConfigError, match=r"database\.dsn_file"):
        read(path).database.resolved()


def test_a_limit_forgets_after_its_time_and_the_oldest_keys() -> None:
    limit = Limit(2, per_s=10, most=2)
    limit.take("a", 0)
    limit.take("a", 1)
    with pytest.raises(RefusedError) as refusal:
        limit.take("a", 2)
    assert refusal.value.params == {"seconds": 8}
    limit.take("a", 10.5)
    limit.take("b", 11)
    limit.take("c", 11)
    limit.take("a", 11)
    limit.forget("a")
    limit.take("a", 11)
