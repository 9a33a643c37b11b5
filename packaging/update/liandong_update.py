#!/usr/bin/env python3
"""Change the version of a gateway's agent, and go back by itself when the new one does not become healthy.

    <root>/versions/<name>   one virtual environment per version, side by side
    <root>/current           a symbolic link to the one that runs; replaced in one step
    <root>/previous          the one before, for `rollback`

A new version is healthy when the agent runs and nothing is wrong that was not wrong before (`liandong edge doctor`).
Only the standard library is used: the script must work when no version does. Exit codes: 0 done, 1 went back or failed,
2 used wrongly.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path("/opt/liandong")
CONFIG: Final = Path("/etc/liandong/gateway.toml")
RESTART: Final = "systemctl restart liandong-edge"
HOLD_S: Final = 180.0
EVERY_S: Final = 2.0
_STEADY: Final = 3
"""So many good answers in a row count as healthy: an agent that restarts again and again gives one now and then."""
_LOOK_S: Final = 60.0
_KEPT: Final = 3

CHINESE: Final = any(
    os.environ.get(name, "").startswith("zh") for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)
)
SENTENCES: Final = {
    "about": ("change the version of the gateway's agent", "更换网关代理程序的版本"),
    "busy": ("another update is under way", "另一个更新正在进行"),
    "made": ("{name} is installed beside the others", "{name} 已安装，与其他版本并存"),
    "not-made": ("{name} could not be installed; nothing was changed", "{name} 安装失败；没有做任何更改"),
    "in-use": (
        "{name} runs now, or is what rollback goes to; give this version another name. Nothing was changed",
        "{name} 正在运行，或是回退的目标；请为此版本另取名称。没有做任何更改",
    ),
    "unfit": (
        "{name} cannot use this gateway's configuration; nothing was changed: {why}",
        "{name} 无法使用本网关的配置；没有做任何更改：{why}",
    ),
    "switched": ("{name} runs now; waiting until it is healthy", "{name} 已启动，等待其恢复正常"),
    "healthy": ("{name} is healthy", "{name} 运行正常"),
    "back": (
        "{name} did not become healthy ({why}); going back to {old}",
        "{name} 未能正常运行（{why}）；回退到 {old}",
    ),
    "back-healthy": ("{old} runs again and is healthy", "{old} 已恢复运行，状态正常"),
    "back-ill": (
        "{old} runs again and is not healthy, either ({why}): look at journalctl -u liandong-edge",
        "{old} 已恢复运行，但仍不正常（{why}）：请查看 journalctl -u liandong-edge",
    ),
    "no-previous": ("there is no version to go back to", "没有可回退的版本"),
    "no-answer": ("the doctor gave no answer", "检查没有结果"),
    "restart-failed": ("the restart failed", "重启失败"),
    "stopped": ("the agent does not run", "代理程序没有运行"),
}


def say(key: str, **values: object) -> str:
    """The sentence in the language of the terminal."""
    return SENTENCES[key][CHINESE].format(**values)


class Gateway:
    """The versions of one gateway, and how its agent is restarted and asked."""

    def __init__(self, root: Path, config: Path, restart: Sequence[str], hold_s: float, every_s: float) -> None:
        self.root, self.config, self._restart = root, config, restart
        self._hold_s, self._every_s = hold_s, every_s
        self.versions, self.current, self.previous = root / "versions", root / "current", root / "previous"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One update at a time. Raises SystemExit."""
        self.versions.mkdir(parents=True, exist_ok=True)
        with (self.root / "update.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                sys.exit(say("busy"))
            yield

    def uses(self, name: str) -> bool:
        """Whether `name` runs, or would after a rollback: to make it anew begins with its removal."""
        links = (self.current, self.previous)
        return any(link.is_symlink() and link.resolve() == (self.versions / name).resolve() for link in links)

    def make(self, name: str, install: Sequence[str]) -> Path | None:
        """The version `name` as a virtual environment of its own; None when it cannot be made.

        `install` is a command with ``{python}`` for the environment's; the environment has pip only where it is used.
        """
        target = self.versions / name
        python = target / "bin" / "python"
        try:
            if target.exists():
                shutil.rmtree(target)
            subprocess.run(
                [sys.executable, "-m", "venv", *([] if "pip" in install else ["--without-pip"]), str(target)],
                check=True,
            )
            subprocess.run([part.replace("{python}", str(python)) for part in install], check=True)
            subprocess.run([str(target / "bin" / "liandong"), "--version"], check=True, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
            shutil.rmtree(target, ignore_errors=True)
            return None
        return target

    def look(self, version: Path) -> tuple[dict[str, Any] | None, str]:
        """What `version`'s doctor finds; None and the reason when it finds nothing."""
        command = [str(version / "bin" / "liandong"), "edge", "doctor", "--json", "--config", str(self.config)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LOOK_S, check=False)
            return json.loads(done.stdout), ""
        except (OSError, ValueError, subprocess.TimeoutExpired):
            return None, say("no-answer")

    def switch(self, version: Path) -> bool:
        """Let `version` run. The link is replaced in one step, so that a power cut leaves the old or the new one."""
        before = self.current.resolve() if self.current.is_symlink() else None
        if before is not None and before != version.resolve():
            self._link(self.previous, before)
        self._link(self.current, version)
        return subprocess.run(self._restart, check=False).returncode == 0

    def before_was(self, version: Path | None) -> None:
        """What `rollback` goes to from now on."""
        if version is None:
            self.previous.unlink(missing_ok=True)
        else:
            self._link(self.previous, version)

    def healthy(self, version: Path, wrong_before: set[str], hold_s: float = 0.0) -> str:
        """Wait until `version` is healthy; empty, or what is the matter when the time (at least `hold_s`) is over."""
        end = time.monotonic() + max(self._hold_s, hold_s)
        good, why = 0, say("no-answer")
        while good < _STEADY:
            if time.monotonic() >= end:
                return why
            time.sleep(self._every_s)
            found, why = self.look(version)
            if found is not None:
                new = sorted(wrong(found) - wrong_before)
                why = "" if found["running"] and not new else ", ".join(new) or say("stopped")
            good = 0 if why else good + 1
        return ""

    def tidy(self) -> None:
        """Leave the newest versions, and never remove what runs or ran before."""
        kept = {link.resolve() for link in (self.current, self.previous) if link.is_symlink()}
        by_age = sorted(
            (path for path in self.versions.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
        )
        for path in by_age[:-_KEPT]:
            if path.resolve() not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def _link(self, link: Path, target: Path) -> None:
        fresh = link.with_name(f"{link.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        fresh.replace(link)
        directory = os.open(link.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def wrong(found: dict[str, Any]) -> set[str]:
    """The names of the checks that are wrong."""
    return {check["name"] for check in found["checks"] if check["grade"] == "wrong"}


def change(gateway: Gateway, version: Path) -> int:
    """Go to `version`, and back when it is not healthy in time."""
    old = gateway.current.resolve() if gateway.current.is_symlink() else None
    earlier = gateway.previous.resolve() if gateway.previous.is_symlink() else None
    before = None if old is None else gateway.look(old)[0]
    fits, why = gateway.look(version)
    if fits is None:
        print(say("unfit", name=version.name, why=why), file=sys.stderr)
        return 1
    known = set() if before is None else wrong(before)
    why = "" if gateway.switch(version) else say("restart-failed")
    print(say("switched", name=version.name))
    why = why or gateway.healthy(version, known)
    if not why:
        print(say("healthy", name=version.name))
        gateway.tidy()
        return 0
    if old is None:
        print(say("back-ill", old=version.name, why=why), file=sys.stderr)
        return 1
    print(say("back", name=version.name, old=old.name, why=why), file=sys.stderr)
    gateway.switch(old)
    gateway.before_was(earlier)
    still = gateway.healthy(old, known, HOLD_S)  # there is nothing else to try: waiting costs nothing
    print(say("back-ill", old=old.name, why=still) if still else say("back-healthy", old=old.name), file=sys.stderr)
    return 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    parser = argparse.ArgumentParser(
        description=say("about"), epilog=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=ROOT)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--restart", default=RESTART, metavar="COMMAND")
    parser.add_argument("--hold", type=float, default=HOLD_S, metavar="SECONDS")
    parser.add_argument("--every", type=float, default=EVERY_S, metavar="SECONDS")
    commands = parser.add_subparsers(dest="command", required=True)
    install = commands.add_parser("install", help="NAME PACKAGE [pip options]")
    install.add_argument("name", help="0.2.0")
    install.add_argument("package", nargs=argparse.REMAINDER, help="liandong-0.2.0-py3-none-any.whl[edge]")
    install.add_argument("--with", dest="installer", default="{python} -m pip install --quiet", metavar="COMMAND")
    commands.add_parser("rollback")
    args = parser.parse_args(arguments)
    gateway = Gateway(args.root, args.config, shlex.split(args.restart), args.hold, args.every)
    with gateway.locked():
        if args.command == "rollback":
            if not gateway.previous.is_symlink():
                print(say("no-previous"), file=sys.stderr)
                return 1
            return change(gateway, gateway.previous.resolve())
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", args.name):
            parser.error(args.name)
        if gateway.uses(args.name):
            print(say("in-use", name=args.name), file=sys.stderr)
            return 1
        version = gateway.make(args.name, [*shlex.split(args.installer), *args.package])
        if version is None:
            print(say("not-made", name=args.name), file=sys.stderr)
            return 1
        print(say("made", name=args.name))
        return change(gateway, version)


if __name__ == "__main__":
    sys.exit(main())
