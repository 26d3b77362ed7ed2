"""The whole of payorch as real processes: a Valkey of its own, the provider's stand-in, workers and web."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, Self

import httpx
import redis

from tests.support.event_log import EventLogReader
from tests.support.process import Program, wait_for
from tests.support.provider_desk import ProviderDesk
from tests.support.servers import ValkeyServer, free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

APP_ID = "canary-app"
SECRET_KEY = "canary-secret-key-61c1"
WEBHOOK_SECRET = "canary-webhook-secret-52b8"
READ_TOKEN = "canary-read-token-9f0e"
FINAL = ("succeeded", "failed", "expired", "canceled")


def settings(*, redis_url: str, provider_url: str, web_url: str, **more: str) -> dict[str, str]:
    """The environment of workers and web; names in lower case without the prefix."""
    chosen = {
        "redis_url": redis_url,
        "provider_base_url": provider_url,
        "provider_app_id": APP_ID,
        "provider_secret_key": SECRET_KEY,
        "webhook_base_url": web_url,
        "webhook_secrets": WEBHOOK_SECRET,
        "read_tokens": READ_TOKEN,
        "rate_rps": "500",
        "rate_burst": "500",
        "rate_max_concurrency": "500",
        "lease_s": "3",
        "poll_schedule_s": "1,1,1,1,2",
        "poll_tail_s": "2",
        "poll_slow_s": "2",
        "drain_s": "20",
        "log_format": "json",
    } | more
    return {f"PAYORCH_{name.upper()}": value for name, value in chosen.items()}


class Stack:
    """Started on entering, gone on leaving. `settings` and `sandbox` change what the programs are started with."""

    worker_program: tuple[str, ...] = ("-m", "celery", "-A", "workers.app", "worker")
    web_program: tuple[str, ...] = ("-m", "uvicorn", "workers.web:app", "--factory")

    def __init__(
        self,
        directory: Path,
        *,
        workers: int = 1,
        settings: Mapping[str, str] | None = None,
        sandbox: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.namespace = (settings or {}).get("namespace", "")
        self.valkey = ValkeyServer(directory / "valkey")
        self.web_url = f"http://127.0.0.1:{free_port()}"
        self.provider_url = f"http://127.0.0.1:{free_port()}"
        self.desk = ProviderDesk(self.provider_url)
        self.events = EventLogReader(self.valkey.url, namespace=self.namespace)
        self.redis: Any = redis.Redis.from_url(self.valkey.url, decode_responses=True, encoding_errors="replace")
        self._settings = dict(settings or {})
        self.sandbox = self._sandbox(sandbox or {})
        self.web = self._program("web", [*self.web_program, "--port", _port(self.web_url)])
        self.workers: list[Program] = []
        self._first_workers = workers

    def __enter__(self) -> Self:
        try:
            self.valkey.start()
            for program in (self.sandbox, self.web):
                program.start()
            for _ in range(self._first_workers):
                self.start_worker(wait=False)
            self.sandbox.wait_until_it_serves(f"{self.provider_url}/_sandbox/health")
            self.web.wait_until_it_serves(f"{self.web_url}/readyz")
            for worker in self.workers:
                self.wait_until_ready(worker)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End everything at once; nothing is drained."""
        for program in (*self.workers, self.web, self.sandbox):
            program.kill()
        self.valkey.kill()
        self.desk.close()
        self.events.close()
        self.redis.close()

    def start_worker(self, *, wait: bool = True, **more: str) -> Program:
        """One more worker; `more` are settings of this one alone."""
        number = len(self.workers) + 1
        arguments = [*self.worker_program, "-n", f"w{number}@%h"]
        worker = self._program(f"worker{number}", arguments, worker_port=str(free_port()), **more)
        self.workers.append(worker)
        worker.start()
        if wait:
            self.wait_until_ready(worker)
        return worker

    def wait_until_ready(self, worker: Program) -> None:
        """Return when the worker's readyz answers 200."""
        worker.wait_until_it_serves(f"{self.url_of(worker)}/readyz")

    def url_of(self, worker: Program) -> str:
        """Where a worker serves health and metrics."""
        return f"http://127.0.0.1:{worker.environment['PAYORCH_WORKER_PORT']}"

    def submit(self, *intents: Mapping[str, Any]) -> list[str]:
        """Put intents on the Redis stream; returns their ids."""
        self.submit_raw(*(json.dumps(intent) for intent in intents))
        return [intent["intent_id"] for intent in intents]

    def submit_raw(self, *bodies: str | bytes) -> None:
        """Put bodies on the Redis stream as they are."""
        pipeline = self.redis.pipeline(transaction=False)
        for body in bodies:
            pipeline.xadd(f"{self.namespace}payments.intents", {"intent": body})
        pipeline.execute()

    def command(self, *commands: Mapping[str, Any]) -> None:
        """Put commands on the Redis stream."""
        for each in commands:
            self.redis.xadd(f"{self.namespace}payments.intents", {"command": json.dumps(each)})

    def post_webhook(self, intent_id: str, body: object, *, attempt: int = 1, authorization: str | None = None) -> int:
        """A webhook in the provider's place, correctly signed unless told otherwise; the status of the answer."""
        path = f"/webhooks/hello-clever/default/{intent_id}/{attempt}"
        headers = {"Authorization": signed(intent_id, attempt) if authorization is None else authorization}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.post(f"{self.web_url}{path}", content=content, headers=headers, timeout=10).status_code

    def dead_letters(self) -> list[dict[str, str]]:
        """The entries of the dead letters' stream."""
        return [fields for _, fields in self.redis.xrange(f"{self.namespace}payorch:deadletters")]

    def wait_status(self, intent_ids: Iterable[str], *statuses: str, within_s: float = 20.0) -> None:
        """Return when each payment's last event has one of these statuses."""
        wanted = list(intent_ids)

        def missing() -> dict[str, Any]:
            events = self.events.read()
            return {
                intent_id: [(event["status"], event["reason"]) for event in events[intent_id]]
                for intent_id in wanted
                if not events[intent_id] or events[intent_id][-1]["status"] not in statuses
            }

        wait_for(lambda: not missing(), within_s=within_s, what=lambda: f"{statuses}: {missing()}\n{self.tails()}")

    def wait_created(self, intent_ids: Iterable[str], *, within_s: float = 20.0) -> None:
        """Return when the provider has a payment under each id."""
        wanted = set(intent_ids)
        wait_for(
            lambda: wanted <= self.desk.counts("create").keys(),
            within_s=within_s,
            what=lambda: f"created: {dict(self.desk.counts('create'))}\n{self.tails()}",
        )

    def succeed(self, intent_ids: Iterable[str], *, within_s: float = 30.0) -> None:
        """Wait for the customers' actions, pay them all and wait for the success of each."""
        wanted = list(intent_ids)
        self.wait_status(wanted, "requires_action", within_s=within_s)
        self.desk.act_on_all(wanted, "pay")
        self.wait_status(wanted, "succeeded", within_s=within_s)

    def succeed_after_a_kill(self, intent_ids: Iterable[str], *, within_s: float = 60.0) -> None:
        """As `succeed`, and judge, but for what the killed worker had marked and never put on the wire.

        Nobody can tell that from a create that is on its way: it stays in doubt and is not sent again (I1).
        """
        wanted = set(intent_ids)

        def having(status: str) -> set[str]:
            return {intent_id for intent_id, last in self.events.lasts().items() if last["status"] == status}

        def marked_only() -> set[str]:
            asked = {request["external_id"] for request in self.desk.requests(method="POST")}
            return (wanted - asked) & having("in_doubt")

        def unsettled() -> set[str]:
            return wanted - marked_only() - having("requires_action")

        wait_for(lambda: not unsettled(), within_s=within_s, what=lambda: f"{unsettled()}\n{self.tails()}")
        marked = marked_only()
        assert marked != wanted
        self.succeed(wanted - marked, within_s=within_s)
        self.judge(wanted - marked)
        # A payin whose absence the list has shown is made again some time; of the others nobody can tell.
        assert all(each.startswith("payin-") for each in marked - marked_only())
        creates = self.desk.counts("create")
        assert all(creates[each] <= 1 for each in marked)

    def judge(self, intent_ids: Iterable[str]) -> None:
        """By the provider's ledger: one create each and at most one capture; by the log: no gap."""
        creates, captures, events = self.desk.counts("create"), self.desk.counts("capture"), self.events.read()
        wanted = list(intent_ids)
        assert {intent_id: creates[intent_id] for intent_id in wanted} == dict.fromkeys(wanted, 1)
        assert all(captures[intent_id] <= 1 for intent_id in wanted), captures
        assert all(events[intent_id] for intent_id in wanted)
        asked = [
            (r["path"], r["external_id"] or r["uuid"])
            for r in self.desk.requests()
            if r["path"].endswith("capture_payment")
        ]
        assert len(set(asked)) == len(asked), f"a capture was asked twice: {asked}"

    def output(self) -> str:
        """Everything that our programs said."""
        return "\n".join(program.output for program in (*self.workers, self.web))

    def tails(self) -> str:
        """The last lines of each program, for a failure."""
        programs = (*self.workers, self.web, self.sandbox)
        return "\n".join(f"--- {program.name}\n{program.output[-2500:]}" for program in programs)

    def _program(self, name: str, arguments: list[str], **more: str) -> Program:
        environment = settings(
            redis_url=self.valkey.url, provider_url=self.provider_url, web_url=self.web_url, **(self._settings | more)
        )
        return Program(name, arguments, environment=environment, directory=self.directory)

    def _sandbox(self, more: Mapping[str, str]) -> Program:
        chosen = {"settle_s": "1", "pay_code_delay_s": "0.3", "webhook_retry_s": "1"} | dict(more)
        environment = {f"SANDBOX_{name.upper()}": value for name, value in chosen.items()}
        environment |= {"SANDBOX_APP_ID": APP_ID, "SANDBOX_SECRET_KEY": SECRET_KEY}
        arguments = ["-m", "sandbox", "--port", _port(self.provider_url)]
        return Program("sandbox", arguments, environment=environment, directory=self.directory)


def signed(intent_id: str, attempt: int = 1) -> str:
    """The Authorization of interface 3, written down again from its words."""
    digest = hmac.new(WEBHOOK_SECRET.encode(), f"po1/default/{intent_id}/{attempt}".encode(), hashlib.sha256).digest()
    key_id = hashlib.sha256(WEBHOOK_SECRET.encode()).hexdigest()[:8]
    return f"po1.{key_id}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _port(url: str) -> str:
    return url.rpartition(":")[2]
