"""One MQTT session of the cloud: a socket, a thread that reads it, and packets that leave from whoever sends them.

A worker hears thousands of messages a second, so what the broker has sent is read in large pieces: a client library
that reads a packet by several small ones takes more of the interpreter than decoding does, and waits for its lock each
time. Clean sessions on MQTT 3.1.1 (OASIS, chapter 3); QoS 2 is never asked for.
"""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from protocols import mqtt
from protocols.errors import ProtocolError
from protocols.sparkplug.actions import Publish

_LOG: Final = logging.getLogger("liandong.cloud.link")
_CONNECT_S: Final = 5.0
_LEAVE_S: Final = 2.0
_HANG_UP_S: Final = 0.5
_PATIENCE: Final = 1.5
"""Keep-alive intervals without a word, though it was asked, after which a broker is gone."""
_CHUNK: Final = 1 << 18
_MOST_UNSENT: Final = 8 * 1024 * 1024
"""Bytes that wait for a broker that does not read; beyond, what is published is not taken."""
_NUMBERS: Final = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where the broker is, and how to sign in to it. TLS when `ca_file` is given; paths are of PEM files."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    keepalive_s: int = 15


class Listener(Protocol):
    """Whom a session tells what happens, in its thread."""

    def welcomed(self, client: Client) -> None:
        """The broker has let us in."""

    def confirmed(self, number: int, *, refused: bool) -> None:
        """The broker has answered a SUBSCRIBE or UNSUBSCRIBE."""

    def heard(self, message: mqtt.Received) -> None:
        """A message. While this waits nothing is read, so the broker waits too; pings go on between messages."""

    def ended(self, why: str) -> None:
        """The session is over; nothing comes after this."""


