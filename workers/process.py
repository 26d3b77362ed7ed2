"""A worker process: which parts it runs, how they start, drain and stop, and what they say of themselves."""

from __future__ import annotations

import time
from concurrent.futures import wait
from typing import TYPE_CHECKING

import structlog
import uvicorn
from starlette.applications import Starlette

from orchestrator.accept import accept
from orchestrator.adapters import topology
from orchestrator.adapters.event_log import EventLog
from orchestrator.adapters.publisher import open_publisher
from orchestrator.adapters.redis_connection import connect
from orchestrator.adapters.redis_probe import RedisProbe
from orchestrator.errors import RefusedError
from orchestrator.refuse import Incoming, refuse
from workers.amqp_intake import AmqpIntake
from workers.audit_job import AuditJob
from workers.bootstrap import build_engine, new_owner, open_merchants, retention_of
from workers.health import health_routes
from workers.loop import LoopThread
from workers.reconcile import Reconciler
from workers.redis_watch import RedisWatch
from workers.relay import Relay
from workers.replay_job import ReplayJob
from workers.retention import RetentionJob
from workers.stream_intake import StreamIntake
from workers.telemetry import Telemetry
from workers.watchdog import Watchdog, end_process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from orchestrator.adapters.redis_store import RedisStore
    from orchestrator.adapters.store_clock import StoreClock
    from workers.amqp_session import IncomingMessage
    from workers.audit_request import AuditRequest
    from workers.bootstrap import Settings
    from workers.replay_request import ReplayRequest
    from workers.telemetry import Figures

START_TIMEOUT_S = 30.0
CONTROL_TIMEOUT_S = 5.0
COMMAND_KEY = "intent.command"
AMQP_PREFETCH = 200
LOOK_UP_S = 0.1  # how often a stop that waits asks whether it is to be cut short
RELAY_STOP_S = 5.0  # what the relay has at least, when the calls took all of the drain time

log = structlog.get_logger(__name__)


