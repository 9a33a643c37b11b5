"""``liandong sparkplug watch``: listens to a broker and says which rules of Sparkplug 3.0.0 are broken, by whom.

It publishes nothing into the Sparkplug namespace; one message to a topic of its own tells whether the broker keeps the
QoS of what it delivers (some raise it to that of the subscription: then QoS is not judged). At the end it asks once
more for the stored STATE messages. ``{"ok", "seconds", "messages", "nodes", "qos_seen", "violations": [{"rule", "also",
"must", "node", "message", "found", "at_ms", "count"}]}``; exit 0 when no MUST was broken, else 1.
"""

from __future__ import annotations

import argparse
import json
import queue
import secrets
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from liandong.language import Say, speaker
from protocols.errors import ConfigError, UnavailableError
from protocols.messages import Language
from protocols.sparkplug import topics
from protocols.sparkplug.monitor import Monitor, Violation

FILTERS: Final = (f"{topics.NAMESPACE}/#", "STATE/#")
STATES: Final = f"{topics.NAMESPACE}/STATE/+"
CONNECT_S: Final = 10.0
PROBE_S: Final = 2.0
_MOST_WAITING: Final = 100_000
_MOST_KINDS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One message, and when it came (milliseconds since 1970-01-01 UTC)."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    at_ms: int


