"""Laws of refunds, for any sequence of commands, answers, webhooks and looks (I1, I7)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.commands import obey, parse_command
from orchestrator.dialect import Dialect
from orchestrator.doubt import abandoned
from orchestrator.errors import RefusedError
from orchestrator.flows import FLOWS
from orchestrator.next_step import Become, Send, Tell, next_step, sending, told
from orchestrator.observe import observe
from orchestrator.outcome import after_reply
from orchestrator.payment import CREATE, Operation, Payment, open_refund, refunds_of
from orchestrator.policy import Policy
from orchestrator.ports import ProviderRequest, Reply
from orchestrator.refunds import returned_minor
from orchestrator.sighting import Source
from orchestrator.statuses import Status
from tests.unit.core.building import (
    BELIEF,
    NOW_MS,
    card_body,
    card_intent,
    created,
    payid_body,
    payid_intent,
    payin_body,
    payin_intent,
    sighting_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = Policy(dialect=Dialect(card_refund_unit="minor"))
KINDS: dict[str, tuple[Callable[[], dict[str, Any]], Callable[..., dict[str, Any]], int]] = {
    "card": (card_intent, card_body, 10_000),
    "payid": (payid_intent, payid_body, 10_000),
    "payin": (payin_intent, payin_body, 50_000),
}
REFUSED = Reply(sent=True, http_status=422, body={"errors": {"message": "no"}}, is_json=True)
ANSWERS = st.sampled_from(["taken", "taken", "refused", "lost", "late", "unsent", "busy"])
COMMANDS = st.tuples(
    st.just("ask"),
    st.sampled_from(["r-1", "r-2", "r-3", "r-4"]),
    st.one_of(st.none(), st.sampled_from([1, 2_500, 5_000, 7_500, 10_000, 50_000]), st.integers(1, 60_000)),
    ANSWERS,
)
LATE = st.tuples(st.just("late"), st.integers(0, 9))
HAPPENINGS = st.sampled_from(
    [("webhook",), ("read",), ("return",), ("reject",), ("dispute",), ("win",), ("arrive",), ("later",), ("die",)]
)


@dataclass
class CarelessProvider:
    """It pays back whatever it is asked for, several refunds at a time: only we keep to what was paid."""

    flow: str
    word: str = "received"
    returned_minor: int = 0
    running: list[int] = field(default_factory=list)

    def execute(self, request: ProviderRequest) -> bool:
        body = request.body or {}
        amount: Any = body.get("amount", body.get("refund_amount"))
        if self.word == "in_dispute":
            return False
        self.running.append(int(amount if self.flow == "card" else amount * 100))
        self.word = "return_pending"
        return True

    def end(self, *, is_returned: bool) -> None:
        if not self.running:
            return
        ended_minor = self.running.pop(0)
        self.returned_minor += ended_minor if is_returned else 0
        part = "partially_refunded" if self.flow == "card" and self.returned_minor < 10_000 else "return_received"
        ended = part if is_returned else "return_rejected"
        self.word = "return_pending" if self.running else ended

    def dispute(self) -> None:
        """Before anything was returned: a won one is `received` again, which tells of no return in between."""
        self.word = "in_dispute" if self.word == "received" else self.word

    def win(self) -> None:
        self.word = "received" if self.word == "in_dispute" else self.word

    def body(self) -> dict[str, Any]:
        body = KINDS[self.flow][1](self.word)
        sum_minor = sum(self.running) + self.returned_minor
        if self.flow != "payin" and sum_minor:
            body["refund_information"] = {"refund_amount": str(Decimal(sum_minor) / 100), "total_amount": "100.0"}
        return body


class Case:
    """One payment and its provider; only the engine's own functions change the payment."""

    def __init__(self, flow: str) -> None:
        intent, _, self.paid_minor = KINDS[flow]
        self.payment: Payment = created(
            intent(), status=Status.SUCCEEDED, paid_minor=self.paid_minor, provider_status="received"
        )
        self.provider = CarelessProvider(flow)
        self.now_ms = NOW_MS
        self.asked: dict[str, int] = {}  # how often each refund reached the provider
        self.on_the_way: list[tuple[str, ProviderRequest]] = []  # sent, and not at the provider yet
        self.notices: list[dict[str, Any]] = []  # every webhook so far; any may come again, in any order
        self._count = 0

    def ask(self, refund_id: str, amount_minor: int | None, answer: str) -> None:
        """Another command; what it lets the program do is done, and answered so."""
        self._count += 1
        message = {"command": "refund", "intent_id": self.payment.key.intent_id, "command_id": f"c-{self._count}"}
        command = parse_command(message | {"refund_id": refund_id, "amount_minor": amount_minor})
        try:
            self.payment = obey(self.payment, command, now_ms=self.now_ms, dialect=POLICY.dialect)
        except RefusedError:
            return
        self.work(answer)

    def work(self, answer: str) -> None:
        """What the program does of itself until it waits or looks."""
        for _ in range(5):
            step = next_step(self.payment, policy=POLICY, now_ms=self.now_ms)
            if isinstance(step, Become):
                self.payment = step.payment
            elif isinstance(step, Tell):
                self.payment = told(self.payment, name=step.operation)
            elif isinstance(step, Send):
                self._send(step.operation, answer)
            else:
                return

    def _send(self, name: str, answer: str) -> None:
        refund = FLOWS[self.payment.flow].refund
        assert refund is not None
        request = refund(self.payment, self.payment.operations[name], POLICY.dialect)
        self.payment = sending(self.payment, name, policy=POLICY, now_ms=self.now_ms)
        reply = self._answer(name, request, answer)
        if reply is None:
            return
        self.payment = after_reply(
            self.payment,
            name,
            reply,
            sighting_of(self.payment, reply.body, Source.REPLY, name),
            deadline_ms=self.payment.operations[name].deadline_ms,
            belief=BELIEF,
            policy=POLICY,
            now_ms=self.now_ms,
        )

    def _execute(self, name: str, request: ProviderRequest) -> bool:
        is_executed = self.provider.execute(request)
        self.asked[name] = self.asked.get(name, 0) + is_executed
        return is_executed

    def _answer(self, name: str, request: ProviderRequest, answer: str) -> Reply | None:
        if answer == "unsent":
            return Reply(sent=False, error="ClientConnectorError")
        if answer == "busy":
            return Reply(sent=True, http_status=429)
        if answer == "refused":
            return REFUSED
        if answer == "late":
            self.on_the_way.append((name, request))
            return Reply(sent=True, error="ServerTimeoutError")
        is_executed = self._execute(name, request)
        if answer == "lost":
            return Reply(sent=True, error="ServerTimeoutError")
        return Reply(sent=True, http_status=200, body=self.provider.body(), is_json=True) if is_executed else REFUSED

    def happen(self, what: str) -> None:
        """Something at the provider, or something that we hear of it."""
        if self.provider.body() not in self.notices:
            self.notices.append(self.provider.body())
        match what:
            case "return" | "reject":
                self.provider.end(is_returned=what == "return")
            case "dispute":
                self.provider.dispute()
            case "win":
                self.provider.win()
            case "arrive":
                if self.on_the_way:
                    self._execute(*self.on_the_way.pop(0))
            case "later":
                self.now_ms += 600_000
                self.work("taken")
            case "die":
                self.payment = abandoned(self.payment, now_ms=self.now_ms)
            case "webhook" | "read":
                self._hear(self.provider.body(), Source.WEBHOOK if what == "webhook" else Source.READ)

    def hear_late(self, which: int) -> None:
        """An earlier webhook comes once more, or only now."""
        if self.notices:
            self._hear(self.notices[which % len(self.notices)], Source.WEBHOOK)

    def _hear(self, body: dict[str, Any], source: Source) -> None:
        sighting = sighting_of(self.payment, body, source)
        self.payment = observe(self.payment, sighting, belief=BELIEF, now_ms=self.now_ms)

    def check(self) -> None:
        """The laws."""
        may_move = [refund.amount_minor or 0 for refund in refunds_of(self.payment) if open_refund(alone(self, refund))]
        assert returned_minor(self.payment) + sum(may_move) <= self.paid_minor
        assert self.provider.returned_minor + sum(self.provider.running) <= self.paid_minor
        assert all(count <= 1 for count in self.asked.values())
        assert self.payment.refunded_minor <= self.provider.returned_minor
        assert self.payment.paid_minor == self.paid_minor


