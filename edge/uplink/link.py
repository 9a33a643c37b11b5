"""One connection to the broker: MQTT 3.1.1 through paho, whose network thread puts everything into `Signals`.

3.1.1 with a clean session is what every broker speaks; nothing that the uplink needs exists in MQTT 5 only.
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.config import UplinkTable
from edge.uplink.signals import Connected, Disconnected, Message, Signals, Subscribed, Written
from protocols.errors import UnavailableError
from protocols.sparkplug.actions import Publish, Subscribe

CONNECT_S: Final = 10.0
GOODBYE_S: Final = 2.0
_NOT_LET_IN: Final = ("Bad user name or password", "Not authorized")
_NO_CHECK_TIME: Final = ssl.VerifyFlags(0x200000)
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which Python has no name."""


class Link:
    """A connection from CONNECT to its end; then it is thrown away (every CONNECT has a will of its own)."""

    def __init__(
        self,
        settings: UplinkTable,
        client_id: str,
        will: Publish,
        signals: Signals,
        *,
        written: bool,
        utc_ms: int | None = None,
    ) -> None:
        """Connect. With `written` every publish is told once it left the process.

        `utc_ms` is given when the system clock is wrong: the broker's certificate must be valid at that time. 0: nobody
        knows the time, perhaps this very broker leads to who does; then validity has no dates, all else is checked.
        Raises UnavailableError when the broker cannot be reached; its answer comes as a signal.
        """
        self._settings, self._signals = settings, signals
        self._ended = threading.Event()
        self._socket: socket.socket | None = None
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        self._client = client
        client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.connect_timeout = CONNECT_S
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_message, client.on_subscribe = self._on_message, self._on_subscribe
        client.on_socket_open = self._on_socket_open
        if written:
            client.on_publish = self._on_publish
        try:
            authenticate(client, settings, by_system_clock=utc_ms is None)
            client.connect(settings.host, settings.port, settings.keepalive_s)
            self._valid = validity(client)
            if utc_ms:
                self.check(utc_ms)
        except (OSError, ValueError) as error:
            raise unreachable(settings, error, CONNECT_S) from error
        except UnavailableError:
            peer = client.socket()
            client.disconnect()
            if peer is not None:
                peer.close()
            raise
        client.loop_start()

    def check(self, utc_ms: int) -> None:
        """Hold the broker's certificate against the right time. Raises UnavailableError."""
        if self._valid is not None and not self._valid[0] <= utc_ms / 1000 <= self._valid[1]:
            raise UnavailableError(
                "edge.uplink.broker-away",
                host=self._settings.host,
                port=self._settings.port,
                why="certificate has expired or is not yet valid",
            )

    @property
    def valid_until_ms(self) -> int | None:
        """Until when the broker's certificate is valid (ms since 1970); None without TLS."""
        return None if self._valid is None else self._valid[1] * 1000

    def publish(self, message: Publish) -> int:
        """Hand a message to the network thread; never blocks. Returns its packet id."""
        return self._client.publish(message.topic, message.payload, message.qos, message.retain).mid

    def subscribe(self, wanted: Subscribe) -> None:
        """Ask for `wanted` in one packet."""
        self._client.subscribe([(topic, wanted.qos) for topic in wanted.filters])

    def close(self) -> None:
        """Send what was handed over, then DISCONNECT (the will is dropped); at most `GOODBYE_S`."""
        if not self._ended.is_set() and self._client.disconnect() is MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._ended.wait(GOODBYE_S)
        if not self._ended.is_set() and self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    def _on_connect(
        self, client: Client, userdata: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._signals.put(Connected(refused=str(reason) if reason.is_failure else None))

    def _on_disconnect(
        self, client: Client, userdata: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._ended.set()
        self._signals.put(Disconnected(why=str(reason)))

    def _on_subscribe(
        self, client: Client, userdata: Any, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        refused = next((str(reason) for reason in reasons if reason.is_failure), None)
        self._signals.put(Subscribed(refused=refused))

    def _on_message(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        self._signals.put(Message(topic=message.topic, payload=bytes(message.payload)))

    def _on_publish(
        self, client: Client, userdata: Any, mid: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._signals.put(Written(mid=mid))

    def _on_socket_open(self, client: Client, userdata: Any, opened: Any) -> None:
        self._socket = opened
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def unreachable(settings: UplinkTable, error: Exception, seconds: float) -> UnavailableError:
    """Why the broker was not reached within `seconds`, as far as the system tells."""
    match error:
        case socket.gaierror():
            return UnavailableError("edge.uplink.no-such-name", host=settings.host)
        case ConnectionRefusedError():
            return UnavailableError("edge.uplink.nobody-there", host=settings.host, port=settings.port)
        case TimeoutError():
            return UnavailableError("edge.uplink.no-answer", host=settings.host, seconds=seconds)
        case _:
            why = str(error) or repr(error)
            return UnavailableError("edge.uplink.broker-away", host=settings.host, port=settings.port, why=why)


def refused(host: str, why: str) -> UnavailableError:
    """The broker answered no; `why` as paho-mqtt words it."""
    code = "edge.uplink.not-let-in" if why in _NOT_LET_IN else "edge.uplink.refused"
    return UnavailableError(code, host=host, why=why)


def authenticate(client: Client, settings: UplinkTable, *, by_system_clock: bool) -> None:
    """Give `client` this gateway's name and keys. Raises OSError or ValueError for files that cannot be used."""
    if settings.username is not None:
        password = None if settings.password_file is None else settings.password_file.read_text("utf-8").strip()
        client.username_pw_set(settings.username, password)
    if settings.tls is not None:
        tls = settings.tls
        context = ssl.create_default_context(cafile=str(tls.ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file)
        if not by_system_clock:
            context.verify_flags |= _NO_CHECK_TIME
        client.tls_set_context(context)


def validity(client: Client) -> tuple[int, int] | None:
    """From when to when (s since 1970) the broker's own certificate is valid; None without TLS."""
    peer = client.socket()
    certificate = peer.getpeercert() if isinstance(peer, ssl.SSLSocket) else None
    if not certificate:
        return None
    begin, end = (ssl.cert_time_to_seconds(str(certificate[key])) for key in ("notBefore", "notAfter"))
    return begin, end
