"""Pins by gpiozero's own mock factory: contacts that bounce, polarity, relays, pulses; not tried on real pins."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPin

from edge.drivers.gpio import FAMILY, GpioConfig, GpioDriver
from edge.drivers.gpio.debounce import Debounced
from edge.drivers.gpio.driver import _MOST_UNTOLD
from protocols.errors import DeviceError, RefusedError, UnavailableError
from protocols.events import Observation, Value
from tests.integration.modbus.agent import Agent, until

TABLE = {
    "family": "gpio",
    "name": "pins",
    "device": [
        {
            "id": "cabinet",
            "type": "contact",
            "input": [
                {"gpio": "GPIO17", "metric": "contact-open", "pull": "up", "active": "high", "debounce_s": 0.05},
                {"gpio": "5", "metric": "tamper", "pull": "down", "active": "high", "debounce_s": 0},
            ],
        },
        {"id": "bell", "type": "button", "input": [{"gpio": "27", "event": "button.pressed", "active": "low"}]},
        {
            "id": "board",
            "type": "relay",
            "output": [
                {"gpio": "22", "output": "relay-1"},
                {"gpio": "23", "output": "relay-2", "active": "low", "pulse_s": 0.2},
            ],
        },
    ],
}


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    before, Device.pin_factory = Device.pin_factory, MockFactory()
    yield Device.pin_factory
    Device.pin_factory.reset()
    Device.pin_factory = before


def pin(pins: MockFactory, number: int) -> MockPin:
    return pins.pin(f"GPIO{number}")


def driver(**more: Any) -> GpioDriver:
    made = FAMILY.make(GpioConfig.model_validate(TABLE | more))
    assert isinstance(made, GpioDriver)
    return made


def test_what_bounces_counts_when_it_rests() -> None:
    contact = Debounced(rest_s=0.05)
    assert contact.see(False, 0.0) is None
    assert contact.see(False, 0.05) is False
    seen = [contact.see(bool(step % 2), 1 + step * 0.01) for step in range(20)]
    assert seen == [None] * 20
    assert contact.see(True, 1.19) is None
    assert contact.see(True, 1.25) is True
    assert contact.see(True, 9.0) is None
    assert Debounced(rest_s=0).see(True, 0) is True


def test_contacts_and_a_button(pins: MockFactory) -> None:
    agent = Agent()
    with agent.running(driver()):
        until(lambda: agent.values("cabinet", "contact-open") == [True])
        until(lambda: agent.values("cabinet", "tamper") == [False])
        assert agent.online == {"cabinet": True, "bell": True, "board": True}
        pin(pins, 17).drive_low()
        pin(pins, 5).drive_high()
        until(lambda: agent.values("cabinet", "contact-open") == [True, False])
        until(lambda: agent.values("cabinet", "tamper") == [False, True])
        for _ in range(2):
            pressed = len(agent.events("button.pressed"))
            pin(pins, 27).drive_low()
            until(lambda before=pressed: len(agent.events("button.pressed")) == before + 1)  # type: ignore[misc]
            pin(pins, 27).drive_high()
            time.sleep(0.1)
    assert [event.data for event in agent.events("button.pressed")] == [{"pin": "27"}] * 2


def test_a_button_that_is_held_at_the_start_was_not_pressed(pins: MockFactory) -> None:
    table = {"gpio": "27", "event": "button.pressed", "active": "low", "pull": "none"}
    gpio, agent = driver(device=[{"id": "bell", "type": "button", "input": [table]}]), Agent()
    pin(pins, 27).drive_low()
    with agent.running(gpio):
        until(lambda: gpio._inputs and gpio._inputs[0].state.closed)
        pin(pins, 27).drive_high()
        until(lambda: gpio._inputs[0].state.closed is False)
        assert agent.events("button.pressed") == []
        pin(pins, 27).drive_low()
        until(lambda: agent.events("button.pressed"))


def test_relays_obey_and_are_off_in_the_end(pins: MockFactory) -> None:
    agent, gpio = Agent(), driver()
    with agent.running(gpio):
        until(lambda: agent.values("board", "relay-2") == [False])
        assert pin(pins, 23).state, "active low: at rest it is high"
        gpio.act("board", "relay-1", True, 5)
        assert pin(pins, 22).state
        assert agent.values("board", "relay-1") == [False, True]
        gpio.act("board", "relay-1", False, 5)
        assert not pin(pins, 22).state
        gpio.act("board", "relay-2", True, 5)
        until(lambda: agent.values("board", "relay-2") == [False, True, False])
        assert pin(pins, 23).state, "the pulse is over"
        gpio.act("board", "relay-1", True, 5)
    with pytest.raises(DeviceError):
        gpio.act("board", "relay-1", True, 0.1)


def test_a_pulse_ends_in_time_while_the_agent_is_behind(pins: MockFactory) -> None:
    class Behind(Agent):
        behind = True

        def emit(self, observations: Sequence[Observation], **more: Any) -> None:
            if self.behind:
                self.stop.wait(more["timeout_s"])
                raise UnavailableError("edge.pipeline.behind")
            super().emit(observations, **more)

    agent, gpio = Behind(), driver()
    with agent.running(gpio):
        until(lambda: gpio._outputs)
        gpio.act("board", "relay-2", True, 5)
        assert not pin(pins, 23).state, "active low: the pulse has begun"
        until(lambda: pin(pins, 23).state)
        for step in range(_MOST_UNTOLD):
            gpio.act("board", "relay-1", step % 2 == 0, 5)
        gpio.act("board", "relay-2", True, 5)
        until(lambda: pin(pins, 23).state)
        assert agent.taken == []
        assert len(gpio._untold) <= _MOST_UNTOLD + 2
        agent.behind = False
        until(lambda: agent.values("board", "relay-2") == [False, True, False])
        assert agent.values("board", "relay-1")[:3] == [False, True, False]
        until(lambda: agent.values("board", "relay-1")[-1] is False)


def test_what_is_not_declared_is_not_switched(pins: MockFactory) -> None:
    gpio = driver()
    asked: list[tuple[str, str, Value]] = [
        ("board", "relay-3", True),
        ("cabinet", "relay-1", True),
        ("nobody", "relay-1", True),
        ("board", "relay-1", "on"),
    ]
    for device, output, value in asked:
        with pytest.raises(RefusedError):
            gpio.act(device, output, value, 1)


def test_a_pin_that_cannot_be_had_is_told_in_words(pins: MockFactory) -> None:
    agent = Agent()
    held = driver()
    with agent.running(held):
        until(lambda: held._outputs)
        with pytest.raises(DeviceError, match="pins cannot be used"):
            driver().run(Agent())
    again = Agent()
    with again.running(driver()):
        until(lambda: again.values("cabinet", "contact-open"))
