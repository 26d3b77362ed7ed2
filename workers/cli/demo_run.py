"""One run of the demo: submit, listen, play the customers, wait for the endings, look at everything."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from workers.cli.demo_check import Difference, Expected, differences
from workers.cli.demo_model import Deed, Order
from workers.cli.demo_orders import CONFLICT, bad_intents, conflicting, orders
from workers.cli.demo_progress import Progress
from workers.cli.demo_story import EventData, Story
from workers.cli.stack import Stack, StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workers.cli.demo_listener import Listener
    from workers.cli.demo_players import SandboxControl
    from workers.cli.demo_ways import Ways
    from workers.cli.stack_settings import StackSettings

ENDINGS_S = 50.0
# What the order service does, as a command; everything else is played at the provider.
COMMANDS: dict[Deed, tuple[str, dict[str, str]]] = {
    Deed.CAPTURE: ("capture", {}),
    Deed.CANCEL: ("cancel", {}),
    Deed.ENTER_CODE: ("confirm_otp", {"code": "123456"}),
    Deed.ENTER_WRONG_CODE: ("confirm_otp", {"code": "000000"}),
}
# Commands that cannot be obeyed: their fields, and what each is refused with.
IMPOSSIBLE: dict[str, tuple[dict[str, str], str]] = {
    "capture": ({}, "not_capturable"),
    "refund": ({"refund_id": "too-early"}, "not_refundable"),
}
SILENCE_S = 0.5  # after the last ending; whatever comes in it belongs to the run
TURN_S = 0.1
MERCHANT = "default"


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a run led to."""

    orders: Sequence[Order]
    story: Story
    ledger: Sequence[Mapping[str, Any]]
    token_calls: int
    differences: Sequence[Difference]
    elapsed_s: float


class Run:
    """The payments of one run and what is known of them."""

    def __init__(
        self,
        name: str,
        *,
        fast: bool,
        stack: Stack,
        listener: Listener,
        ways: Ways,
        control: SandboxControl,
        show: Callable[[Story, int, float], None],
    ) -> None:
        self._stack, self._listener, self._ways, self._control, self._show = stack, listener, ways, control, show
        self._orders = orders(name, fast=fast)
        self._bad = bad_intents(name)
        self._progress = {order.intent_id: Progress(order) for order in self._orders}
        payins = [each for each in self._orders if each.scenario.flow == "payin" and not each.as_task]
        self._repeated, self._contested = payins[:2]
        self._story = Story()
        self._began_s = time.monotonic()

    def go(self) -> Result:
        """Run to the end, or for ENDINGS_S; raises StackError where a program of the stack ended, SandboxError."""
        for order in self._orders:
            self._control.order_fault(order)
        self._ways.submit(self._orders)
        for _, intent in self._bad:
            self._ways.send(intent)
        expected = self._expected()
        while not self._is_over(expected) and self._elapsed_s() < ENDINGS_S:
            self._turn(TURN_S)
        while self._turn(SILENCE_S):
            pass
        return self._result(expected)

    def _result(self, expected: Expected) -> Result:
        ledger, views = self._control.ledger(), stored_views(self._stack.settings, self._progress)
        token_calls = self._control.token_calls()
        return Result(
            orders=self._orders,
            story=self._story,
            ledger=ledger,
            token_calls=token_calls,
            differences=differences(expected, story=self._story, ledger=ledger, views=views, token_calls=token_calls),
            elapsed_s=self._elapsed_s(),
        )

    def _expected(self) -> Expected:
        refusals: Counter[tuple[str | None, str, str | None]] = Counter(
            (str(intent["intent_id"]), refusable.code, refusable.field) for refusable, intent in self._bad
        )
        refusals[self._contested.intent_id, CONFLICT, "intent_id"] += 1
        refusals.update((self._contested.intent_id, code, name) for name, (_, code) in IMPOSSIBLE.items())
        return Expected(orders=self._orders, refusals=refusals)

    def _is_over(self, expected: Expected) -> bool:
        has_ended = all(progress.has_ended for progress in self._progress.values())
        return has_ended and len(self._story.refusals) >= expected.refusals.total()

    def _turn(self, timeout_s: float) -> bool:
        """Take an event and do what it asks for; False where none came."""
        event = self._listener.next(timeout_s)
        data = self._story.hear(event) if event is not None else None
        if data is not None:
            self._act(data)
        self._show(self._story, len(self._orders), self._elapsed_s())
        if dead := self._stack.dead():
            raise StackError(f"{dead.name} ended with status {dead.exit_status}. Its last lines:\n{dead.tail()}")
        return event is not None

    def _act(self, data: EventData) -> None:
        progress = self._progress.get(data["intent_id"])
        if progress is None:
            return
        if data["status"] == "accepted":
            self._trouble(progress.order)
        deed = progress.take(data)
        if deed in COMMANDS:
            name, fields = COMMANDS[deed]
            command_id = f"{data['intent_id']}-{data['sequence']}"
            for _ in range(2):  # idempotent by its id
                self._ways.command(name, progress.order, command_id=command_id, **fields)
        elif deed is not None:
            self._control.play(deed, progress.order)

    def _trouble(self, order: Order) -> None:
        """An order service that sends again, one that uses an id twice, and one that asks for what cannot be."""
        if order is self._repeated:
            self._ways.send(order.intent)
        if order is self._contested:
            self._ways.send(conflicting(order))
            for name, (fields, _) in IMPOSSIBLE.items():
                self._ways.command(name, order, command_id=f"{order.intent_id}-{name}", **fields)

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s


def stored_views(settings: StackSettings, intent_ids: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    """The public views by intent id, as `GET /v1/payments` shows them; what it does not show is left out."""
    headers = {"Authorization": f"Bearer {settings.read_token}"}
    with httpx.Client(base_url=settings.web_url, headers=headers, trust_env=False, timeout=10) as client:
        replies = {each: client.get(f"/v1/payments/{MERCHANT}/{each}") for each in intent_ids}
    return {each: reply.json() for each, reply in replies.items() if reply.status_code == httpx.codes.OK}
