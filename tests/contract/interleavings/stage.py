"""The real engine on one of the two stores, a scripted provider, and the order of what happens in the test's hands."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from orchestrator.accept import accept
from orchestrator.advance import advance, notify
from orchestrator.codec import decode
from orchestrator.engine import Engine
from orchestrator.flows import FLOWS
from orchestrator.observation import WebhookSeen
from orchestrator.ports import CallClass, NotifyOutcome, ProviderRequest, Record, Reply
from orchestrator.refuse import Incoming
from orchestrator.rules import IntakeRules
from orchestrator.webhook_auth import WebhookAuth
from tests.contract.interleavings.halts import PATIENCE_S, Halt, Halts, Way
from tests.unit.core.building import as_body, card_intent
from tests.unit.engine.world import CARD, EMPTY_LIST, KEYS, PATHS, TURNS_MAX, UNKNOWN_ID, Ledger

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from orchestrator.identity import PaymentKey
    from orchestrator.payment import Payment
    from orchestrator.policy import Policy
    from tests.contract.interleavings.grounds import Ground

KINDS = PATHS | {"/v2/cards/refund_payment": "refund", "/v2/payins/refund": "refund"}
SHORT_LEASE_MS = 300


class ScriptedDesk:
    """The provider: answers each kind of call from its script, whose last line is repeated."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, ProviderRequest]] = []
        self._scripts: dict[str, list[Any]] = {"list": [EMPTY_LIST], "detail": [UNKNOWN_ID], "status": [UNKNOWN_ID]}

    def script(self, kind: str, *lines: Any) -> None:
        """Replies, or functions of the request that give one."""
        self._scripts[kind] = list(lines)

    async def answer(self, request: ProviderRequest) -> Reply:
        kind = KINDS.get(request.path, "card")
        self.requests.append((kind, request))
        lines = self._scripts[kind]
        line = lines.pop(0) if len(lines) > 1 else lines[0]
        reply = line(request) if callable(line) else line
        if inspect.isawaitable(reply):
            reply = await reply
        assert isinstance(reply, Reply)
        return reply

    @property
    def calls(self) -> Counter[str]:
        return Counter(kind for kind, _ in self.requests)


class Line:
    """One worker's line to the provider, with a halt on either side of the wire."""

    def __init__(self, desk: ScriptedDesk, ground: Ground, halts: Halts) -> None:
        self._desk = desk
        self._ground = ground
        self._halts = halts

    async def prepare(self, request: ProviderRequest, *, permit: Any) -> Reply | None:
        """What a gateway create needs is at hand."""
        return None

    async def call(self, request: ProviderRequest, *, send_before_s: float | None = None) -> Reply:
        if request.method == "POST":
            await self._halts.passing("before the wire")
            self._halts.was_answered = True
        if send_before_s is not None and self._ground.clock.monotonic_s() > send_before_s:
            return Reply(sent=False, error="too_late")
        reply = await self._desk.answer(request)
        await self._halts.passing("on the wire" if request.method == "POST" else "while reading")
        return reply


