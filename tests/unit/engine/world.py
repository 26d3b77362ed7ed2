"""An engine on the store's twin, a frozen clock and a scripted provider."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.accept import accept
from orchestrator.adapters.memory_store import MemoryStore
from orchestrator.advance import advance, notify
from orchestrator.codec import decode
from orchestrator.engine import Engine
from orchestrator.errors import StoreUnavailableError
from orchestrator.flows import FLOWS
from orchestrator.identity import PaymentKey, shard_of
from orchestrator.observation import WebhookSeen
from orchestrator.policy import Policy
from orchestrator.ports import CallClass, Commit, Committed, NotifyOutcome, ProviderRequest, Record, Reply
from orchestrator.refuse import Incoming
from orchestrator.rules import IntakeRules
from orchestrator.unclaimed import refuse_unclaimed
from orchestrator.webhook_auth import WebhookAuth
from tests.unit.core.building import NOW_MS, as_body, card_intent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from orchestrator.payment import Payment

AnswerT = TypeVar("AnswerT")
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
TURNS_MAX = 2000  # a payment that wants more of them spins
DAY_MS = 24 * HOUR_MS
CARD = PaymentKey(merchant="default", intent_id="ord-1001")
PAYIN = PaymentKey(merchant="default", intent_id="ord-2001")
PAYID = PaymentKey(merchant="default", intent_id="ord-3001")
GATEWAY = PaymentKey(merchant="default", intent_id="ord-4001")
KEYS = (CARD, PAYIN, PAYID, GATEWAY)
PATHS = {
    "/v2/cards/create_payment": "create",
    "/v2/payins": "create",
    "/v1/merchants/create_payment": "create",
    "/v1/payment_gateways/create_payment": "create",
    "/v1/payment_requests/status": "status",
    "/v2/payins/confirm_otp": "otp",
    "/v2/cards/capture_payment": "capture",
    "/v2/payins/refund": "refund",
    "/v2/cards/refund_payment": "refund",
    "/v1/payment_requests/refund": "refund",
    "/v2/payins/detail": "detail",
    "/v2/cards/payments": "list",
    "/v2/payins/all": "list",
}


def said(body: object, http_status: int = 200) -> Reply:
    return Reply(sent=True, http_status=http_status, body=body, is_json=True)


UNKNOWN_ID = said({"errors": {"message": "Not found"}}, 404)
UNAUTHORISED = said({"errors": {"code": "REQUIRE_LOGIN", "message": "Not Authorised"}}, 401)
LOST = Reply(sent=True, error="ServerTimeoutError")
UNSENT = Reply(sent=False, error="ClientConnectorError")
EMPTY_LIST = said({"records": [], "page": 1, "per_page": 20, "total": 0})


class FrozenClock:
    def __init__(self) -> None:
        self.ms = NOW_MS

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000

    async def sleep(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


class ScriptedProvider:
    """Answers each kind of call from its script; the last line of a script is repeated."""

    def __init__(self, clock: FrozenClock) -> None:
        self.requests: list[tuple[str, ProviderRequest]] = []
        self.latency_ms = 10
        self._clock = clock
        self._scripts: dict[str, list[Any]] = {"list": [EMPTY_LIST], "detail": [UNKNOWN_ID], "status": [UNKNOWN_ID]}

    async def prepare(self, request: ProviderRequest, *, permit: Any) -> Reply | None:
        """What a gateway create needs is at hand unless the script `token` says otherwise."""
        if not request.needs_access_token or "token" not in self._scripts:
            return None
        assert await permit() == 0
        lines: list[Reply | None] = self._scripts["token"]
        return lines.pop(0) if len(lines) > 1 else lines[0]

    def script(self, kind: str, *lines: Any) -> None:
        """Replies, or functions of the request that give one (perhaps after something else happened)."""
        self._scripts[kind] = list(lines)

    @property
    def calls(self) -> Counter[str]:
        return Counter(kind for kind, _ in self.requests)

    async def call(self, request: ProviderRequest, *, send_before_s: float | None = None) -> Reply:
        if send_before_s is not None and self._clock.monotonic_s() > send_before_s:
            return Reply(sent=False, error="too_late")
        kind = PATHS.get(request.path, "card")
        self.requests.append((kind, request))
        self._clock.ms += self.latency_ms
        lines = self._scripts[kind]
        line = lines.pop(0) if len(lines) > 1 else lines[0]
        reply = line(request) if callable(line) else line
        if inspect.isawaitable(reply):
            reply = await reply
        assert isinstance(reply, Reply)
        return reply


class Gate:
    """The limiter: open, but for merchants that are paused; `before` runs before a permit is given."""

    def __init__(self, clock: FrozenClock) -> None:
        self.before: Callable[[CallClass], Awaitable[None]] | None = None
        self.given: Counter[str] = Counter()
        self._clock = clock
        self._until_ms: dict[str, int] = {}

    async def permit(self, merchant: str, call_class: CallClass) -> int:
        before, self.before = self.before, None
        if before is not None:
            await before(call_class)
        wait_ms = max(0, self._until_ms.get(merchant, 0) - self._clock.now_ms())
        self.given[call_class] += not wait_ms
        return wait_ms

    def ended(self, account: str) -> None:
        """Slots are not counted here."""

    async def outcome(self, account: str, *, is_alive: bool) -> None:
        """No breaker here."""

    def rationed(self) -> Mapping[str, float]:
        return {}

    def broken(self) -> Sequence[str]:
        return ()

    async def pause(self, merchant: str, *, for_ms: int, reason: str) -> None:
        self._until_ms[merchant] = self._clock.now_ms() + for_ms

    async def paused(self) -> Mapping[str, str]:
        return {merchant: "paused" for merchant, until in self._until_ms.items() if until > self._clock.now_ms()}


class Ledger:
    """The journal, kept."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, /, **fields: object) -> None:
        self.lines.append((event, fields))

    warning = info

    def said(self, event: str) -> int:
        return sum(1 for name, _ in self.lines if name == event)


