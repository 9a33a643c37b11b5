from __future__ import annotations

from uuid import UUID

import pytest

from protocols.delivery import Lane, MessageId, Window
from protocols.delivery.window import LEAST_SIZE, LEAST_TIMEOUT, MOST_MESSAGES, MOST_SIZE, MOST_TIMEOUT


def bulk(number: int) -> MessageId:
    return MessageId(epoch=UUID(int=1), lane=Lane.BULK, first=number, last=number)


def urgent(number: int) -> MessageId:
    return MessageId(epoch=UUID(int=1), lane=Lane.URGENT, first=number, last=number)


def test_at_most_so_many_messages() -> None:
    window = Window()
    sent = 0
    while window.may_send(Lane.BULK, 10):
        sent += 1
        window.sent(bulk(sent), 10, 0)
    assert sent == 32
    assert window.in_flight == 32
    assert window.may_send(Lane.URGENT, 10)  # nothing urgent is in flight: one may always go
    window.sent(urgent(1), 10, 0)
    assert not window.may_send(Lane.URGENT, 10)


def test_half_of_the_bytes_for_bulk() -> None:
    window = Window()
    window.sent(bulk(1), 16_000, 0)
    window.sent(bulk(2), 16_000, 0)
    assert not window.may_send(Lane.BULK, 1_000)
    window.sent(urgent(1), 16_000, 0)
    assert window.may_send(Lane.URGENT, 16_000)
    assert not window.may_send(Lane.URGENT, 20_000)


def test_a_lane_with_nothing_in_flight_may_send_whatever_its_size() -> None:
    window = Window()
    assert window.may_send(Lane.BULK, 10_000_000)
    window.sent(bulk(1), 10_000_000, 0)
    assert not window.may_send(Lane.BULK, 1)
    assert window.may_send(Lane.URGENT, 10_000_000)


def test_grows_by_one_per_window_and_has_a_ceiling() -> None:
    window = Window()
    number, now = 0, 0.0
    for _ in range(32):
        number += 1
        window.sent(bulk(number), 100, now)
        window.acknowledged(bulk(number), now + 0.1)
    assert window.messages in (32, 33)
    for _ in range(60_000):
        number += 1
        window.sent(bulk(number), 100, now)
        window.acknowledged(bulk(number), now + 0.1)
    assert window.messages == MOST_MESSAGES
    assert 64 * 1024 < window.size <= MOST_SIZE


def test_halves_once_for_one_loaded_window() -> None:
    window = Window()
    for number in range(1, 33):
        window.sent(bulk(number), 100, 0.001 * number)
    assert window.next_expiry() == pytest.approx(5.001)
    assert window.expired(5.0) == ()
    assert window.expired(5.016) == tuple(bulk(number) for number in range(1, 17))
    assert window.messages == 16
    assert len(window.expired(5.05)) == 16  # sent before the halving: the same congestion
    assert window.messages == 16
    assert window.size == 32 * 1024
    assert window.in_flight == 0
    assert window.next_expiry() is None


def test_floor() -> None:
    window = Window()
    now = 0.0
    for _ in range(20):
        window.sent(bulk(1), 100, now)
        now += MOST_TIMEOUT + 1
        assert window.expired(now) == (bulk(1),)
    assert (window.messages, window.size) == (1, LEAST_SIZE)
    assert window.timeout == MOST_TIMEOUT


def test_timeout_follows_the_round_trip() -> None:
    window = Window()
    assert window.timeout == 5.0
    window.sent(bulk(1), 100, 0)
    window.acknowledged(bulk(1), 4)
    assert window.timeout == pytest.approx(4 + 4 * 2)
    for number in range(2, 200):
        window.sent(bulk(number), 100, 10)
        window.acknowledged(bulk(number), 10.05)
    assert window.timeout == LEAST_TIMEOUT


def test_what_was_sent_twice_measures_nothing() -> None:
    """Karn's rule: nobody knows which of the two was acknowledged."""
    window = Window()
    window.sent(bulk(1), 100, 0)
    window.expired(5)
    timeout = window.timeout
    window.sent(bulk(1), 100, 6)
    window.acknowledged(bulk(1), 6.001)
    assert window.timeout == timeout
    window.sent(bulk(1), 100, 7)  # put back by a restored database: a new life
    window.acknowledged(bulk(1), 7.1)
    assert window.timeout < timeout


def test_late_acknowledgement_changes_nothing() -> None:
    window = Window()
    window.sent(bulk(1), 100, 0)
    window.expired(5)
    size = window.messages
    window.acknowledged(bulk(1), 5.1)
    assert window.messages == size
    assert bulk(1) not in window


def test_lost_connection_takes_everything_out_of_flight() -> None:
    window = Window()
    window.sent(bulk(1), 100, 0)
    window.sent(urgent(1), 100, 0)
    assert set(window.reset()) == {bulk(1), urgent(1)}
    assert window.in_flight == 0
    assert window.may_send(Lane.BULK, 1)
    assert window.expired(1e9) == ()


def test_deleted_message() -> None:
    window = Window()
    window.sent(bulk(1), 100, 0)
    window.forget(bulk(1))
    window.forget(bulk(2))
    assert window.in_flight == 0


def test_same_message_twice_in_flight_is_a_mistake() -> None:
    window = Window()
    window.sent(bulk(1), 100, 0)
    with pytest.raises(ValueError, match="bulk/1-1"):
        window.sent(bulk(1), 100, 0)


def test_memory_of_what_was_sent_before_is_bounded() -> None:
    window = Window()
    for number in range(1, 5000):
        window.sent(bulk(number), 100, 0)
        window.reset()
    assert len(window._again) == 4 * MOST_MESSAGES