class Gate:
    """The limiter: open, but for merchants that are paused."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._until_ms: dict[str, int] = {}

    async def permit(self, merchant: str, call_class: CallClass) -> int:
        return max(0, self._until_ms.get(merchant, 0) - self._ground.clock.now_ms())

    def ended(self, account: str) -> None:
        """Slots are not counted here."""

    async def outcome(self, account: str, *, is_alive: bool) -> None:
        """No breaker here."""

    def rationed(self) -> Mapping[str, float]:
        return {}

    def broken(self) -> Sequence[str]:
        return ()

    async def pause(self, merchant: str, *, for_ms: int, reason: str) -> None:
        self._until_ms[merchant] = self._ground.clock.now_ms() + for_ms

    async def paused(self) -> Mapping[str, str]:
        return dict.fromkeys(self._until_ms, "paused")


class Worker:
    """A process: its own engine, its own way to the store, its own line to the provider."""

    def __init__(self, name: str, stage: Stage, way: Way, halts: Halts) -> None:
        self.name = name
        self.way = way
        self.halts = halts
        self.engine = stage.engine(name, way, halts)

    def halt(self, place: str) -> Halt:
        """Stop this worker when it comes there next."""
        return self.halts.at(place)

    async def deliver(self, intent: dict[str, Any] | None = None, *, claim: bool = False) -> Record | None:
        """A message comes off a queue and is stored."""
        incoming = Incoming(body=as_body(intent or card_intent()), origin="stream")
        return await accept(incoming, engine=self.engine, claim=claim)

    async def submit(self, intent: dict[str, Any] | None = None) -> None:
        """A message comes off a queue; its payment is stored, claimed and advanced."""
        record = await self.deliver(intent, claim=True)
        if record is not None:
            await advance(record, engine=self.engine)

    async def command(self, name: str, key: PaymentKey = CARD, *, command_id: str = "c-1", **fields: Any) -> None:
        """A command comes off a queue and is kept with its payment."""
        message = {"command": name, "intent_id": key.intent_id, "command_id": command_id} | fields
        await accept(Incoming(body=as_body(message), origin="stream", is_command=True), engine=self.engine)

    async def claim(self) -> list[Record]:
        """What is due is claimed, no more."""
        return list(await self.way.claim(0, owner=self.name, lease_ms=self.engine.policy.lease_ms, limit=10))

    async def advance(self, record: Record) -> None:
        await advance(record, engine=self.engine)

    async def take(self) -> int:
        """What is due is claimed and advanced; how many payments that were."""
        records = await self.claim()
        for record in records:
            await self.advance(record)
        return len(records)


class Stage:
    """One store, one provider, and as many workers as a test asks for."""

    def __init__(self, ground: Ground, policy: Policy) -> None:
        self.ground = ground
        self.desk = ScriptedDesk()
        self.gate = Gate(ground)
        self.ledger = Ledger()
        self.policy = policy
        self._running: list[asyncio.Task[Any]] = []

    def engine(self, owner: str, way: Way, halts: Halts) -> Engine:
        return Engine(
            store=way,
            provider=Line(self.desk, self.ground, halts),
            limiter=self.gate,
            clock=self.ground.clock,
            journal=self.ledger,
            policy=self.policy,
            rules=IntakeRules(merchants=frozenset({"default"}), flows=frozenset(FLOWS)),
            webhooks=WebhookAuth("https://hooks.example", ("secret",)),
            namespace="",
            owner=owner,
        )

    async def worker(self, name: str, *, lease_ms: int | None = None) -> Worker:
        """One more process; with `lease_ms` the store lends it leases of that length, whatever it asks for.

        The engine goes on to reckon with its own lease, so that only the store's clock ends a claim.
        """
        halts = Halts()
        return Worker(name, self, Way(await self.ground.wire(), self.ground, halts, lends_ms=lease_ms), halts)

    # What happens

    def start(self, doing: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Let somebody do something meanwhile; `finish` waits for its end."""
        task = asyncio.ensure_future(doing)
        self._running.append(task)
        return task

    async def finish(self, *tasks: asyncio.Task[Any]) -> list[Any]:
        """Return what was done when all of it is; what went wrong is raised."""
        async with asyncio.timeout(PATIENCE_S):
            return list(await asyncio.gather(*tasks))

    async def kill(self, task: asyncio.Task[Any]) -> None:
        """Whoever did this is gone, and does nothing after the line at which it stood."""
        self._running.remove(task)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    async def hook(self, web: Worker, body: object, key: PaymentKey = CARD, *, attempt: int = 1) -> NotifyOutcome:
        """A verified webhook comes in; nobody takes it up yet."""
        text = body if isinstance(body, str) else json.dumps(body)
        seen = WebhookSeen(attempt=attempt, at_ms=self.ground.clock.now_ms(), body=text)
        return await notify(key, seen, engine=web.engine)

    async def lease_runs_out(self, key: PaymentKey = CARD) -> None:
        """Return as soon as nobody owns the payment, by the store's clock."""
        record = await self.ground.world.store.load(key)
        assert record is not None
        assert record.owned_until_ms is not None
        while (left_ms := record.owned_until_ms - await self.ground.world.now_ms()) > -1:
            await self.ground.tick(left_ms + 1)

    async def settle(self, worker: Worker, *, for_ms: int = 0) -> None:
        """Let a worker do what is due, and what becomes due within this time."""
        until_ms = self.ground.clock.now_ms() + for_ms
        for _ in range(TURNS_MAX):
            if await worker.take():
                continue
            due = [at for at in [await self.ground.world.due(key) for key in KEYS] if at is not None]
            left_ms = until_ms - self.ground.clock.now_ms()
            wait_ms = min(due) - await self.ground.world.now_ms() if due else left_ms + 1
            if wait_ms > left_ms:
                await self.ground.pass_ms(max(0, left_ms))
                return
            await self.ground.pass_ms(max(0, wait_ms))
        raise AssertionError(f"nothing settles: {self.desk.requests[-3:]}, {self.ledger.lines[-6:]}")

    async def close(self) -> None:
        """Nothing that a test began may be left, nor may its failure be."""
        for task in self._running:
            task.cancel()
        ends = await asyncio.gather(*self._running, return_exceptions=True)
        await self.ground.close()
        assert not [end for end in ends if isinstance(end, asyncio.CancelledError)], "a task was left standing"

    # What is to be seen

    @property
    def calls(self) -> Counter[str]:
        """How often the provider was asked, by kind."""
        return self.desk.calls

    async def is_due(self, key: PaymentKey = CARD) -> bool:
        """Whether a worker that looks now takes the payment."""
        due = await self.ground.world.due(key)
        return due is not None and due <= await self.ground.world.now_ms()

    async def payment(self, key: PaymentKey = CARD) -> Payment:
        return decode((await self.record(key)).body)

    async def record(self, key: PaymentKey = CARD) -> Record:
        record = await self.ground.world.store.load(key)
        assert record is not None
        return record

    async def views(self, key: PaymentKey = CARD) -> list[dict[str, Any]]:
        """The data of the payment's events, in order."""
        events = [json.loads(event)["data"] for event in await self.ground.world.events()]
        return [data for data in events if data["intent_id"] == key.intent_id]

    async def story(self, key: PaymentKey = CARD) -> list[str]:
        """The published statuses with their reasons, in order; I3 is looked after on the way."""
        views = await self.views(key)
        await self._assert_consistent(views, key)
        return [view["status"] + (f"/{view['reason']}" if view["reason"] else "") for view in views]

    async def _assert_consistent(self, views: list[dict[str, Any]], key: PaymentKey) -> None:
        """I3: gapless sequences, each event another view, and the store agrees with the last one."""
        assert [view["sequence"] for view in views] == list(range(1, len(views) + 1))
        hidden = {"sequence", "previous_status", "observed_by", "metadata", "provider"}
        shown = [
            {name: value for name, value in view.items() if name not in hidden}
            | {"reference": view["provider"]["reference"]}
            for view in views
        ]
        assert all(earlier != later for earlier, later in pairwise(shown))
        assert [view["previous_status"] for view in views] == [None, *[view["status"] for view in views]][: len(views)]
        assert (await self.record(key)).sequence == len(views)
