"""One run of the demo: submit, listen, play the customers, wait for the endings, look at everything."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from workers.cli.demo_check import Difference, Expected, differences
from workers.cli.demo_scenarios import CONFLICT, Order, bad_intents, conflicting, orders
from workers.cli.demo_story import EventData, Story
from workers.cli.stack import Stack, StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workers.cli.demo_listener import Listener
    from workers.cli.demo_players import SandboxControl
    from workers.cli.demo_ways import Ways
    from workers.cli.stack_settings import StackSettings

ENDINGS_S = 50.0
SILENCE_S = 0.5  # after the last ending; whatever comes in it belongs to the run
TURN_S = 0.1
MERCHANT = "default"


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a run led to."""

    orders: Sequence[Order]
    story: Story
    ledger: Sequence[Mapping[str, Any]]
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
        self._by_id = {order.intent_id: order for order in self._orders}
        self._repeated, self._contested = [order for order in self._orders if not order.as_task][:2]
        self._played: set[str] = set()
        self._story = Story()
        self._began_s = time.monotonic()

    def go(self) -> Result:
        """Run to the end, or for ENDINGS_S; raises StackError where a program of the stack ended."""
        self._ways.submit(self._orders)
        for _, intent in self._bad:
            self._ways.send(intent)
        expected = self._expected()
        while not self._is_over(expected) and self._elapsed_s() < ENDINGS_S:
            self._turn(TURN_S)
        while self._turn(SILENCE_S):
            pass
        ledger, views = self._control.ledger(), stored_views(self._stack.settings, self._by_id)
        return Result(
            orders=self._orders,
            story=self._story,
            ledger=ledger,
            differences=differences(expected, story=self._story, ledger=ledger, views=views),
            elapsed_s=self._elapsed_s(),
        )

    def _expected(self) -> Expected:
        refusals: Counter[tuple[str | None, str, str | None]] = Counter(
            (str(intent["intent_id"]), refusable.code, refusable.field) for refusable, intent in self._bad
        )
        refusals[self._contested.intent_id, CONFLICT, "intent_id"] += 1
        return Expected(orders=self._orders, refusals=refusals)

    def _is_over(self, expected: Expected) -> bool:
        return self._story.has_ended(self._by_id) and len(self._story.refusals) >= expected.refusals.total()

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
        order = self._by_id.get(data["intent_id"])
        if order is None:
            return
        if data["status"] == "accepted":
            self._trouble(order)
        if data["status"] == "requires_action" and order.intent_id not in self._played:
            self._played.add(order.intent_id)
            self._control.play(order.scenario.deed, data["provider"]["reference"])

    def _trouble(self, order: Order) -> None:
        """An order service that sends again, and one that uses an id twice."""
        if order is self._repeated:
            self._ways.send(order.intent)
        if order is self._contested:
            self._ways.send(conflicting(order))

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s


def stored_views(settings: StackSettings, intent_ids: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    """The public views by intent id, as `GET /v1/payments` shows them; what it does not show is left out."""
    headers = {"Authorization": f"Bearer {settings.read_token}"}
    with httpx.Client(base_url=settings.web_url, headers=headers, trust_env=False, timeout=10) as client:
        replies = {each: client.get(f"/v1/payments/{MERCHANT}/{each}") for each in intent_ids}
    return {each: reply.json() for each, reply in replies.items() if reply.status_code == httpx.codes.OK}