class Client:
    """From `open` to `close`, once. Sending is for any thread and never waits for the broker."""

    def __init__(self, broker: Broker, client_id: str, will: Publish | None, listener: Listener) -> None:
        self._broker = broker
        self._client_id = client_id
        self._will = will
        self._listener = listener
        self._stream = mqtt.Stream()
        self._using = threading.Lock()
        """Held around each read and write, which never wait: TLS may not do both at once."""
        self._unsent = bytearray()
        self._number = 0
        self._ending = threading.Event()
        self._sent_at = self._heard_at = self._asked_at = 0.0
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name=client_id, daemon=True)

    def open(self) -> None:
        """Connect and say who we are; `Listener.welcomed` follows. Raises OSError; then `close` need not be called."""
        try:
            self._socket = self._connected()
        except (OSError, ValueError):
            self._release()
            raise
        self._socket.setblocking(False)
        for one in (self._woken, self._waker):
            one.setblocking(False)
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._heard_at = self._sent_at = time.monotonic()
        will = self._will
        told = mqtt.Will(topic=will.topic, payload=will.payload, qos=will.qos, retain=will.retain) if will else None
        user, password = self._broker.username, self._broker.password
        hello = mqtt.connect(
            self._client_id, keepalive_s=self._broker.keepalive_s, user=user, password=password, will=told
        )
        self._send(hello)
        self._thread.start()

    def publish(self, message: Publish) -> bool:
        """Send a message; False when the session is over, or the broker reads too slowly."""
        number = self._next_number() if message.qos else 0
        packet = mqtt.publish(message.topic, message.payload, qos=message.qos, number=number, retain=message.retain)
        return self._send(packet)

    def subscribe(self, filters: Sequence[str], qos: int) -> int:
        """Ask for these; the number that the answer will have, -1 when it could not be sent."""
        number = self._next_number()
        return number if self._send(mqtt.subscribe(number, filters, qos)) else -1

    def unsubscribe(self, filters: Sequence[str]) -> int:
        """Give these back; as `subscribe`."""
        number = self._next_number()
        return number if self._send(mqtt.unsubscribe(number, filters)) else -1

    def close(self) -> None:
        """Leave in order, after what was sent before; bounded. Not from the session's own thread."""
        until = time.monotonic() + _LEAVE_S
        while self._unsent and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.005)
        self._send(mqtt.DISCONNECT)
        self._ending.set()
        self._wake()
        self._thread.join(_CONNECT_S)
        self._release()

    def _connected(self) -> socket.socket:
        broker = self._broker
        plain = socket.create_connection((broker.host, broker.port), timeout=_CONNECT_S)
        # Without this an acknowledgement may wait 40 ms for the broker's TCP to acknowledge the one before.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if broker.ca_file is None:
            return plain
        try:
            context = ssl.create_default_context(cafile=broker.ca_file)
            if broker.cert_file is not None:
                context.load_cert_chain(broker.cert_file, broker.key_file)
            return context.wrap_socket(plain, server_hostname=broker.host)
        except (OSError, ValueError):
            plain.close()
            raise

    def _release(self) -> None:
        with self._using:
            self._selector.close()
            for one in (self._woken, self._waker):
                one.close()

    def _run(self) -> None:
        why = ""
        try:
            while not self._ending.is_set():
                self._step()
        except (OSError, ProtocolError) as error:
            why = str(error) or type(error).__name__
        finally:
            self._ending.set()
            self._hang_up()
            self._listener.ended(why)

    def _hang_up(self) -> None:
        """Close; what the broker still sends is read before, or it would lose our last words with the connection."""
        with self._using, suppress(OSError):
            self._socket.setblocking(True)
            self._socket.settimeout(_HANG_UP_S)
            self._socket.shutdown(socket.SHUT_WR)
            until = time.monotonic() + _HANG_UP_S
            while time.monotonic() < until and self._socket.recv(_CHUNK):
                pass
        self._socket.close()

    def _step(self) -> None:
        for key, _ in self._selector.select(1.0):
            if key.fileobj is self._woken:
                with suppress(BlockingIOError):
                    self._woken.recv(_CHUNK)
        quiet = True
        self._write()
        while data := self._read():
            quiet, self._heard_at, left_out = False, time.monotonic(), self._stream.left_out
            for head, body in self._stream.feed(data):
                self._take(head, body)
                self._keep_alive()
                if self._ending.is_set():
                    return
            if self._stream.left_out > left_out:
                _LOG.warning("message-too-long client=%s most=%d; left out", self._client_id, mqtt.MOST_BYTES)
            self._write()
        self._keep_alive()
        if quiet and time.monotonic() - self._heard_at > _PATIENCE * self._broker.keepalive_s:
            raise TimeoutError("no answer to a ping")

    def _read(self) -> bytes:
        """What has come; empty when that is nothing. Raises OSError when the broker has gone."""
        with self._using:
            try:
                data = self._socket.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return b""
        if not data:
            raise ConnectionResetError("closed by the broker")
        return data

    def _send(self, packet: bytes) -> bool:
        with self._using:
            if self._ending.is_set() or len(self._unsent) > _MOST_UNSENT:
                return False
            self._unsent += packet
        self._write()
        return True

    def _write(self) -> None:
        """Send what waits, as far as the broker takes it now; the rest when it is ready for more."""
        with self._using:
            if not self._unsent or self._ending.is_set():
                return
            try:
                while self._unsent:
                    del self._unsent[: self._socket.send(self._unsent)]
                self._sent_at = time.monotonic()
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except OSError:
                return  # the reading thread sees it, too, and tells
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
            if self._selector.get_key(self._socket).events != wanted:
                self._selector.modify(self._socket, wanted)
                self._wake()

    def _wake(self) -> None:
        with suppress(OSError):
            self._waker.send(b"\x00")

    def _next_number(self) -> int:
        with self._using:
            self._number = self._number % _NUMBERS + 1
            return self._number

    def _keep_alive(self) -> None:
        """Say something before the broker gives us up, also while what it sent has to wait."""
        now = time.monotonic()
        if now - max(min(self._sent_at, self._heard_at), self._asked_at) >= self._broker.keepalive_s / 2:
            self._asked_at = now
            self._send(mqtt.PINGREQ)

    def _take(self, head: int, body: bytes) -> None:
        kind = head >> 4
        if kind == mqtt.PUBLISH:
            message = mqtt.received(head, body)
            self._listener.heard(message)
            if message.qos == 1:
                self._send(mqtt.puback(message.number))
        elif kind == mqtt.CONNACK:
            if len(body) < 2 or body[1]:
                raise ConnectionRefusedError(f"refused: {body[1] if len(body) > 1 else body!r}")
            self._listener.welcomed(self)
        elif kind in (mqtt.SUBACK, mqtt.UNSUBACK):
            refused = kind == mqtt.SUBACK and any(code & 0x80 for code in body[2:])
            self._listener.confirmed(int.from_bytes(body[:2], "big"), refused=refused)