class FlakyStore(MemoryStore):
    """The twin, whose answers (`lost`) or calls (`away`) get lost so many times for a method."""

    def __init__(self, *, clock: FrozenClock) -> None:
        super().__init__(clock=clock)
        self.lost: Counter[str] = Counter()
        self.away: Counter[str] = Counter()
        self.takes_ms: Counter[str] = Counter()  # of the next call only
        self.ops: list[str] = []
        self._frozen = clock

    async def commit(self, commit: Commit) -> Committed:
        self.ops.append(commit.op)
        return await self._flaky("commit", lambda: MemoryStore.commit(self, commit))

    async def notify(self, key: PaymentKey, observation: bytes, *, op: str, is_command: bool = False) -> NotifyOutcome:
        stored = partial(MemoryStore.notify, self, key, observation, op=op, is_command=is_command)
        return await self._flaky("notify", stored)

    async def accept(self, key: PaymentKey, **fields: Any) -> Any:
        return await self._flaky("accept", lambda: MemoryStore.accept(self, key, **fields))

    async def release(self, key: PaymentKey, *, owner: str, due_at_ms: int | None) -> bool:
        return await self._flaky("release", lambda: MemoryStore.release(self, key, owner=owner, due_at_ms=due_at_ms))

    async def _flaky(self, method: str, ask: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        if self.away[method]:
            self.away[method] -= 1
            raise StoreUnavailableError("away")
        answer = await ask()
        self._frozen.ms += self.takes_ms.pop(method, 0)
        if self.lost[method]:
            self.lost[method] -= 1
            raise StoreUnavailableError("answer lost")
        return answer


class World:
    """One store and one provider; workers are named owners."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.clock = FrozenClock()
        self.store = FlakyStore(clock=self.clock)
        self.provider = ScriptedProvider(self.clock)
        self.gate = Gate(self.clock)
        self.ledger = Ledger()
        self.policy = policy or Policy()
        self.engines = {name: self._engine(name) for name in ("w1", "w2")}

    def _engine(self, owner: str) -> Engine:
        return Engine(
            store=self.store,
            provider=self.provider,
            limiter=self.gate,
            clock=self.clock,
            journal=self.ledger,
            policy=self.policy,
            rules=IntakeRules(merchants=frozenset({"default", "shop-b"}), flows=frozenset(FLOWS)),
            webhooks=WebhookAuth("https://hooks.example", ("secret",)),
            namespace="",
            owner=owner,
        )

    # What happens

    async def deliver(self, intent: dict[str, Any] | bytes | None = None, *, origin: str = "stream") -> Record | None:
        """A message comes off a queue; stored, not claimed."""
        body = intent if isinstance(intent, bytes) else as_body(intent or card_intent())
        return await accept(Incoming(body=body, origin=origin), engine=self.engines["w1"])

    async def submit(self, intent: dict[str, Any] | None = None) -> None:
        """An intent is stored, claimed and advanced as far as it goes."""
        body = as_body(intent or card_intent())
        record = await accept(Incoming(body=body, origin="stream"), engine=self.engines["w1"], claim=True)
        if record is not None:
            await advance(record, engine=self.engines["w1"])

    async def command(
        self, name: str, *, key: PaymentKey = CARD, command_id: str = "c-1", turn: bool = True, **fields: Any
    ) -> None:
        """A command comes off a queue, and the worker that hears the bell."""
        message = {"command": name, "intent_id": key.intent_id, "command_id": command_id} | fields
        incoming = Incoming(body=as_body(message), origin="stream", is_command=True)
        await accept(incoming, engine=self.engines["w1"])
        if turn:
            await self.turn()

    async def sweep(self) -> None:
        """A worker looks for commands whose payment did not come."""
        for shard in range(self.store.shards):
            await refuse_unclaimed(shard, engine=self.engines["w1"])

    async def turn(self, *, worker: str = "w1") -> int:
        """A worker takes what is due now; how many payments that were."""
        taken = 0
        for shard in range(self.store.shards):
            records = await self.store.claim(shard, owner=worker, lease_ms=self.policy.lease_ms, limit=10)
            for record in records:
                await advance(record, engine=self.engines[worker])
            taken += len(records)
        return taken

    async def claim(self, key: PaymentKey = CARD, *, worker: str = "w1") -> Record:
        [record] = await self.store.claim(
            shard_of(key, shards=64), owner=worker, lease_ms=self.policy.lease_ms, limit=10
        )
        return record

    async def pass_time(self, for_ms: int, *, worker: str = "w1") -> None:
        """Time passes; whatever becomes due is taken at its time."""
        until_ms = self.clock.ms + for_ms
        for _ in range(TURNS_MAX):
            due = [at for at in (self.store.due(key) for key in KEYS) if at is not None]
            if not due or min(due) > until_ms:
                break
            self.clock.ms = max(self.clock.ms, *[min(due)])
            await self.turn(worker=worker)
        else:
            raise AssertionError(f"nothing settles: {self.provider.requests[-3:]}, {self.ledger.lines[-6:]}")
        self.clock.ms = max(self.clock.ms, until_ms)

    async def hook(self, body: object, *, key: PaymentKey = CARD, turn: bool = True) -> NotifyOutcome:
        """A verified webhook comes, and the worker that hears the bell."""
        text = body if isinstance(body, str) else json.dumps(body)
        seen = WebhookSeen(attempt=1, at_ms=self.clock.ms, body=text)
        outcome = await notify(key, seen, engine=self.engines["w1"])
        if turn:
            await self.turn()
        return outcome

    # What is to be seen

    def events(self, key: PaymentKey = CARD) -> list[dict[str, Any]]:
        events = [json.loads(event) for event in self.store.events(shard_of(key, shards=64))]
        return [event for event in events if event["data"]["intent_id"] == key.intent_id]

    def story(self, key: PaymentKey = CARD) -> list[str]:
        """The published statuses with their reasons, in order."""
        views = [event["data"] for event in self.events(key)]
        return [view["status"] + (f"/{view['reason']}" if view["reason"] else "") for view in views]

    def last(self, key: PaymentKey = CARD) -> dict[str, Any]:
        data: dict[str, Any] = self.events(key)[-1]["data"]
        return data

    def refusals(self) -> list[tuple[str, str]]:
        """The refused: id and code, in order."""
        return [(letter.refusal_id, letter.code) for letter in self.store.dead_letters]

    async def payment(self, key: PaymentKey = CARD) -> Payment:
        record = await self.store.load(key)
        assert record is not None
        return decode(record.body)

    async def assert_consistent(self, key: PaymentKey = CARD) -> None:
        """I3: gapless sequences, each event another view, and the store agrees with the last one."""
        events = self.events(key)
        assert [event["data"]["sequence"] for event in events] == list(range(1, len(events) + 1))
        hidden = {"sequence", "previous_status", "observed_by", "metadata"}
        views = [
            {name: value for name, value in event["data"].items() if name not in hidden}
            | {"provider": event["data"]["provider"]["reference"]}
            for event in events
        ]
        assert all(earlier != later for earlier, later in pairwise(views))
        record = await self.store.load(key)
        assert record is not None
        assert record.sequence == len(events)
        statuses = [event["data"]["status"] for event in events]
        assert [event["data"]["previous_status"] for event in events] == [None, *statuses[:-1]]