def alone(case: Case, refund: Operation) -> Payment:
    """The payment as if this were its only refund."""
    return replace(case.payment, operations={CREATE: case.payment.create, refund.name: refund})


@settings(max_examples=300, deadline=None)
@given(flow=st.sampled_from(sorted(KINDS)), steps=st.lists(st.one_of(COMMANDS, HAPPENINGS, LATE), max_size=25))
def test_i1_i7_never_more_goes_back_than_was_paid_and_no_refund_goes_twice(flow, steps):
    case = Case(flow)
    for what, *details in steps:
        if what == "ask":
            case.ask(*details)
        elif what == "late":
            case.hear_late(*details)
        else:
            case.happen(what)
        case.check()


@given(
    flow=st.sampled_from(sorted(KINDS)),
    parts=st.lists(st.integers(1, 10_000), min_size=1, max_size=6),
    hears=st.lists(st.sampled_from(["webhook", "read"]), min_size=12, max_size=12),
)
def test_parts_that_go_back_one_by_one_sum_up_to_what_was_returned(flow, parts, hears):
    case = Case(flow)
    sum_minor = 0
    for number, (part, first, last) in enumerate(zip(parts, hears[::2], hears[1::2], strict=False)):
        case.ask(f"r-{number}", part, "taken")
        case.happen(first)
        case.happen("return")
        case.happen(last)
        if case.payment.look_wanted is not None:
            case.happen("read")
        sum_minor += part if sum_minor + part <= case.paid_minor else 0
        assert case.provider.returned_minor == sum_minor
        assert returned_minor(case.payment) == sum_minor
        case.check()
