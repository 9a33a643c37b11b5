"""What people do to a street: start parts anew, ask for births, move the primary host, put back a backup."""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from liandong.lab.site import Site
from protocols.errors import UnavailableError
from protocols.sparkplug.actions import Now
from protocols.sparkplug.host import rebirth_request

SECOND_HOST: Final = "liandong-second"
_WITHIN_S: Final = 60.0
_SAID_WITHIN_S: Final = 5.0


@dataclass(slots=True)
class Restart:
    """A part is asked to stop, does so in order, and is started again."""

    site: Site
    part: str

    def start(self) -> None:
        """Ask."""
        self.site.end(self.part)

    def stop(self) -> None:
        """Nothing: the supervisor is there for that."""


@dataclass(slots=True)
class Rebirth:
    """Somebody asks a gateway for its births once more, as a host does."""

    site: Site
    gateway: str

    def start(self) -> None:
        """Ask. Raises UnavailableError without a broker."""
        street = self.site.street
        now = Now(at=time.monotonic(), utc_ms=time.time_ns() // 1_000_000)
        asked = rebirth_request((self.site.group, self.gateway), now)
        client = paho.Client(CallbackAPIVersion.VERSION2, f"lab-rebirth-{secrets.token_hex(4)}")
        client.username_pw_set("cloud", street.data.secret("mqtt-cloud").read_text())
        try:
            client.connect("127.0.0.1", street.ports["broker"])
            client.loop_start()
            client.publish(asked.topic, asked.payload, qos=0).wait_for_publish(_SAID_WITHIN_S)
        except (OSError, RuntimeError) as error:  # refused; or the broker went before it was said
            raise UnavailableError("liandong.lab.nothing-to-break", part="broker") from error
        finally:
            client.disconnect()
            client.loop_stop()

    def stop(self) -> None:
        """Nothing."""


@dataclass(slots=True)
class MoveHost:
    """The cloud and all gateways get another primary host, or the first one back, and are started anew in order."""

    site: Site

    def start(self) -> None:
        """Write the configurations, then ask everybody to stop."""
        config = self.site.street.data.path / "config"
        text = (config / "cloud.toml").read_text("utf-8")
        first = re.search(r'^host_id = "(.+)"$', text, flags=re.MULTILINE)
        assert first is not None
        before = first[1]
        after = before.removesuffix("-second") if before == SECOND_HOST else SECOND_HOST
        for part, key in (("cloud", "host_id"), *((gateway, "primary_host") for gateway in self.site.gateways)):
            file = config / f"{part}.toml"
            changed = re.sub(rf'^{key} = ".+"$', f'{key} = "{after}"', file.read_text("utf-8"), flags=re.MULTILINE)
            file.write_text(changed, "utf-8")
        for part in ("cloud", *self.site.gateways):
            self.site.end(part)

    def stop(self) -> None:
        """Nothing: they are started again."""


@dataclass(slots=True)
class BackUp:
    """A copy of the database's files is made while it is down, after a kill as from a snapshot of a file system."""

    site: Site

    def start(self) -> None:
        """Copy."""
        cluster, copy = self.site.cluster, self.site.backup
        with self.site.held_down("postgres"):
            shutil.rmtree(copy, ignore_errors=True)
            _copy(cluster, copy)

    def stop(self) -> None:
        """Nothing: it is started again."""


@dataclass(slots=True)
class PutBack:
    """The database is set back to the backup, under a cloud that is running."""

    site: Site

    def start(self) -> None:
        """Put the copy in its place. Raises UnavailableError when none was made."""
        cluster, copy = self.site.cluster, self.site.backup
        if not copy.exists():
            raise UnavailableError("liandong.lab.nothing-to-break", part="backup")
        with self.site.held_down("postgres"):
            shutil.rmtree(cluster)
            _copy(copy, cluster)

    def stop(self) -> None:
        """Nothing: it is started again."""


@dataclass(slots=True)
class Wipe:
    """The database is gone: a new one is made and the estate is imported, as after a disaster without a backup."""

    site: Site

    def start(self) -> None:
        """Remove, make, import; the cloud is down meanwhile."""
        postgres = self.site.street.postgres
        with self.site.held_down("cloud"):
            with self.site.held_down("postgres"):
                shutil.rmtree(self.site.cluster)
                postgres.make()
            until = time.monotonic() + _WITHIN_S
            while not postgres.answers():
                if time.monotonic() > until:
                    raise UnavailableError("liandong.lab.no-database")
                time.sleep(0.1)
            self.site.street.import_estate()

    def stop(self) -> None:
        """Nothing: they are started again."""


def _copy(source: object, target: object) -> None:
    done = subprocess.run(["cp", "-a", str(source), str(target)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnavailableError("liandong.lab.disk", command="cp", why=done.stderr.strip()[-200:])
