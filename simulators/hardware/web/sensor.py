"""An IP sensor: ``/status.json`` and ``/status.txt``, and whatever can be wrong with such a box.

A reading counts as observed when the next question arrives: then the one who asked has read the answer.
"""

from __future__ import annotations

import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from simulators.hardware.port import Ledger

_JOIN_S: Final = 2.0
_DRIP_S: Final = 0.2
_MOST_S: Final = 60.0

_ODD: Final[Mapping[str, tuple[int, str, bytes, *tuple[tuple[str, str], ...]]]] = {
    "redirects": (302, "text/plain", b"", ("Location", "http://127.0.0.1:9/elsewhere")),
    "refuses": (401, "text/plain", b"who are you?"),
    "garbled": (200, "application/json", b'{"sensors": ['),
    "large": (200, "application/json", b"[" + b"1," * 100_000 + b"1]"),
}

Trigger = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


class WebSensor:
    """`mode`: how it behaves: well, silent, drips, large, redirects, refuses, garbled."""

    def __init__(
        self,
        device: str,
        port: int = 0,
        *,
        ledger: Ledger,
        rng: random.Random,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.port = port
        self.mode = "well"
        self.asked: list[str | None] = []
        """The credentials of the last questions."""
        self._device, self._ledger, self._rng, self._tls = device, ledger, rng, tls
        self._lock = threading.Lock()
        self._tenths, self._counter = 231, 0
        self._shown: tuple[float, int] | None = None
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self.stopping = threading.Event()

    @property
    def devices(self) -> tuple[str, ...]:
        """The one."""
        return (self._device,)

    def start(self) -> None:
        """Listen on loopback."""
        self.stopping.clear()
        self._server = server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        server.daemon_threads = True
        if self._tls is not None:
            server.socket = self._tls.wrap_socket(server.socket, server_side=True)
        self.port = server.server_port
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="web sensor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        self.stopping.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(_JOIN_S)
            self._server = self._thread = None

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """The air gets warmer or colder."""
        with self._lock:
            self._tenths = max(100, min(350, self._tenths + self._rng.choice((-2, -1, 1, 2))))

    def triggers(self) -> Mapping[str, Trigger]:
        """``unplug`` and ``plug``; ``behave`` takes `mode`."""
        return {"unplug": self._unplug, "plug": self._plug, "behave": self._behave}

    def state(self) -> Mapping[str, Any]:
        """Temperature and counter."""
        with self._lock:
            return {"tenths": self._tenths, "counter": self._counter}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on."""
        with self._lock:
            self._tenths, self._counter = int(state.get("tenths", self._tenths)), int(state.get("counter", 0))

    def answer(self, path: str, credentials: str | None) -> tuple[str, bytes] | None:
        """Type and body of what stands at `path`; None for nothing."""
        now_ms = time.time_ns() // 1_000_000
        with self._lock:
            self.asked = [*self.asked[-9:], credentials]
            self._settle()
            self._shown = (self._tenths / 10, now_ms)
            if path == "/status.json":
                body = {"model": "IP-TH", "sensors": [{"temperature": self._tenths, "humidity": 48.5}], "lid": "shut"}
                return "application/json", json.dumps(body).encode()
            if path == "/status.txt":
                text = f"model IP-TH\ntemperature: {self._tenths / 10} C\nlid: shut\n"
                return "text/plain", text.encode()
            self._shown = None
            return None

    def _settle(self) -> None:
        shown, self._shown = self._shown, None
        if shown is not None and self.mode == "well":
            self._counter += 1
            self._ledger.observed(self._device, "temperature", self._counter, *shown)

    def _unplug(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._shown = None
        self.stop()
        return {"plugged": False}

    def _plug(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._server is None:
            self.start()
        return {"plugged": True}

    def _behave(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._shown = None
        self.mode = str(params.get("mode", "well"))
        return {"mode": self.mode}


def _handler(sensor: WebSensor) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = sensor.answer(self.path, self.headers.get("Authorization"))
            if sensor.mode == "silent":
                sensor.stopping.wait(_MOST_S)
            elif sensor.mode == "drips":
                self._drip()
            elif sensor.mode in _ODD:
                status, kind, body, *more = _ODD[sensor.mode]
                self._say(status, kind, body, *more)
            elif found is None:
                self._say(404, "text/plain", b"")
            else:
                self._say(200, *found)

        def _say(self, status: int, kind: str, body: bytes, *more: tuple[str, str]) -> None:
            self.send_response(status)
            for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), *more):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _drip(self) -> None:
            """A byte now and then, for ever: no time-out of a single read ends this."""
            self.send_response(200)
            self.end_headers()
            end = time.monotonic() + _MOST_S
            while time.monotonic() < end and not sensor.stopping.wait(_DRIP_S):
                try:
                    self.wfile.write(b" ")
                    self.wfile.flush()
                except OSError:
                    return

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
            """Nobody reads it."""

    return Handler
