"""The processes of the simulated system: workers that take, advance and relay, and the web process that hears."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from starlette.requests import Request

from orchestrator.engine import Engine
from tests.simulator.loop import Idler, Life
from tests.simulator.relaying import Relaying
from tests.simulator.store import LimiterLine, Line, StoreLine, VirtualClock
from tests.simulator.stream import StreamClient
from tests.simulator.wire import ProviderLine
from workers import reconcile, stream_intake, suspects, web
from workers.reconcile import Reconciler
from workers.stream_intake import StreamIntake

if TYPE_CHECKING:
    from tests.simulator.world import World

DRAIN_S = 50.0


class Process:
    """What a worker and the web process have in common: lives, one after the other, each with its own engine."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.world = world
        self.starts = 0
        self.start()

    def start(self) -> None:
        """Begin a new life."""
        world = self.world
        self.starts += 1
        self.life = Life(f"{self.name}.{self.starts}")
        self.line = Line(world, self.life)
        self._limiter = LimiterLine(world.limiter, self.line, world, self.life)
        self.engine = Engine(
            store=StoreLine(world.store, self.line),
            provider=ProviderLine(world, self.life),
            limiter=self._limiter,
            clock=VirtualClock(world, ahead_s=world.ahead_s()),
            journal=world.journal,
            policy=world.policy,
            rules=world.rules,
            webhooks=world.webhooks,
            namespace="",
            owner=self.life.name,
            new_id=world.dice.new_id,
        )

    def die(self) -> None:
        """Killed: nothing runs in its name any more. It is started again after a while."""
        if self.life.is_dead:
            return
        world = self.world
        world.story.tell(f"{self.life.name} is killed")
        world.truth.dies(self.life)
        world.conduct.replies.die(self.life)
        world.loop.kill(self.life)
        self._limiter.forget()
        world.loop.after(world.dice.skewed(0.05, 60), self.start)

    def freeze(self) -> None:
        """Stopped like by SIGSTOP, often for longer than its lease; its claims run out meanwhile."""
        world, life = self.world, self.life
        for_s = world.dice.skewed(0.5, 60)
        world.story.tell(f"{life.name} freezes for {for_s:.1f} s")
        world.loop.freeze(life)
        world.loop.after(for_s, self._thaw, life)

    def _thaw(self, life: Life) -> None:
        if not life.is_dead:
            self.world.story.tell(f"{life.name} goes on")
            self.world.loop.thaw(life)
            self.world.loop.after(0.01, self.world.stir, "renew")

    def cut_off(self) -> None:
        """Nothing goes between it and the store for a while."""
        for_s = self.world.dice.skewed(1, 40)
        line = self.line
        line.is_cut = True
        self.world.story.tell(f"{self.life.name} is cut off from the store for {for_s:.1f} s")
        self.world.loop.after(for_s, setattr, line, "is_cut", False)


class Worker(Process):
    """`celery -A workers.app worker` without Celery: the intake, the reconciler and the relay of one process."""

    def start(self) -> None:
        super().start()
        self._is_draining = False
        self.idlers: dict[str, Idler] = {}
        self.reconciler = Reconciler(self.engine, concurrency=200)
        self._client = StreamClient(self.world, self.life, self.world.stream)
        self._intake = StreamIntake(
            cast("Any", self._client),
            engine=self.engine,
            reconciler=self.reconciler,
            rescue_idle_s=self.engine.policy.lease_ms / 1000,
        )
        self.relaying = Relaying(self.world, self.life)
        self.world.loop.start(self.life, self._run())

    def drain(self) -> None:
        """Told to end, like by SIGTERM, and started again."""
        if not self._is_draining and not self.life.is_dead:
            self._is_draining = True
            self.world.story.tell(f"{self.life.name} is told to end")
            self.world.loop.start(self.life, self._stop())

    async def _run(self) -> None:
        await self.reconciler.start()
        await self._intake.start()
        self.relaying.start()
        self._leave_out_looks()

    async def _stop(self) -> None:
        self.life.stopping_s = self.world.loop.time()
        self.reconciler.begin_stop()
        self._client.stop_waiting()
        await self._intake.stop()
        complete = await self.reconciler.stop(DRAIN_S)
        self.relaying.leave()
        self.world.story.tell(f"{self.life.name} ends, drained: {complete}")
        self.world.loop.after(0.0, self.die)

    def _leave_out_looks(self) -> None:
        """Which of its tasks look again and again, and when each can find something."""
        world, reconciler = self.world, self.reconciler
        store, loop = world.store, world.loop
        claiming, trying, (renewing, _, sweeping) = reconciler._claiming, reconciler._trying, reconciler._others
        _, rescuing = self._intake._tasks

        def next_claim_s() -> float:
            return -math.inf if reconciler._store_away else max(store.next_due_s(), reconciler._claim_from_s)

        def next_try_s() -> float:
            return -math.inf if store.has_suspects or reconciler._suspects.keeps_quiet else math.inf

        def next_renewal_s() -> float:
            return -math.inf if len(reconciler._in_flight) else math.inf

        looks = (
            ("claim", claiming, reconcile.TICK_S, next_claim_s),
            ("try", trying, suspects.EVERY_S, next_try_s),
            ("renew", renewing, self.engine.policy.lease_ms / 1000 / reconcile.RENEWALS_PER_LEASE, next_renewal_s),
            ("sweep", sweeping, reconcile.SWEEP_S, store.next_sweep_s),
            ("rescue", rescuing, stream_intake.RESCUE_EVERY_S, world.stream.next_rescue_s),
        )
        for name, task, period_s, next_s in looks:
            if task is not None:
                self.idlers[name] = loop.idlers[task] = Idler(period_s=period_s, next_s=next_s)
        self.idlers["relay"] = self.relaying.idler


class Web(Process):
    """The web process, as far as it takes webhooks."""

    def take(self, url: str, authorization: str, body: bytes, answer: Any) -> None:
        """A request arrives; `answer` gets the HTTP status, if there ever is one."""
        life = self.life
        if not life.is_dead and not self.world.strikes(life, "webhook"):
            self.world.loop.start(life, self._take(url, authorization, body, answer))

    async def _take(self, url: str, authorization: str, body: bytes, answer: Any) -> None:
        merchant, intent_id, attempt = urlsplit(url).path.split("/")[-3:]
        scope = {
            "type": "http",
            "method": "POST",
            "path": urlsplit(url).path,
            "headers": [(b"authorization", authorization.encode())],
            "path_params": {"merchant": merchant, "intent_id": intent_id, "attempt": attempt},
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        response = await web.take_webhook(Request(scope, receive), engine=self.engine)
        self.world.story.tell(f"{self.life.name}: webhook for {merchant}/{intent_id}: {response.status_code}")
        if not answer.done():
            answer.set_result(response.status_code)
