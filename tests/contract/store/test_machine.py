"""Two workers, crashes, lost replies and late news in any order, on the twin and on a real server."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orchestrator.identity import PaymentKey
from orchestrator.ports import ALONE_AT_CLAIMS, AcceptOutcome, CommitOutcome, NotifyOutcome
from tests.contract.store.model import LEASE_MS, Model
from tests.contract.store.worlds import MemoryWorld, RedisWorld, commit_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.ports import Commit, Record
    from tests.contract.store.worlds import World

KEYS = [PaymentKey(merchant=merchant, intent_id=intent_id) for merchant, intent_id in ("ax", "ay", "bx")]
WORKERS = ["one", "two"]
# Two steps outlast a lease, one does not. No two times the model compares are as near as real time may run.
STEP_MS = 600_000
LATER_MS = 900_000
TOLERANCE_MS = 100_000

keys = st.sampled_from(KEYS)
workers = st.sampled_from(WORKERS)
dues = st.sampled_from([0, LATER_MS, None])


class StoreMachine(RuleBasedStateMachine):
    """The store under test beside the model; a worker knows only what it was told."""

    open_world: Callable[[], World]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = type(self).open_world()
        self.store = self.world.store
        self.model = Model()
        self.numbers = itertools.count()
        self.held: dict[str, dict[PaymentKey, Record]] = {worker: {} for worker in WORKERS}
        self.accepts: list[tuple[PaymentKey, dict]] = []
        self.unanswered: list[tuple[Commit, int | None]] = []

    @initialize(owner=st.sampled_from(WORKERS))
    def some_payments_are_at_work(self, owner):
        for key in KEYS[:2]:
            self.deliver(key=key, content="content", owner=owner, later=0)

    def teardown(self):
        self.run(self.world.close())
        self.runner.close()

    def run(self, coroutine):
        return self.runner.run(coroutine)

    def at(self, due_in):
        return None if due_in is None else self.run(self.world.now_ms()) + due_in

    @rule(
        key=keys,
        content=st.sampled_from(["content", "other"]),
        owner=st.sampled_from([None, *WORKERS]),
        later=dues,
    )
    def deliver(self, key, content, owner, later):
        message = {"op": f"accept {next(self.numbers)}", "fingerprint": content, "body": b"1", "owner": owner}
        self.accepts.append((key, {**message, "due_in": later or 0}))
        self.accept(*self.accepts[-1])

    @precondition(lambda self: self.accepts)
    @rule(data=st.data())
    def redeliver(self, data):
        self.accept(*data.draw(st.sampled_from(self.accepts)))

    def accept(self, key, message):
        outcome = self.model.accept(key, **message)
        rest = {name: value for name, value in message.items() if name != "due_in"}
        acceptance = self.run(
            self.store.accept(
                key,
                **rest,
                event=f"{key}:1".encode(),
                due_at_ms=self.at(message["due_in"]),
                lease_ms=LEASE_MS,
            )
        )
        assert acceptance.outcome is outcome
        ours = outcome is AcceptOutcome.ACCEPTED and message["owner"] is not None
        assert (acceptance.record is not None) == (ours and self.model.payments[key].owner == message["owner"])
        if acceptance.record is not None:
            self.held[message["owner"]][key] = acceptance.record

    @rule(worker=workers)
    def claim(self, worker):
        due, suspects = self.model.claimable(), self.model.suspects()
        records = self.run(self.store.claim(0, owner=worker, lease_ms=LEASE_MS, limit=10))
        assert sorted(map(str, due - suspects)) == sorted(str(record.key) for record in records)
        for key in suspects:
            self.model.pass_over(key)
        self.took(worker, records)

    @rule(worker=workers)
    def claim_the_longest_due(self, worker):
        due = self.model.claimable()
        if not self.model.suspects():
            records = self.run(self.store.claim(0, owner=worker, lease_ms=LEASE_MS, limit=1))
            assert len(records) == min(1, len(due))
            assert {record.key for record in records} <= due
            self.took(worker, records)

    @rule(worker=workers)
    def claim_all_suspects_alone(self, worker):
        suspects = self.model.suspects()
        self.claim(worker)
        # Those met at an earlier claim are still known and may be taken too, unless they live again.
        while record := self.run(self.store.claim_alone(0, owner=worker, lease_ms=LEASE_MS)):
            assert self.model.claims_when_taken(record.key) >= ALONE_AT_CLAIMS
            assert not self.model.is_owned(record.key)
            assert self.model.payments[record.key].rest_until <= self.model.now
            self.took(worker, [record], alone=True)
            suspects.discard(record.key)
        assert not suspects
        assert self.run(self.store.suspects()) == []

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data(), rest_in=st.sampled_from([LATER_MS, 2 * LATER_MS]))
    def put_aside(self, data, rest_in):
        worker, key = self.a_held(data)
        is_ours = self.model.rest(key, worker, rest_in)
        rests = self.run(self.store.load(key)).rests
        assert self.run(self.store.rest(key, owner=worker, rests=rests, for_ms=rest_in)) == is_ours
        del self.held[worker][key]

    @rule(worker=workers, key=keys)
    def claim_one(self, worker, key):
        record = self.run(self.store.claim_one(key, owner=worker, lease_ms=LEASE_MS))
        known = self.model.payments.get(key)
        free = known is not None and (known.owner == worker or not self.model.is_owned(key))
        assert (record is not None) == free
        self.took(worker, [record] if record else [])

    def took(self, worker, records, *, alone=False):
        for record in records:
            self.model.take(record.key, worker, alone=alone)
            self.held[worker][record.key] = record

    @rule(worker=workers, alone=st.booleans())
    def renew(self, worker, alone):
        mine = list(self.held[worker])
        lost = {key for key in mine if not self.model.renew(key, worker, alone=alone)}
        assert self.run(self.store.renew(mine, owner=worker, lease_ms=LEASE_MS, alone=alone)) == lost

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data(), due_in=dues)
    def release(self, data, due_in):
        worker, key = self.a_held(data)
        is_ours = self.model.release(key, worker, due_in)
        assert self.run(self.store.release(key, owner=worker, due_at_ms=self.at(due_in))) == is_ours
        del self.held[worker][key]

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data(), reply_is_lost=st.booleans())
    def send(self, data, reply_is_lost):
        self.commit(data, None, keep=True, own_move=True, visible=False, reply_is_lost=reply_is_lost)

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data(), visible=st.booleans(), reply_is_lost=st.booleans())
    def learn(self, data, visible, reply_is_lost):
        self.commit(data, None, keep=True, own_move=False, visible=visible, reply_is_lost=reply_is_lost)

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data(), due_in=dues, own_move=st.booleans(), reply_is_lost=st.booleans(), forgives=st.booleans())
    def finish(self, data, due_in, own_move, reply_is_lost, forgives):
        flags = {"own_move": own_move, "visible": True, "forgives": forgives}
        self.commit(data, due_in, keep=False, reply_is_lost=reply_is_lost, **flags)

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data(), reply_is_lost=st.booleans())
    def park(self, data, reply_is_lost):
        self.commit(data, None, keep=False, own_move=False, visible=True, reply_is_lost=reply_is_lost, rest_ms=LATER_MS)

    def commit(self, data, due_in, *, keep, own_move, visible, reply_is_lost, **more):
        worker, key = self.a_held(data)
        number = next(self.numbers)
        silent = {} if visible else {"event": None, "event_sequence": None}
        commit = commit_on(
            self.held[worker][key],
            op=f"commit {number}",
            owner=worker,
            body=b"%d" % number,
            due_at_ms=self.at(due_in),
            keep_lease_ms=LEASE_MS if keep else None,
            own_move=own_move,
            **silent,
            **more,
        )
        outcome = self.model.commit(commit, due_in)
        committed = self.run(self.store.commit(commit))
        if not reply_is_lost:
            self.answered(commit, committed, outcome)
        elif data.draw(st.booleans()):
            self.unanswered.append((commit, due_in))
        else:
            self.notify(key=key, reply_is_lost=False)
            self.answered(commit, self.run(self.store.commit(commit)), self.model.commit(commit, due_in))

    @precondition(lambda self: self.unanswered)
    @rule(data=st.data())
    def repeat_until_answered(self, data):
        number = data.draw(st.integers(0, len(self.unanswered) - 1))
        commit, due_in = self.unanswered.pop(number)
        outcome = self.model.commit(commit, due_in)
        self.answered(commit, self.run(self.store.commit(commit)), outcome)

    def answered(self, commit, committed, outcome):
        assert committed.outcome is outcome
        payment = self.model.payments[commit.key]
        if outcome is CommitOutcome.COMMITTED:
            assert (committed.version, committed.sequence) == (payment.version, payment.sequence)
            assert (committed.observed, committed.observations) == (payment.observed, tuple(payment.waiting))
        if outcome in {CommitOutcome.CONFLICT, CommitOutcome.NEWS}:
            assert committed.record == self.run(self.store.load(commit.key))
        if payment.owner == commit.owner:
            self.held[commit.owner][commit.key] = self.run(self.store.load(commit.key))
        else:
            self.held[commit.owner].pop(commit.key, None)

    @rule(key=keys, reply_is_lost=st.booleans(), is_command=st.booleans())
    def notify(self, key, reply_is_lost, is_command=False):
        number = next(self.numbers)
        observation, op = b"observation %d" % number, f"notify {number}"
        self.model.notify(key, observation, op, is_command=is_command)
        outcome = NotifyOutcome.STORED if key in self.model.payments else NotifyOutcome.ORPHANED
        for _ in range(2 if reply_is_lost else 1):
            assert self.run(self.store.notify(key, observation, op=op, is_command=is_command)) is outcome

    @rule(worker=workers)
    def crash_and_be_missed(self, worker):
        self.held[worker].clear()
        self.unanswered = [(commit, due) for commit, due in self.unanswered if commit.owner != worker]
        self.time_passes(steps=2)

    @precondition(lambda self: self.model.payments)
    @rule(data=st.data())
    def kill_its_workers(self, data):
        key = data.draw(st.sampled_from(sorted(self.model.payments, key=str)))
        for worker in (WORKERS * ALONE_AT_CLAIMS)[:ALONE_AT_CLAIMS]:
            self.claim_one(worker=worker, key=key)
            self.crash_and_be_missed(worker=worker)

    @rule(steps=st.sampled_from([1, 2]))
    def time_passes(self, steps):
        self.model.now += steps * STEP_MS
        self.run(self.world.advance(steps * STEP_MS))

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data())
    def sleep_through_the_lease(self, data):
        worker, key = self.a_held(data)
        self.time_passes(steps=2)
        self.claim_one(worker=next(other for other in WORKERS if other != worker), key=key)

    def a_held(self, data):
        return data.draw(st.sampled_from([(worker, key) for worker in WORKERS for key in self.held[worker]]))

    @invariant()
    def all_promises_hold(self):
        records, dues, events, now = self.run(self.look())
        for key, payment in self.model.payments.items():
            self.what_is_stored_is_what_the_model_says(records[key], payment)
            self.what_is_unfinished_comes_due_or_is_leased(dues[key], now, payment)
        for key in KEYS:
            assert key in self.model.payments or records[key] is None
            self.each_payment_has_its_events_without_gap_or_repetition(key, events)

    async def look(self):
        loads = asyncio.gather(*(self.store.load(key) for key in KEYS))
        dues = asyncio.gather(*(self.world.due(key) for key in KEYS))
        events, now = self.world.events(), self.world.now_ms()
        answers = await asyncio.gather(loads, dues, events, now)
        return dict(zip(KEYS, answers[0], strict=True)), dict(zip(KEYS, answers[1], strict=True)), *answers[2:]

    def what_is_stored_is_what_the_model_says(self, record, payment):
        assert record is not None
        assert (record.version, record.sequence, record.body) == (payment.version, payment.sequence, payment.body)
        assert (record.observed, record.observations) == (payment.observed, tuple(payment.waiting))
        assert (record.owner, record.claims, record.rests) == (payment.owner, payment.claims, payment.rests)

    def each_payment_has_its_events_without_gap_or_repetition(self, key, events):
        payment = self.model.payments.get(key)
        mine = [event for event in events if event.startswith(f"{key}:".encode())]
        assert mine == [f"{key}:{n}".encode() for n in range(1, (payment.sequence if payment else 0) + 1)]

    def what_is_unfinished_comes_due_or_is_leased(self, due, now, payment):
        assert (due is None) == (payment.due is None)
        if due is not None:
            assert abs((due - now) - (payment.due - self.model.now)) < TOLERANCE_MS
        if payment.waiting or payment.owner:
            assert due is not None


def run_machine(open_world, *, examples, steps):
    machine = type("Machine", (StoreMachine,), {"open_world": staticmethod(open_world)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_twin_keeps_its_promises_whatever_happens():
    run_machine(MemoryWorld, examples=100, steps=40)


def test_redis_keeps_its_promises_whatever_happens(redis_url):
    namespaces = (f"machine{number}." for number in itertools.count())
    run_machine(lambda: RedisWorld(redis_url, namespace=next(namespaces)), examples=40, steps=40)
