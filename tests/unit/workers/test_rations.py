"""How many payments of a merchant are claimed while its calls must wait."""

from __future__ import annotations

from typing import Any

import pytest

from workers.rations import SPARE, TRICKLE, Rations

SHARDS = 8


class Limits:
    def __init__(self, **rationed: float) -> None:
        self.now = rationed

    def rationed(self):
        return self.now


def rations_of(limits: Any) -> Rations:
    return Rations(limits, shards=SHARDS)


def given(rations, merchant="slow"):
    return sum(rations.take(shard).get(merchant, 0) for shard in range(SHARDS))


def shared_out(**rationed):
    rations = rations_of(Limits(**rationed))
    rations.share_out(tick_s=0.5)
    return rations


@pytest.mark.parametrize(("calls_per_s", "number"), [(1.0, 1), (5.0, 3), (100.0, 50), (0.01, 1)])
def test_a_merchant_gets_what_its_limit_lets_through_and_one_more(calls_per_s, number):
    assert given(shared_out(slow=calls_per_s)) == number + SPARE


def test_a_merchant_that_may_not_call_still_gets_a_few_since_deadlines_pass():
    assert given(shared_out(slow=0.0)) == TRICKLE


def test_what_was_taken_is_not_given_again_before_the_next_tick():
    rations = shared_out(slow=1.0)
    assert (given(rations), given(rations)) == (2, 0)
    rations.share_out(tick_s=0.5)
    assert given(rations) == 2


def test_a_merchant_that_nobody_refuses_has_no_ration():
    assert shared_out().take(0) == {}


def test_a_merchant_that_is_refused_between_two_ticks_waits_for_the_next():
    limits = Limits()
    rations = rations_of(limits)
    rations.share_out(tick_s=0.5)
    limits.now = {"slow": 1.0}
    assert rations.take(3) == {"slow": 0}
