"""How workers may call the provider: permitted, marked, in time, and never again where it may have been done."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from orchestrator.identity import PaymentKey
from orchestrator.outcome import Verdict, verdict_of
from orchestrator.payment import CAPTURE, CREATE, REFUND_PREFIX, OperationState, Payment
from tests.simulator.loop import LIFE
from tests.simulator.replies import Replies
from tests.simulator.wire import TOTAL_S

if TYPE_CHECKING:
    from orchestrator.ports import ProviderRequest, Reply
    from tests.simulator.loop import Life
    from tests.simulator.world import World

STOP_MIN_S = 45.0  # so long a worker that is told to end lets its calls end: any does by then
SLACK_MS = 3_000  # clocks are off a little, and a call leaves a moment after it was decided
NOT_DONE = frozenset({Verdict.NOT_EXECUTED, Verdict.UNAUTHORISED, Verdict.REFUSED})
_HOOKS = ("webhook_notification", "payment_request_notification", "payment_gateway_notification")
_NAMES = {"/v2/cards/capture_payment": CAPTURE, "/v2/payins/confirm_otp": "confirm_otp"}
Sending = tuple[str, str, str]  # intent, operation, attempt or code


class Conduct:
    """Watches the calls as they leave and their answers as they come."""

    def __init__(self, world: World) -> None:
        self.replies = Replies(world)
        self._world = world
        self._permits: Counter[tuple[str, str]] = Counter()
        self._unwelcome: set[str] = set()  # accounts that the provider did not want to hear
        self._open: dict[Sending, tuple[str, float]] = {}  # sent, and perhaps done: by whom, and when

    def begin_anew(self) -> None:
        """The store lost its tail, and with it that something was sent: what is harmless to make is made once more."""
        provider = self._world.provider
        self._open = {
            sending: who
            for sending, who in self._open.items()
            if sending[1] != CREATE or not provider.is_harmless(sending[0])
        }

    def permitted(self, life: Life, account: str) -> None:
        """The shared limit permitted a call."""
        self._permits[life.name, account] += 1

    def spend(self, life: Life, account: str, what: str) -> None:
        """Each call was permitted (I10)."""
        self._permits[life.name, account] -= 1
        if self._permits[life.name, account] < 0:
            self._world.violated("I10", f"{life.name} calls {what} of {account} without a permit")

    def leaves(self, life: Life, request: ProviderRequest) -> None:
        """A call goes out on the wire."""
        self.spend(life, request.credentials, request.path)
        if request.method != "POST":
            return
        sending = self._sending(request)
        if not self._world.tail.is_fresh:
            self._check_mark(life, sending)
        earlier = self._open.get(sending)
        if earlier is not None and sending[1] != CAPTURE and not self._never_came(sending, earlier[1]):
            self._world.violated(
                "I1", f"{life.name} sends {sending[1]} of {sending[0]} again, {earlier[0]} sent it before"
            )
        self._open[sending] = life.name, self._world.loop.time()

    def _never_came(self, sending: Sending, sent_s: float) -> bool:
        """The store lost that a create was sent, and a list shows since that it never arrived: its number is free."""
        world, (intent, name, attempt) = self._world, sending
        is_forgotten = name == CREATE and world.tail.lost_s is not None and sent_s <= world.tail.lost_s
        may_come = world.loop.time() < sent_s + TOTAL_S
        return is_forgotten and not may_come and not world.provider.creates[intent, int(attempt)]

    def answered(self, request: ProviderRequest, reply: Reply) -> None:
        """An answer reached who had called, or it is known that nothing was sent."""
        self.refuses(request.credentials, reply)
        if request.method != "POST":
            return
        sending, life = self._sending(request), LIFE.get()
        if life is not None:
            self.replies.heard(life, sending[0], sending[1])
        if verdict_of(reply) in NOT_DONE:
            self._open.pop(sending, None)

    def refuses(self, account: str, reply: Reply) -> None:
        """Perhaps the provider does not want to hear an account for a while."""
        if reply.http_status in {401, 429, 503}:
            self._unwelcome.add(account)

    def pauses(self, account: str) -> None:
        """A worker pauses an account: only one that the provider did not want to hear (I9)."""
        if account not in self._unwelcome:
            self._world.violated("I9", f"{account} is paused, though the provider never refused to hear it")

    def taken_over(self, key: PaymentKey, owner: str) -> None:
        """A claim ran out and another worker takes it: not from one that lives and reaches the store (I9)."""
        life, now_s = self._world.life_of(owner), self._world.loop.time()
        lease_s = self._world.policy.lease_ms / 1000
        is_well = life is not None and not (life.is_dead or life.is_frozen) and not self._world.store_is_away
        if life is not None and is_well and life.troubled_s + 2 * lease_s < now_s:
            self._world.violated("I9", f"{key} was taken from {owner}, which lives and reaches the store")

    def cut(self, life: Life, request: ProviderRequest) -> None:
        """A call on the wire was cancelled by its own process: only at the end of a stop that took long."""
        now_s = self._world.loop.time()
        if request.method == "POST" and life.stopping_s is not None and now_s < life.stopping_s + STOP_MIN_S:
            self._world.violated("I2", f"{life.name} cut {request.path} of {self.intent_of(request)} off, unheard")

    def _check_mark(self, life: Life, sending: Sending) -> None:
        """Before the call leaves, the store holds its mark, and its sender's claim is live (I1)."""
        world, (intent, name, _) = self._world, sending
        stored, payment = world.store._payments.get(PaymentKey.parse(intent)), world.checks.payment_of(intent)
        if stored is None or payment is None:
            world.violated("I1", f"{life.name} sends {name} of {intent}, which is not stored")
            return
        now_ms = int(world.loop.time() * 1000)
        if stored.owner != life.name or stored.owned_until_ms <= now_ms:
            world.violated("I1", f"{life.name} sends {name} of {intent}, which it does not own any more")
        elif not any(
            operation.state is OperationState.SENDING and operation.name.startswith(name)
            for operation in payment.operations.values()
        ):
            world.violated("I1", f"{life.name} sends {name} of {intent} without a mark")
        if name == CREATE:
            self._check_deadline(payment, now_ms)

    def _check_deadline(self, payment: Payment, now_ms: int) -> None:
        left_ms = self._world.policy.min_left_at_send_ms.get(payment.flow, 0)
        lapses = payment.expires_at_ms is not None and payment.expires_at_ms - left_ms + SLACK_MS < now_ms
        if lapses or payment.send_before_ms + SLACK_MS < now_ms:
            self._world.violated("I5", f"{payment.key} is sent after its deadline")

    def intent_of(self, request: ProviderRequest) -> str:
        """Whose payment a POST is about."""
        return self._sending(request)[0]

    def _sending(self, request: ProviderRequest) -> Sending:
        body: Any = request.body or {}
        hook = next((body[name] for name in _HOOKS if name in body), None)
        if hook is not None:
            merchant, intent_id, attempt = hook["endpoint_url"].split("/")[-3:]
            return f"{merchant}/{intent_id}", CREATE, attempt
        reference = str(body.get("uuid") or body["payment_request_id"])
        intent = self._world.provider.intent_of(reference)
        if request.path in _NAMES:
            return intent, _NAMES[request.path], str(body.get("code", ""))
        return intent, REFUND_PREFIX, str(body.get("description") or body.get("reason"))