class Ears:
    """A connection that only listens. What it hears waits in `waiting`; None there says that some was missed."""

    def __init__(self, host: str, port: int, username: str | None, password: str | None) -> None:
        """Connect and subscribe. Raises UnavailableError when the broker does not take it within `CONNECT_S`."""
        self.waiting: queue.Queue[Heard | None] = queue.Queue(_MOST_WAITING)
        self._answers: queue.Queue[str | None] = queue.Queue(1)
        name = f"liandong-watch-{secrets.token_hex(6)}"
        self.probe = f"liandong/watch/{name}"
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=True)
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = lambda *_: self._put(None)
        self._client.connect_timeout = CONNECT_S
        where = f"{host}:{port}"
        try:
            self._client.connect(host, port)
        except OSError as error:
            raise UnavailableError("liandong.sparkplug.broker-away", broker=where, why=error) from error
        self._client.loop_start()
        try:
            refused = self._answers.get(timeout=CONNECT_S)
        except queue.Empty:
            refused = f"{CONNECT_S:g} s"
        if refused is not None:
            self.close()
            raise UnavailableError("liandong.sparkplug.broker-away", broker=where, why=refused)

    def ask_probe(self) -> None:
        """One message with QoS 0 to ourselves."""
        self._client.publish(self.probe, b"", qos=0)

    def ask_states(self) -> None:
        """Everything that is stored about hosts, once more."""
        self._client.unsubscribe(STATES)
        self._client.subscribe(STATES, 1)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._answer(str(reason))
        else:
            client.subscribe([(topic, 1) for topic in (*FILTERS, self.probe)])

    def _on_subscribe(self, _client: Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        self._answer(next((str(reason) for reason in reasons if reason.is_failure), None))

    def _answer(self, refused: str | None) -> None:
        with suppress(queue.Full):  # only the first is waited for
            self._answers.put_nowait(refused)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._put(
            Heard(
                topic=message.topic,
                payload=bytes(message.payload),
                qos=message.qos,
                retain=message.retain,
                at_ms=time.time_ns() // 1_000_000,
            )
        )

    def _put(self, heard: Heard | None) -> None:
        try:
            self.waiting.put_nowait(heard)
        except queue.Full:
            with suppress(queue.Empty):
                while True:
                    self.waiting.get_nowait()
            self.waiting.put_nowait(None)


@dataclass(slots=True)
class Watch:
    """What was heard, and what was wrong with it; the same violation of the same node is kept once and counted."""

    monitor: Monitor
    say: Say
    live: bool
    qos_seen: bool = False
    found: dict[tuple[str, str], tuple[Violation, int]] = field(default_factory=dict)

    def hear(self, heard: Heard | None) -> None:
        """One message, or an interruption."""
        if heard is None:
            self.monitor.lost()
            return
        qos = heard.qos if self.qos_seen else None
        self.add(self.monitor.heard(heard.topic, heard.payload, qos=qos, retain=heard.retain, at_ms=heard.at_ms))

    def add(self, violations: list[Violation]) -> None:
        """Count them, and tell what is new."""
        for violation in violations:
            key = violation.rule, violation.node
            first, count = self.found.get(key, (violation, 0))
            if not count and len(self.found) >= _MOST_KINDS:
                continue
            self.found[key] = first, count + 1
            if self.live and not count:
                print(self.say("liandong.sparkplug.violation", **asdict(violation)), flush=True)

    def broken(self) -> int:
        """How many violations of a MUST."""
        return sum(count for violation, count in self.found.values() if violation.must)


def register(parser: argparse.ArgumentParser, language: Language) -> None:
    """Add the options of ``liandong sparkplug``."""
    say = speaker(language)
    commands = parser.add_subparsers(metavar=say("liandong.cli.command"), required=True, dest="what")
    about = say("liandong.sparkplug.watch")
    watch = commands.add_parser("watch", help=about, description=about, epilog=say("liandong.sparkplug.epilog"))
    watch.add_argument("--broker", default="127.0.0.1:1883", metavar="HOST:PORT", help=say("liandong.sparkplug.broker"))
    watch.add_argument("--username", metavar="NAME", help=say("liandong.sparkplug.username"))
    watch.add_argument("--password-file", type=Path, metavar="FILE", help=say("liandong.sparkplug.password-file"))
    host = say("liandong.sparkplug.primary-host")
    watch.add_argument("--primary-host", metavar="ID", action="append", default=[], help=host)
    watch.add_argument("--seconds", type=float, metavar="N", help=say("liandong.sparkplug.seconds"))
    watch.add_argument("--json", action="store_true", help="JSON")
    watch.set_defaults(run=partial(_watch, language=language))


def _watch(arguments: argparse.Namespace, language: Language) -> int:
    say = speaker(language)
    host, _, port = arguments.broker.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError("liandong.sparkplug.no-broker", broker=arguments.broker)
    ears = Ears(host.strip("[]"), int(port), arguments.username, _password(arguments.password_file))
    watch = Watch(monitor=Monitor(primary_hosts=arguments.primary_host), say=say, live=not arguments.json)
    began = time.monotonic()
    try:
        _probe(ears, watch)
        if not arguments.json:
            print(say("liandong.sparkplug.listening", broker=arguments.broker), flush=True)
        _listen(ears, watch, None if arguments.seconds is None else began + arguments.seconds)
        _compare_states(ears, watch)
    finally:
        ears.close()
    _report(watch, time.monotonic() - began, as_json=arguments.json)
    return 1 if watch.broken() else 0


def _password(file: Path | None) -> str | None:
    try:
        return None if file is None else file.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigError("liandong.sparkplug.no-password", file=file, why=error.strerror) from error


def _probe(ears: Ears, watch: Watch) -> None:
    """Whether the broker delivers QoS 0 as QoS 0; what comes in between is heard without it."""
    ears.ask_probe()
    deadline = time.monotonic() + PROBE_S
    while (left := deadline - time.monotonic()) > 0:
        try:
            heard = ears.waiting.get(timeout=left)
        except queue.Empty:
            return
        if heard is not None and heard.topic == ears.probe:
            watch.qos_seen = heard.qos == 0
            return
        watch.hear(heard)


def _listen(ears: Ears, watch: Watch, until: float | None) -> None:
    """Until the time is over or Ctrl-C."""
    try:
        while until is None or time.monotonic() < until:
            left = 1.0 if until is None else max(0.0, min(1.0, until - time.monotonic()))
            try:
                watch.hear(ears.waiting.get(timeout=left))
            except queue.Empty:
                continue
    except KeyboardInterrupt:
        return


def _compare_states(ears: Ears, watch: Watch) -> None:
    """Every host that spoke must have its STATE stored."""
    ears.ask_states()
    stored: set[str] = set()
    deadline = time.monotonic() + PROBE_S
    while (left := deadline - time.monotonic()) > 0 and not watch.monitor.spoken <= stored:
        try:
            heard = ears.waiting.get(timeout=left)
        except queue.Empty:
            break
        if heard is not None and heard.retain:
            stored.add(heard.topic.rpartition("/")[2])
        elif heard is not None:
            watch.hear(heard)
    watch.add(watch.monitor.stored_states(stored, time.time_ns() // 1_000_000))


def _report(watch: Watch, seconds: float, *, as_json: bool) -> None:
    monitor, broken = watch.monitor, watch.broken()
    if as_json:
        document = {
            "ok": not broken,
            "seconds": round(seconds, 1),
            "messages": monitor.messages,
            "nodes": monitor.nodes,
            "qos_seen": watch.qos_seen,
            "violations": [{**asdict(violation), "count": count} for violation, count in watch.found.values()],
        }
        print(json.dumps(document, ensure_ascii=False, indent=2))
        return
    advice = sum(count for violation, count in watch.found.values() if not violation.must)
    facts = {"messages": monitor.messages, "nodes": monitor.nodes, "violations": broken, "advice": advice}
    print(watch.say("liandong.sparkplug.summary", seconds=round(seconds), **facts))
    if not watch.qos_seen:
        print(watch.say("liandong.sparkplug.no-qos"))
