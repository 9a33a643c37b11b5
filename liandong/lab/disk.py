"""A file system of its own for a gateway, so that its disk can turn read-only or lose its power for real.

It needs root and loop devices; `Disks` says why when there are none. The mounts live in a mount namespace of the lab's
own: when its last process has ended, whatever ended it, they are gone.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

from protocols.errors import UnavailableError

_BYTES: Final = 192_000_000
_WITHIN_S: Final = 30
_CLONE_NEWNS: Final = 0x00020000
_SHUTDOWN: Final = 0x8004587D  # _IOR('X', 125, __u32), EXT4_IOC_SHUTDOWN
_WITHOUT_FLUSH: Final = 2  # EXT4_GOING_FLAGS_NOLOGFLUSH: what the journal had not written is not written


class Disks:
    """The file systems of some gateways. `why_not` is None when there are any, else why there are none."""

    def __init__(self, images: Path, homes: dict[str, Path]) -> None:
        self._images, self._homes = images, homes
        self.why_not: UnavailableError | None = None

    def make(self) -> None:
        """Make and mount them; on a machine that does not let us, `why_not` tells."""
        if os.geteuid() != 0:
            self.why_not = UnavailableError("liandong.lab.disk-not-root")
            return
        if missing := [tool for tool in ("mkfs.ext4", "e2fsck", "mount", "umount") if shutil.which(tool) is None]:
            self.why_not = UnavailableError("liandong.lab.disk-no-tools", tools=", ".join(missing))
            return
        try:
            _own_namespace()
            self._images.mkdir(mode=0o700)
            for gateway, home in self._homes.items():
                image = self._image(gateway)
                with image.open("wb") as file:
                    file.truncate(_BYTES)
                _run("mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0", str(image))
                home.mkdir(mode=0o750, exist_ok=True)
                self._mount(gateway)
        except UnavailableError as error:
            self.close()
            self.why_not = error
        except OSError as error:
            self.close()
            self.why_not = UnavailableError("liandong.lab.disk", command="unshare", why=error.strerror or error)

    def turn_read_only(self, gateway: str) -> None:
        """The kernel aborts the file system, as after an error of its device: every later write is refused."""
        _run("mount", "-o", "remount,abort", str(self._homes[gateway]))

    def lose_power(self, gateway: str) -> None:
        """What had not been synced by now never reaches the disk."""
        folder = os.open(self._homes[gateway], os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _SHUTDOWN, struct.pack("I", _WITHOUT_FLUSH))
        finally:
            os.close(folder)

    def start_again(self, gateway: str) -> None:
        """What a gateway does when it starts after that: check the file system and mount it. Nobody may be in it."""
        _run("umount", str(self._homes[gateway]))
        _run("e2fsck", "-p", str(self._image(gateway)), fine=(0, 1))
        self._mount(gateway)

    def close(self) -> None:
        """Unmount."""
        for home in self._homes.values():
            if home.is_mount():
                subprocess.run(["umount", "-l", str(home)], capture_output=True, check=False, timeout=_WITHIN_S)

    def _image(self, gateway: str) -> Path:
        return self._images / f"{gateway}.img"

    def _mount(self, gateway: str) -> None:
        _run("mount", "-o", "loop,errors=remount-ro", str(self._image(gateway)), str(self._homes[gateway]))


def _own_namespace() -> None:
    """Mounts of this process and its children from now on are seen by nobody else. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    _run("mount", "--make-rprivate", "/")


def _run(*words: str, fine: tuple[int, ...] = (0,)) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_WITHIN_S)
    if done.returncode not in fine:
        raise UnavailableError("liandong.lab.disk", command=" ".join(words[:2]), why=done.stderr.strip()[-200:])