class WorkerProcess:
    """Intake, reconcile and relay of one process, on one loop thread; the relay and RabbitMQ have their own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.owner = new_owner()
        self.telemetry = Telemetry()
        self._merchants = open_merchants(settings, journal=self.telemetry)
        self.engine = build_engine(settings, journal=self.telemetry, owner=self.owner, merchants=self._merchants)
        store: RedisStore = self.engine.store  # type: ignore[assignment]  # built as one in bootstrap
        clock: StoreClock = self.engine.clock  # type: ignore[assignment]  # likewise
        self._loop = LoopThread()
        self._client = connect(settings.redis_url)
        self._redis = RedisWatch(self._client, store=store, clock=clock)
        self._retention = RetentionJob(
            submit=self._loop.submit, store=store, clock=clock, retention=retention_of(settings)
        )
        self._reconciler: Reconciler | None = None
        self._stream_intake: StreamIntake | None = None
        self._amqp_intake: AmqpIntake | None = None
        self._relay: Relay | None = None
        self._replay = ReplayJob(settings)
        self._audit = AuditJob(settings, self._loop)
        self._server: uvicorn.Server | None = None
        self._watchdog: Watchdog | None = None
        self._stop_by_s: float | None = None
        self.telemetry.watch(self.figures)
        self.telemetry.registry.register(self._audit)

    def start_loop(self, *, while_waiting: Callable[[], None]) -> None:
        """Start the loop and wait for Redis; raises UnfitRedisError or ShardCountError where it must not be used.

        `while_waiting` is called all the while, and ends the wait by raising.
        """
        self._loop.start()
        ready = self._loop.submit(self._redis.wait())
        while not wait({ready}, timeout=LOOK_UP_S).done:
            while_waiting()
        ready.result()
        self._loop.submit(self._redis.watch())
        self._loop.submit(self._merchants.watch())
        self._watchdog = self._new_watchdog()
        self._watchdog.start()
        if self.settings.worker_port:
            self._loop.submit(self._serve_health())

    def start_reconcile(self) -> None:
        """Begin to claim and advance payments."""
        self._reconciler = Reconciler(self.engine, concurrency=self.settings.concurrency)
        self._loop.submit(self._reconciler.start()).result(START_TIMEOUT_S)

    def start_intake(self) -> None:
        """Begin to take messages: from the stream on a Redis broker, from RabbitMQ on an AMQP one."""
        if topology.is_amqp(self.settings.broker_url):
            self._amqp_intake = AmqpIntake(
                self.settings.broker_url,
                namespace=self.settings.namespace,
                prefetch=AMQP_PREFETCH,
                take=self._take,
                take_dead=self._take_dead,
                loop=self._loop.loop,
            )
            self._amqp_intake.start()
        else:
            client = connect(self.settings.broker_url)
            self._stream_intake = StreamIntake(
                client, engine=self.engine, reconciler=self._reconciler, rescue_idle_s=self.settings.lease_s
            )
            self._loop.submit(self._stream_intake.start()).result(START_TIMEOUT_S)

    def start_relay(self) -> None:
        """Begin to publish the event log."""
        publisher = open_publisher(
            self.settings.events_url,
            namespace=self.settings.namespace,
            queue_max=self.settings.events_queue_max,
            on_skipped=lambda queue, length: log.error("relay.queue_skipped", queue=queue, length=length),
        )
        event_log = EventLog.connect(
            self.settings.redis_url, namespace=self.settings.namespace, shards=self.settings.shards
        )
        self._relay = Relay(
            event_log,
            publisher,
            owner=self.owner,
            retry_s=self.settings.events_retry_s,
            events_days=self.settings.events_days,
            on_alarm=_alarm,
            lease_s=self.settings.lease_s,
        )
        self._relay.start()

    def begin_stop(self) -> None:
        """From now on no call is begun, and the drain time runs: it is that of all parts together."""
        if self._stop_by_s is None:
            self._stop_by_s = time.monotonic() + self.settings.drain_s
            if self._watchdog is not None:
                self._watchdog.stop()  # how long a stop may take is for the supervisor to say
            if self._reconciler is not None:
                self._loop.call(self._reconciler.begin_stop)

    def stop_intake(self, *, hurried: Callable[[], bool]) -> None:
        """Take no more messages; those in hand are stored and acknowledged first.

        `hurried` says whether the stop is to be cut short, and may change its mind to yes at any time.
        """
        del hurried  # storing a message takes no time that is worth cutting short
        if self._amqp_intake is not None:
            self._amqp_intake.stop(self._left_s())
        if self._stream_intake is not None:
            stopped = self._loop.submit(self._stream_intake.stop())
            wait({stopped}, timeout=self._left_s())

    def stop_reconcile(self, *, hurried: Callable[[], bool]) -> None:
        """Let the calls on the wire end and hand everything else over, within what is left of the drain time."""
        if self._reconciler is None:
            return
        stopped = self._loop.submit(self._reconciler.stop(self._left_s()))
        while not wait({stopped}, timeout=LOOK_UP_S).done:
            if hurried():
                self._loop.call(self._reconciler.hurry)
        log.info("worker.drained", complete=stopped.result())

    def stop_relay(self, *, hurried: Callable[[], bool]) -> None:
        """Finish the window that is out and give the shards back."""
        if self._relay is not None:
            self._relay.stop(RELAY_STOP_S if hurried() else max(RELAY_STOP_S, self._left_s()))

    def stop_loop(self) -> None:
        """Close what is open and end the loop."""
        if self._server is not None:
            self._server.should_exit = True
        self._replay.stop(RELAY_STOP_S)
        self._loop.stop()

    def accept(self, body: bytes, *, is_command: bool) -> Future[None]:
        """Store a message that came as a Celery task; the future ends when it is stored."""
        return self._loop.submit(self._accept(Incoming(body=body, origin="celery", is_command=is_command)))

    def replay(self, request: ReplayRequest) -> None:
        """Begin to publish events of the past again; raises ReplayRunningError, and ValueError for nonsense."""
        self._replay.start(request)

    def audit(self, request: AuditRequest) -> None:
        """Begin to check what is stored; raises AuditRunningError, and ValueError for nonsense."""
        self._audit.start(request)

    def retain(self) -> None:
        """Begin to delete payments that ended long ago; raises RetentionRunningError."""
        self._retention.start()

    def figures(self) -> Figures:
        """What each part says of itself, for `celery inspect stats` and the metrics."""
        parts = {name: part.figures() for name, part in self._parts().items()}
        return {**parts, "redis": self._redis.figures(), "breaker": {"open": self.breakers()}}

    def breakers(self) -> dict[str, int]:
        """1 for each account whose calls have stopped because the provider is away, as far as this process knows."""
        return {**dict.fromkeys(self._merchants, 0), **dict.fromkeys(self.engine.limiter.broken(), 1)}

    def about(self) -> Mapping[str, object]:
        """Figures and who this is, for `celery inspect stats`."""
        return {
            "owner": self.owner,
            "roles": list(self.settings.roles),
            "durability": self._redis.row,
            **self.figures(),
        }

    def has_account(self, account: str) -> bool:
        """Whether a merchant, or one of its sets of credentials, has this name."""
        return account in self._merchants or account in self._merchants.credentials

    def pause(self, account: str, *, for_ms: int) -> None:
        """Make no calls for it for so long, in no worker; 0 ends any pause. Raises StoreUnavailableError."""
        paused = self.engine.limiter.pause(account, for_ms=for_ms, reason="operator")
        self._loop.submit(paused).result(CONTROL_TIMEOUT_S)
        log.warning("merchant.paused" if for_ms else "merchant.resumed", merchant=account, reason="operator")

    def paused(self) -> Mapping[str, str]:
        """The merchants and accounts that are paused, and why. Raises StoreUnavailableError."""
        return self._loop.submit(self.engine.limiter.paused()).result(CONTROL_TIMEOUT_S)

    def _parts(self) -> dict[str, Reconciler | StreamIntake | AmqpIntake | Relay]:
        """Those that run, by name."""
        parts = {
            "reconcile": self._reconciler,
            "stream_intake": self._stream_intake,
            "amqp_intake": self._amqp_intake,
            "relay": self._relay,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def _new_watchdog(self) -> Watchdog:
        settings = self.settings
        state = RedisProbe(settings.redis_url, namespace=settings.namespace, owner=self.owner)
        messages = RedisProbe(settings.broker_url, namespace=settings.namespace, owner=self.owner)
        probes = {"reconcile": state.answers, "relay": state.answers, "stream_intake": messages.answers}
        return Watchdog(
            patience_s=settings.watchdog_s,
            beat=self._loop.call,
            loop_thread=lambda: self._loop.thread_id,
            signs=lambda: {name: part.signs_of_life for name, part in self._parts().items()},
            answers=lambda part: probes[part]() if part in probes else True,
            end=end_process,
        )

    def _left_s(self) -> float:
        """What is left of the drain time; it begins here where nobody has begun it before."""
        self.begin_stop()
        return max(0.0, (self._stop_by_s or 0.0) - time.monotonic())

    async def _serve_health(self) -> None:
        routes = health_routes(
            client=self._client,
            telemetry=self.telemetry,
            missing=self._missing,
            details=lambda: {"breakers_open": list(self.engine.limiter.broken())},
        )
        config = uvicorn.Config(
            Starlette(routes=routes),
            host="0.0.0.0",  # probes come from outside the container; nothing secret is shown
            port=self.settings.worker_port,
            log_config=None,
            access_log=False,
            lifespan="off",
        )
        self._server = uvicorn.Server(config)
        await self._server.serve()

    def _missing(self) -> list[str]:
        lacks = []
        if self._amqp_intake is not None and not self._amqp_intake.figures()["connected"]:
            lacks.append("broker")
        if self._relay is not None and self._relay.figures()["broker"] == "away":
            lacks.append("events")
        return lacks

    async def _accept(self, incoming: Incoming) -> None:
        """Store, and advance at once where there is room."""
        has_room = self._reconciler is not None and self._reconciler.free > 0
        record = await accept(incoming, engine=self.engine, claim=has_room)
        if record is not None and self._reconciler is not None:
            self._reconciler.take(record)

    async def _take(self, message: IncomingMessage) -> None:
        is_command = message.routing_key.endswith(COMMAND_KEY)
        await self._accept(Incoming(body=message.body, origin="amqp", is_command=is_command))

    async def _take_dead(self, message: IncomingMessage) -> None:
        """A message the broker gave up on becomes a dead letter of ours."""
        poison = RefusedError("poison", "The broker gave the message up after too many deliveries.")
        await refuse(Incoming(body=message.body, origin="dead"), poison, {}, engine=self.engine)


def _alarm(name: str, fields: Mapping[str, object]) -> None:
    log.error("relay.alarm", alarm=name, **fields)
