from __future__ import annotations

import time

import pytest

from orchestrator.adapters.system_clock import SystemClock
from orchestrator.adapters.wire_witness import SecondConnectionError, WireWitness
from orchestrator.errors import TooLateToSendError


def witness(send_before_s=None):
    return WireWitness(clock=SystemClock(), send_before_s=send_before_s)


def test_a_call_that_went_around_the_connector_is_presumed_sent():
    assert witness().sent


def test_a_call_is_sent_from_the_moment_its_connection_is_handed_out():
    one = witness()
    one.start()
    assert not one.sent
    one.let_out()
    assert one.sent


def test_a_second_connection_for_one_call_is_refused_and_it_stays_sent():
    one = witness()
    one.start()
    one.let_out()
    with pytest.raises(SecondConnectionError):
        one.start()
    assert one.sent


def test_a_call_that_is_too_late_stays_unsent():
    one = witness(send_before_s=time.monotonic() - 1)
    one.start()
    with pytest.raises(TooLateToSendError):
        one.let_out()
    assert not one.sent


async def test_the_system_clock_is_the_clock_of_the_system():
    clock = SystemClock()
    assert abs(clock.now_ms() - time.time() * 1000) < 1000
    before_s = clock.monotonic_s()
    await clock.sleep(0.01)
    assert 0.005 < clock.monotonic_s() - before_s < 5
