"""The cloud's connection to the broker, over a cable that is cut again and again."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cloud.ingest import link as linking
from cloud.ingest.client import Client
from cloud.ingest.link import Broker as BrokerAddress
from cloud.ingest.link import Link
from protocols.sparkplug.actions import Publish, Subscribe
from simulators.cable import Cable
from tests.services.brokers import Broker
from tests.services.ports import free_port

PATIENCE_S = 4.0
"""Less than the pause that cuts in a row would add up to."""


@contextmanager
def cable_to(port: int) -> Iterator[tuple[int, Cable, asyncio.AbstractEventLoop]]:
    """A cable to `port` in a loop of its own: the port to connect to, the cable, its loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listen = free_port()
    cable = Cable(listen, port)
    asyncio.run_coroutine_threadsafe(cable.start(), loop).result(5)
    try:
        yield listen, cable, loop
    finally:
        asyncio.run_coroutine_threadsafe(cable.close(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


def test_a_connection_that_is_cut_often_is_back_soon_each_time(iotcore_broker: Broker) -> None:
    up = threading.Event()
    with cable_to(iotcore_broker.port) as (port, cable, loop):
        link = Link(
            BrokerAddress(host="127.0.0.1", port=port),
            "test-link",
            Subscribe(filters=("spBv1.0/#",), qos=1),
            on_message=lambda heard: None,
            on_up=up.set,
            on_down=lambda: None,
        )
        link.start()
        try:
            assert up.wait(10)
            for _ in range(6):
                up.clear()
                loop.call_soon_threadsafe(cable.reset)
                began = time.monotonic()
                assert up.wait(PATIENCE_S), f"still away after {time.monotonic() - began:.1f} s"
        finally:
            link.stop()


def test_what_is_said_as_soon_as_the_broker_listens_goes_out(
    iotcore_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker may have answered everything before the thread that connected runs on: a STATE was never said."""
    opened = Client.open

    def late(client: Client) -> None:
        opened(client)
        time.sleep(0.5)

    monkeypatch.setattr(Client, "open", late)
    said, heard = threading.Event(), threading.Event()
    link = Link(
        BrokerAddress(host="127.0.0.1", port=iotcore_broker.port),
        "test-link",
        Subscribe(filters=("spBv1.0/#",), qos=1),
        on_message=lambda message: heard.set(),
        on_up=lambda: said.set() if link.publish(Publish(topic="spBv1.0/STATE/x", payload=b"{}")) else None,
        on_down=lambda: None,
    )
    link.start()
    try:
        assert said.wait(10)
        assert heard.wait(10)
    finally:
        link.stop()


def test_a_broker_that_confirms_nothing_is_left_and_asked_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It lets everybody in, and never says what became of the subscription."""
    monkeypatch.setattr(linking, "_READY_S", 0.2)
    caplog.set_level(logging.WARNING, "liandong.cloud.link")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        link = Link(
            BrokerAddress(host="127.0.0.1", port=server.getsockname()[1]),
            "test-link",
            Subscribe(filters=("spBv1.0/#",), qos=1),
            on_message=lambda heard: None,
            on_up=lambda: None,
            on_down=lambda: None,
        )
        link.start()
        try:
            for _ in range(2):
                peer, _ = server.accept()
                with peer:
                    peer.settimeout(10)
                    assert peer.recv(4096)
                    peer.sendall(b"\x20\x02\x00\x00")  # CONNACK
                    while peer.recv(4096):
                        pass
        finally:
            link.stop()
    assert any("subscription not confirmed" in record.getMessage() for record in caplog.records)
