"""Free ports, and waiting until a service answers on one."""

from __future__ import annotations

import socket
import subprocess
import time

from liandong.up.layout import free_port

__all__ = ["LOOPBACK", "end", "free_port", "is_open", "wait_until_open"]

LOOPBACK = "127.0.0.1"


def is_open(port: int) -> bool:
    """Whether something accepts connections on the port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0):
            return True
    except OSError:
        return False


def wait_until_open(port: int, process: subprocess.Popen[bytes], timeout_s: float = 20.0) -> None:
    """Wait until the process listens. Raises RuntimeError when it ends or stays silent."""
    deadline = time.monotonic() + timeout_s
    while not is_open(port):
        if process.poll() is not None:
            raise RuntimeError(
                f"{process.args!r} ended with exit code {process.returncode} before it listened on port {port}"
            )
        if time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} did not listen on port {port} within {timeout_s} s")
        time.sleep(0.02)


def end(process: subprocess.Popen[bytes], timeout_s: float = 10.0) -> None:
    """Ask a process to end, insist when it does not, and collect it."""
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout_s)
