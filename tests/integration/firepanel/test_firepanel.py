"""The server against the simulated panel over TCP: nothing lost, nothing twice, whatever the line does."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from edge.drivers.firepanel import FAMILY, FirePanelConfig, FirePanelDriver
from protocols.errors import RefusedError
from protocols.events import Event
from protocols.gb26875 import ACK, DENY, REQUEST, Inbox
from simulators.hardware.firepanel import FirePanel, reports
from tests.integration.modbus.agent import Agent, Ledger, until

PANEL, DETECTOR, SMOKE = "panel-1", "fire-1-3", "smoke-1-4"


def driver(**more: Any) -> FirePanelDriver:
    devices = [
        {"id": PANEL, "type": "fire-panel", "source": "000000000102"},
        {"id": DETECTOR, "type": "fire-detector", "panel": PANEL, "component": reports.address(1, 3)},
        {"id": SMOKE, "type": "smoke", "panel": PANEL, "system": 1, "component": reports.address(1, 4)},
    ]
    table = {"family": "gb26875", "name": "fire", "listen": "127.0.0.1:0", "lost_after_s": 0.5, "device": devices}
    made = FAMILY.make(FirePanelConfig.model_validate(table | more))
    assert isinstance(made, FirePanelDriver)
    return made


class Site:
    """A running driver, what it told, and the panel that reports to it."""

    def __init__(self, **more: Any) -> None:
        self.agent, self.ledger, self.driver = Agent(), Ledger(), driver(**more)
        self._more = ExitStack()
        self._more.enter_context(self.agent.running(self.driver))
        until(lambda: self.driver.port)
        assert self.driver.port is not None
        self.port: int = self.driver.port
        self.panel = FirePanel(PANEL, ("127.0.0.1", self.port), ledger=self.ledger, chance=random.Random(1))
        self._more.callback(self.panel.stop)

    def does(self, trigger: str, **params: Any) -> None:
        self.panel.triggers()[trigger](PANEL, params)

    def settled(self) -> None:
        until(lambda: self.panel.waiting == 0)

    def close(self) -> None:
        self._more.close()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    try:
        made.panel.start()
        yield made
    finally:
        made.close()


def test_components_with_and_without_a_device(site: Site) -> None:
    site.does("panel-fire", loop=1, number=3)
    site.does("panel-fire", loop=1, number=4)
    site.does("panel-fire", loop=2, number=1, text="地下车库㐂东侧")
    site.does("panel-fault", loop=1, number=3)
    site.does("panel-value", loop=1, number=3, celsius=-12.5)
    site.settled()
    agent = site.agent
    assert agent.values(DETECTOR, "fire") == [True, False]
    assert agent.values(DETECTOR, "fault") == [False, True]
    assert agent.values(DETECTOR, "temperature") == [-12.5]
    assert agent.values(SMOKE, "smoke") == [True]
    (alarm,) = agent.events("fire.alarm")
    assert (alarm.device, alarm.data["text"]) == (PANEL, "地下车库㐂东侧")
    assert alarm.data["component_address"] == reports.address(2, 1)
    assert agent.values(PANEL, "fire")[-1] is True
    assert agent.online == {PANEL: True, DETECTOR: True, SMOKE: True}
    assert set(site.panel.answers) == {ACK}
    assert len(site.ledger.entries) == 5
    assert abs(float(agent.values(PANEL, "clock-offset")[-1])) <= 2  # type: ignore[arg-type]


def test_a_reset_ends_every_alarm(site: Site) -> None:
    for number in (3, 4, 5):
        site.does("panel-fire", loop=1, number=number)
    site.does("panel-reset")
    site.settled()
    assert site.agent.values(DETECTOR, "fire")[-1] is False
    assert site.agent.values(SMOKE, "smoke")[-1] is False
    assert site.agent.values(PANEL, "fire")[-1] is False
    assert [event.data["component_address"] for event in site.agent.events("fire.cleared")] == [reports.address(1, 5)]
    assert [event.data["operation"] for event in site.agent.events("fire.operation")] == [["reset"]]


def test_a_line_that_is_cut_in_the_middle_of_a_frame(site: Site) -> None:
    site.does("cut", frames=2)
    site.does("panel-fire", loop=2, number=2)
    site.does("panel-mains", on=False)
    site.settled()
    assert len(site.agent.events("fire.alarm")) == 1
    assert site.agent.values(PANEL, "mains-lost")[-1] is True


def test_what_is_sent_twice_is_stored_once(site: Site) -> None:
    site.does("repeat", frames=1)
    site.does("panel-fire", loop=2, number=2)
    until(lambda: len(site.panel.answers) >= 3)  # the heartbeat's, and two for the report
    assert site.panel.waiting == 0
    assert len(site.agent.events("fire.alarm")) == 1


def test_a_wrong_check_sum_is_denied_and_sent_again(site: Site) -> None:
    site.does("wrong-sum", frames=2)
    site.does("panel-fire", loop=2, number=2)
    site.settled()
    assert site.panel.answers.count(DENY) == 2
    assert len(site.agent.events("fire.alarm")) == 1


def test_noise_between_frames_and_bytes_that_drip_cost_time_only(site: Site) -> None:
    site.does("noise", frames=3)
    site.does("slow", seconds=0.005)
    for number in (2, 5, 6):
        site.does("panel-fire", loop=2, number=number)
    site.settled()
    addresses = [event.data["component_address"] for event in site.agent.events("fire.alarm")]
    assert addresses == [reports.address(2, number) for number in (2, 5, 6)]
    assert site.agent.online[PANEL]


def test_nothing_is_acknowledged_that_is_not_on_the_disk(site: Site) -> None:
    until(lambda: site.panel.answers)
    site.agent.refusals = 2
    site.does("panel-fire", loop=2, number=2)
    site.settled()
    assert site.agent.refusals == 0
    (place,) = [at for at, one in enumerate(site.agent.taken) if isinstance(one, Event)]
    assert site.agent.durable[place]


def test_the_same_report_after_a_restart_is_known(site: Site) -> None:
    site.does("panel-fire", loop=2, number=2)
    site.settled()
    fresh = Agent(stored=site.agent.stored)
    server = driver()
    with fresh.running(server):
        until(lambda: server.port)
        assert server.port is not None
        alarm = reports.component(2, 2, 3, "2号楼2层走廊", b"\0" * 6)
        site.panel.stop()
        with socket.create_connection(("127.0.0.1", server.port), 5) as link:
            for sequence in (9, 9):
                link.sendall(reports.frame(sequence, 0x102, alarm, b"\0" * 6))
                assert answers(link, 1) == [ACK]
    assert fresh.events("fire.alarm") == [], "it burnt already before the restart"


def test_what_makers_do_otherwise(site: Site) -> None:
    site.panel.deviations.decimal_time = site.panel.deviations.big_length = True
    site.panel.deviations.clock_ahead_s = 3600
    site.does("panel-fire", loop=2, number=2)
    site.does("panel-raw", hex="C8010102030405")  # a maker's own type
    site.does("panel-raw", hex="0201010102")  # an object that is cut short
    site.settled()
    assert len(site.agent.events("fire.alarm")) == 1
    own, short = site.agent.events("fire.unreadable")
    assert "C8010102030405" in own.data["raw"]
    assert "protocols.gb26875.object-short" in short.data["findings"]
    assert site.panel.answers.count(DENY) == 1
    assert float(site.agent.values(PANEL, "clock-offset")[-1]) == pytest.approx(3600, abs=5)  # type: ignore[arg-type]


def test_a_panel_that_is_away_is_reported_and_comes_back(site: Site) -> None:
    until(lambda: site.agent.online.get(PANEL))
    site.does("unplug")
    until(lambda: site.agent.online == {PANEL: False, DETECTOR: False, SMOKE: False})
    assert site.agent.error_code(PANEL) == "edge.driver.gb26875.away"
    site.does("panel-fire", loop=1, number=3)
    site.does("plug")
    until(lambda: site.agent.online == {PANEL: True, DETECTOR: True, SMOKE: True})
    site.settled()
    assert site.agent.values(DETECTOR, "fire") == [True]


def test_a_quiet_panel_keeps_its_connection_and_one_that_hangs_is_told() -> None:
    """No heartbeats, no news: the gateway asks. Who never answers is kept; who did, and does no more, hangs."""
    site = Site(idle_s=1.0)
    site.panel.deviations.heartbeats = site.panel.deviations.answers_questions = False
    try:
        site.panel.start()
        site.does("panel-normal", loop=1, number=3)
        until(lambda: site.panel.answers.count(REQUEST) >= 2, 20)
        assert (PANEL, False) not in site.agent.transitions, "it was connected all the time"
        site.panel.deviations.answers_questions = True
        until(lambda: site.panel.answers.count(REQUEST) >= 4, 20)
        assert site.agent.online[PANEL]
        site.panel.deviations.answers_questions = False
        until(lambda: site.agent.online[PANEL] is False, 20)
        assert site.agent.error_code(PANEL) == "edge.driver.gb26875.away"
        site.does("panel-fire", loop=1, number=3)
        until(lambda: site.agent.online[PANEL])
        site.settled()
    finally:
        site.close()
    assert site.agent.values(DETECTOR, "fire") == [False, True]


def test_a_panel_without_news_is_known_after_a_restart() -> None:
    site = Site()
    site.panel.deviations.heartbeats = False
    try:
        site.panel.start()
        until(lambda: site.agent.online.get(PANEL), 20)
        assert site.panel.answers == [REQUEST]
        assert site.agent.values(PANEL, "fire") == [False]
    finally:
        site.close()


def test_strangers_floods_and_too_many_connections() -> None:
    site = Site(max_connections=2)
    try:
        report = reports.component(1, 3, 3, "x", b"\0" * 6)
        with ExitStack() as links:
            first, second, third = (
                links.enter_context(socket.create_connection(("127.0.0.1", site.port), 5)) for _ in range(3)
            )
            first.settimeout(5)
            assert first.recv(10) == b"", "the quietest made room"
            second.sendall(reports.frame(1, 0x999, report, b"\0" * 6))
            assert answers(second, 1) == [DENY]
            until(lambda: site.agent.error_code(PANEL) == "edge.driver.gb26875.stranger")
            third.sendall(b"@@" + b"\x05" * 30_000)
            third.sendall(b"@@half a frame" + reports.frame(2, 0x102, report, b"\0" * 6))
            assert answers(third, 1) == [ACK]
        assert site.agent.values(DETECTOR, "fire") == [True]
        with pytest.raises(RefusedError):
            site.driver.act(DETECTOR, "silence", True, 1)
    finally:
        site.close()


def answers(link: socket.socket, count: int) -> list[int]:
    """The commands of the next `count` answers."""
    inbox, found = Inbox(), list[int]()
    link.settimeout(0.2)
    end = time.monotonic() + 10
    while len(found) < count and time.monotonic() < end:
        try:
            found += [one.frame.command for one in inbox.feed(link.recv(4096))]
        except TimeoutError:
            continue
    return found
