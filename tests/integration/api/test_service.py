"""`liandong cloud …` as processes: one sentence and an exit code for what is wrong, a clean stop, the links."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from cloud.storage.database import Database
from tests.integration.api.conftest import ESTATE, wait_for
from tests.services.ports import free_port


def _config(folder: Path, dsn: str, port: int = 0) -> Path:
    path = folder / "cloud.toml"
    http = f'[http]\nport = {port}\nproxies = ["::1"]\n'
    path.write_text(f'[database]\ndsn = "{dsn}"\n[broker]\nport = 1\n{http}', "utf-8")
    return path


def _liandong(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "liandong", *map(str, words)]
    environment = os.environ | {"LIANDONG_LANG": "en"}
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)


def _sentence(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("liandong: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


@contextmanager
def _running(config: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "liandong", "cloud", "run", "--config", str(config)]
    with (config.parent / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_for(lambda: _healthy(port), 60)
            yield process
        finally:
            process.kill()


def _healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    return free_port()


def test_import_link_run_kill_run_stop(postgres: str, tmp_path: Path, port: int) -> None:
    config = _config(tmp_path, postgres, port)
    first = _liandong("cloud", "import", "--config", config, ESTATE)
    assert first.returncode == 0, first.stderr
    assert "People: 3 new, 0 changed, 0 as they were" in first.stdout
    assert "People: 0 new, 0 changed, 3 as they were" in _liandong("cloud", "import", "--config", config, ESTATE).stdout

    links = json.loads(_liandong("cloud", "link", "--config", config, "--json", "--all", "--url", "http://x/").stdout)
    assert [(link["login"], link["roles"]) for link in links] == [
        ("chenjing", ["administrator", "operator"]),
        ("liming", ["volunteer"]),
        ("wangfang", ["volunteer"]),
    ]
    token = links[0]["url"].removeprefix("http://x/in#")
    status = _liandong("cloud", "status", "--config", config, "--json")
    assert (status.returncode, json.loads(status.stdout)["ok"]) == (0, True)

    base = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=base, headers={"Origin": base}) as browser:
        with _running(config, port) as process:
            made_up = {"X-Forwarded-For": "203.0.113.7"}  # from here, which is no proxy, nobody is believed
            signed_in = browser.post("/api/v1/session/link", json={"token": token}, headers=made_up)
            assert signed_in.status_code == 200
            with psycopg.connect(postgres) as connection:
                rows = connection.execute("SELECT address FROM audit WHERE action = 'sign-in.link'").fetchall()
            assert rows == [("127.0.0.1",)]
            process.kill()
        with _running(config, port) as process:  # nothing of the session was in the process
            assert browser.get("/api/v1/session").json()["person"]["login"] == "chenjing"
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0  # it came back from `close`, and was not ended by the signal
    assert b"Traceback" not in (tmp_path / "log").read_bytes()
    known = _liandong("cloud", "status", "--config", config).stdout
    assert f"/{process.pid}:" not in known, known  # it has given its share back


def test_it_stops_while_it_waits_for_the_database(tmp_path: Path) -> None:
    config = _config(tmp_path, "postgresql://127.0.0.1:1/x?connect_timeout=1")
    command = [sys.executable, "-m", "liandong", "cloud", "run", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()  # that it cannot connect; so it is past its beginning
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0, said
            assert b"Traceback" not in process.stderr.read()
        finally:
            process.kill()


def test_a_port_in_use(postgres: str, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1]
        done = _liandong("cloud", "run", "--config", _config(tmp_path, postgres, number))
        assert f"127.0.0.1 port {number}" in _sentence(done, 2)


def test_a_database_of_a_newer_version(postgres: str, tmp_path: Path) -> None:
    config = _config(tmp_path, postgres)
    assert _liandong("cloud", "migrate", "--config", config).returncode == 0
    database = Database(postgres)
    database.open()
    with database.transaction() as tx:
        columns = "(number, name, checksum)"
        tx.execute(f"INSERT INTO schema_history {columns} VALUES (999, '999_future.sql', 'x')")
    database.close()
    assert "newer version" in _sentence(_liandong("cloud", "run", "--config", config), 1)


def test_a_database_that_is_away(tmp_path: Path) -> None:
    config = _config(tmp_path, "postgresql://127.0.0.1:1/x?connect_timeout=1")
    status = _liandong("cloud", "status", "--config", config)
    assert status.returncode == 1
    assert "does not answer" in status.stdout
    assert "does not answer" in _sentence(_liandong("cloud", "migrate", "--config", config), 1)


def test_wrong_words(postgres: str, tmp_path: Path) -> None:
    config = _config(tmp_path, postgres)
    assert _liandong("cloud", "migrate", "--config", config).returncode == 0
    assert "Nobody has the login" in _sentence(_liandong("cloud", "link", "--config", config, "nobody"), 1)
    assert "LOGIN or --all" in _sentence(_liandong("cloud", "link", "--config", config), 1)
    assert "no configuration file" in _sentence(_liandong("cloud", "run", "--config", tmp_path / "none"), 2)
