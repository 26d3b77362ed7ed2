"""Laws of the shared limit (I10), whatever is asked by whom and when; the twin, which the contract keeps true."""

from __future__ import annotations

from collections import Counter
from itertools import combinations_with_replacement

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.call_rate import CallRate
from orchestrator.adapters.permits import Ask
from orchestrator.adapters.shared_limit import SharedLimit

HOLDERS = ("w1", "w2", "w3")
NUMBERS = st.tuples(*[st.integers(0, 20)] * 3)
RATES = st.builds(
    CallRate,
    rate_per_s=st.sampled_from([0.5, 1.0, 5.0, 50.0]),
    burst=st.integers(1, 30),
    max_concurrency=st.integers(1, 12),
)
STEPS = st.lists(
    st.tuples(st.integers(0, 700), st.sampled_from(HOLDERS), NUMBERS, NUMBERS, st.integers(0, 20)),
    min_size=1,
    max_size=40,
)


class Clock:
    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000

    async def sleep(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


class Fleet:
    """Workers that hold what they were given until their calls end."""

    def __init__(self, rate: CallRate) -> None:
        self.clock = Clock()
        self.shared = SharedLimit(clock=self.clock, rate_of=lambda _: rate)
        self.on_wire: Counter[str] = Counter()
        self.given: list[tuple[int, int]] = []  # when, how many

    def ask(self, holder, wanted, ahead=(0, 0, 0)):
        grant = self.shared.grant(
            Ask(account="default", holder=holder, wanted=wanted, ahead=ahead, on_wire=self.on_wire[holder])
        )
        total = sum(grant.given)
        self.on_wire[holder] += total
        if total:
            self.given.append((self.clock.ms, total))
        return grant

    def end(self, holder, count):
        self.on_wire[holder] -= min(count, self.on_wire[holder])


@given(rate=RATES, steps=STEPS)
def test_i10_no_period_is_given_more_than_burst_and_rate_and_no_moment_more_than_its_slots(rate, steps):
    fleet = Fleet(rate)
    for after_ms, holder, wanted, ahead, ended in steps:
        fleet.clock.ms += after_ms
        fleet.end(holder, ended)
        grant = fleet.ask(holder, wanted, ahead)
        assert all(got <= want + more for got, want, more in zip(grant.given, wanted, ahead, strict=True))
        assert all(
            wait > 0 for given, want, wait in zip(grant.given, wanted, grant.wait_ms, strict=True) if given < want
        )
        # Others count here as they last said, which is never less than what they have.
        assert sum(fleet.on_wire.values()) <= rate.max_concurrency
    for first, last in combinations_with_replacement(range(len(fleet.given)), 2):
        period_s = (fleet.given[last][0] - fleet.given[first][0]) / 1000
        given_then = sum(count for _, count in fleet.given[first : last + 1])
        assert given_then <= rate.burst + rate.rate_per_s * period_s + 1e-6


@given(rate=RATES, steps=STEPS)
def test_whoever_comes_back_when_told_is_given_a_call(rate, steps):
    fleet = Fleet(rate)
    for after_ms, holder, wanted, ahead, _ in steps:
        fleet.clock.ms += after_ms
        fleet.ask(holder, wanted, ahead)
    for holder in HOLDERS:
        fleet.end(holder, fleet.on_wire[holder])
        fleet.ask(holder, (0, 0, 0))
    for position in range(3):
        wanted = tuple(int(each == position) for each in range(3))
        for _ in range(2):
            grant = fleet.ask("w1", wanted)
            if grant.given[position]:
                break
            fleet.clock.ms += grant.wait_ms[position]
        assert grant.given[position] == 1
        fleet.end("w1", 1)


@given(rate_per_s=st.sampled_from([1.0, 5.0, 50.0]), burst=st.integers(1, 30), every_ms=st.integers(20, 100))
def test_looks_get_a_fifth_and_acts_the_rest_when_all_want_more_than_there_is(rate_per_s, burst, every_ms):
    fleet = Fleet(CallRate(rate_per_s=rate_per_s, burst=burst))
    fleet.ask("w1", (burst, 0, 0))
    got: Counter[int] = Counter()
    lasts_ms = int(60_000 / min(rate_per_s, 5))
    until_ms = fleet.clock.ms + lasts_ms
    while fleet.clock.ms < until_ms:
        fleet.clock.ms += every_ms
        for holder in HOLDERS:
            grant = fleet.ask(holder, (50, 50, 50))
            got.update(dict(enumerate(grant.given)))
    total = sum(got.values())
    assert got[2] >= total / 5 - 2
    assert got[2] <= rate_per_s * lasts_ms / 1000 / 5 + 2
    assert got[0] == total - got[2]
