"""A node with two connections: the test that it has one must fail."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from edge.uplink.link import Link
from tests.integration.ingest.gateway import wait_for
from tests.integration.sparkplug import test_connect
from tests.integration.sparkplug.test_connect import Recorder, recorder
from tests.services.ports import LOOPBACK

__all__ = ["recorder"]


def test_a_second_connection_is_noticed(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plants a violation of a rule.

    tck-id-operational-behavior-primary-application-state-with-multiple-servers-single-server
    """

    def twice(*given: Any, **named: Any) -> Link:
        link = Link(*given, **named)
        with socket.create_connection((LOOPBACK, recorder.port), 10) as second:
            second.sendall(recorder.first())
            assert second.recv(4), "a second CONNECT was taken"
            wait_for(lambda: len(recorder.connects) == 2)
        return link

    monkeypatch.setattr(test_connect, "NodeLink", twice)
    with pytest.raises(AssertionError):
        test_connect.test_node(recorder)
