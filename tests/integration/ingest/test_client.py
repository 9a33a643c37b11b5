"""The session of the cloud at a broker that is played packet by packet."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from cloud.ingest.link import Broker, Heard, Link
from protocols import mqtt
from protocols.sparkplug.actions import Publish, Subscribe
from tests.integration.ingest.gateway import wait_for
from tests.services.ports import LOOPBACK

WELCOME = b"\x20\x02\x00\x00"
REFUSED = b"\x20\x02\x00\x05"


class Played:
    """A broker that keeps what it was sent; it answers what `answers` has an answer for, by kind of packet."""

    def __init__(self, answers: dict[int, bytes]) -> None:
        self.answers = answers
        self.came: list[tuple[int, bytes]] = []
        self.connections: list[socket.socket] = []
        self.ended = 0
        self._socket = socket.create_server((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._socket, *self.connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def kinds(self) -> list[int]:
        return [head >> 4 for head, _ in self.came]

    def send(self, data: bytes) -> None:
        self.connections[-1].sendall(data)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        stream = mqtt.Stream()
        with suppress(OSError):
            while data := connection.recv(65_536):
                for head, body in stream.feed(data):
                    self.came.append((head, body))
                    answer = self.answers.get(head >> 4, b"")
                    connection.sendall(answer.replace(b"##", body[:2]))
        self.ended += 1


@pytest.fixture
def played() -> Iterator[Played]:
    made = Played({1: WELCOME, 8: b"\x90\x03##\x00", 10: b"\xb0\x02##", 12: b"\xd0\x00"})
    yield made
    made.close()


class Told:
    """What a link told."""

    def __init__(self, played: Played, *, keepalive_s: int = 15) -> None:
        self.heard: list[Heard] = []
        self.ups = self.downs = 0
        self.link = Link(
            Broker(host=LOOPBACK, port=played.port, keepalive_s=keepalive_s),
            "test",
            Subscribe(filters=("a/#",), qos=1),
            on_message=self.heard.append,
            on_up=self._up,
            on_down=self._down,
        )
        self.link.start()

    def _up(self) -> None:
        self.ups += 1

    def _down(self) -> None:
        self.downs += 1


def test_packets_in_pieces_and_many_in_one_piece(played: Played) -> None:
    told = Told(played)
    try:
        wait_for(lambda: told.ups)
        large = mqtt.publish("a/large", b"x" * 300_000)
        for begin in range(0, len(large), 70_001):
            played.send(large[begin : begin + 70_001])
        played.send(b"".join(mqtt.publish("a/small", str(n).encode(), retain=n == 7) for n in range(3_000)))
        wait_for(lambda: len(told.heard) == 3_001)
        assert (told.heard[0].topic, len(told.heard[0].payload)) == ("a/large", 300_000)
        assert [one.payload for one in told.heard[1:]] == [str(n).encode() for n in range(3_000)]
        assert [one.retained for one in told.heard].index(True) == 8
        played.send(mqtt.publish("a/b", b"once", qos=1, number=77))
        wait_for(lambda: (0x40, (77).to_bytes(2, "big")) in played.came)
    finally:
        told.link.stop()


def test_a_message_that_is_too_long_ends_nothing(played: Played) -> None:
    told = Told(played)
    try:
        wait_for(lambda: told.ups)
        played.send(mqtt.publish("a/long", bytes(mqtt.MOST_BYTES), retain=True) + mqtt.publish("a/b", b"after"))
        wait_for(lambda: told.heard)
        assert ([one.payload for one in told.heard], told.downs) == ([b"after"], 0)
    finally:
        told.link.stop()


def test_what_was_published_before_the_end_leaves_and_then_a_farewell(played: Played) -> None:
    told = Told(played)
    wait_for(lambda: told.ups)
    assert told.link.publish(Publish(topic="s", payload=b"y" * 1_000_000, qos=1, retain=True))
    told.link.stop()
    wait_for(lambda: played.ended)
    assert played.kinds()[-2:] == [mqtt.PUBLISH, mqtt.DISCONNECT[0] >> 4]
    head, body = played.came[-2]
    assert (head & 0x0F, mqtt.received(head, body).payload) == (0b0011, b"y" * 1_000_000)
    assert told.downs == 1
    assert not told.link.publish(Publish(topic="s", payload=b"", qos=0, retain=False))


def test_a_broker_that_says_nothing_any_more_is_left_and_sought_again(played: Played) -> None:
    del played.answers[12]
    told = Told(played, keepalive_s=1)
    try:
        wait_for(lambda: told.ups == 2)
        assert told.downs == 1
        assert mqtt.PINGREQ[0] >> 4 in played.kinds()
    finally:
        told.link.stop()


def test_who_is_not_let_in_tries_again(played: Played) -> None:
    played.answers[1] = REFUSED
    told = Told(played)
    try:
        wait_for(lambda: len(played.connections) == 2)
        assert (told.ups, told.downs) == (0, 0)
        played.answers[1] = WELCOME
        wait_for(lambda: told.ups)
    finally:
        told.link.stop()


def test_other_filters_in_place_of_the_first(played: Played) -> None:
    told = Told(played)
    try:
        wait_for(lambda: told.ups)
        assert told.link.subscribe(["b/#"])
        asked = [(head >> 4, body[2:]) for head, body in played.came if head >> 4 in (8, 10)]
        assert asked == [(8, b"\x00\x03a/#\x01"), (10, b"\x00\x03a/#"), (8, b"\x00\x03b/#\x01")]
    finally:
        told.link.stop()
