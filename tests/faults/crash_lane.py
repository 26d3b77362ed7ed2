"""One stack in which processes are killed at points one after the other; each next worker finishes what was left.

The judge is the provider's ledger and its list of requests, the event log, and what a subscriber was sent.
"""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.adapters.event_log import sources_of
from tests.faults.crash_points import POINTS
from tests.support.intents import card, gateway_link, payid, payin
from tests.support.process import Program, wait_for
from tests.support.stack import Stack
from tests.support.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FLOWS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "card": card,
    "gateway_link": gateway_link,
    "payid": payid,
    "payin": payin,
}
RECREATED = ("gateway_link", "payin")
DIES_WITHIN_S = 40.0
FINISHES_WITHIN_S = 60.0
GROUP = "payorch"
SLOW_MS = 1500  # longer than two renewals are apart
# A call that never comes back is given up, and a lost create made again, while the matrix waits for it.
SETTINGS = {
    "lease_s": "2",
    "drain_s": "5",
    "call_timeout_total_s": "6",
    "call_timeout_read_s": "6",
    "call_timeout_connect_s": "3",
    "in_doubt_grace_s": "1",
    "card_refund_amount_unit": "minor",
}
SANDBOX = {"latency_ms": "150", "settle_s": "0.2", "refund_s": "0.5", "webhook_retry_s": "2"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A kill: at the n-th hit of a point, while payments of a flow go through a scene."""

    scene: str
    point: str
    flow: str
    hit: int

    @property
    def name(self) -> str:
        return f"{self.scene}-{self.point}-{self.flow}-{self.hit}"


class CrashStack(Stack):
    """A stack whose workers and web have a plan for their death beside their output."""

    worker_program = ("-m", "tests.faults.crash_program", "worker")
    web_program = ("-m", "tests.faults.crash_program", "web")

    def plan_of(self, name: str) -> Path:
        """Where the plan of a program of this name is, started or not."""
        return self.directory / f"{name}.plan"

    def tails(self) -> str:
        programs = (*self.workers[-2:], self.web, self.sandbox)
        return "\n".join(f"--- {program.name}\n{program.output[-4000:]}" for program in programs)

    def _program(self, name: str, arguments: list[str], **more: str) -> Program:
        program = super()._program(name, arguments, **more)
        program.environment["CRASH_PLAN"] = str(self.plan_of(name))
        return program

    def arm(self, name: str, point: str, *, prefix: str, hit: int = 1, deed: str = "SIGKILL") -> None:
        """Let a program, started or not, do this at the n-th hit of a point by payments whose ids begin so."""
        plan = self.plan_of(name)
        unready = plan.with_suffix(".new")
        unready.parent.mkdir(parents=True, exist_ok=True)
        unready.write_text(json.dumps({"point": point, "hit": hit, "prefix": prefix, "deed": deed}))
        unready.rename(plan)

    def marked(self, name: str) -> set[str]:
        """What was marked as sending in a program when it did its deed."""
        return set(json.loads(Path(f"{self.plan_of(name)}.done").read_text())["marked"])


class Lane:
    """Plays cases; after a failure the next one gets a new stack."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stacks = 0
        self._cases = 0
        self._stack: CrashStack | None = None
        self._subscriber: Subscriber | None = None

    def play(self, case: Case) -> float:
        """Seconds from the kill until all was finished; AssertionError with the reason where it was not, or wrongly."""
        self._cases += 1
        try:
            stack, subscriber = self._open()
            return _Play(stack, subscriber, case, prefix=f"c{self._cases:03}").play()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the stack."""
        if self._subscriber is not None:
            self._subscriber.stop()
        if self._stack is not None:
            self._stack.end()
        self._stack = self._subscriber = None

    def _open(self) -> tuple[CrashStack, Subscriber]:
        if self._stack is None or self._subscriber is None:
            self._stacks += 1
            self._stack = CrashStack(self._directory / f"stack{self._stacks}", settings=SETTINGS, sandbox=SANDBOX)
            self._stack.__enter__()
            self._subscriber = Subscriber(self._stack.valkey.url, "#")
        return self._stack, self._subscriber


class _Play:
    def __init__(self, stack: CrashStack, subscriber: Subscriber, case: Case, *, prefix: str) -> None:
        self.stack = stack
        self.subscriber = subscriber
        self.case = case
        self.prefix = prefix
        self.ids: list[str] = []
        self.marked: set[str] = set()
        self.ends = "succeeded"
        self.refusals = 0  # expected, of each id
        self.killed_s = 0.0
        self._paid: set[str] = set()
        self._asked_before = len(stack.desk.requests())
        self.victim = stack.web if case.point in {"verified", "kept"} else stack.workers[-1]

    def play(self) -> float:
        SCENES[self.case.scene](self)
        wait_for(lambda: not self.victim.is_running, within_s=DIES_WITHIN_S, what=self._said("was not killed"))
        self.killed_s = time.monotonic()
        assert self.victim.wait() == -signal.SIGKILL, self._said("ended by itself")()
        self._go_on()
        wait_for(lambda: not self._unfinished(), within_s=FINISHES_WITHIN_S, what=self._said("was not finished"))
        wait_for(lambda: not self._wrong(), within_s=FINISHES_WITHIN_S, what=self._said("ended wrongly"))
        return time.monotonic() - self.killed_s

    # What the scenes are made of

    def arm(self) -> None:
        self.stack.arm(self.victim.name, self.case.point, prefix=self.prefix, hit=self.case.hit)

    def make(self, count: int, **fields: Any) -> list[dict[str, Any]]:
        """Intents of the case's flow under ids of the case."""
        numbers = range(len(self.ids), len(self.ids) + count)
        intents = [FLOWS[self.case.flow](intent_id=f"{self.prefix}-{number}", **fields) for number in numbers]
        self.ids += [intent["intent_id"] for intent in intents]
        return intents

    def submit(self, count: int, **fields: Any) -> None:
        self.stack.submit(*self.make(count, **fields))

    def submit_slow(self, count: int, fault: str, options: dict[str, Any]) -> None:
        """Intents whose creates take a while, or go wrong."""
        intents = self.make(count)
        for intent in intents:
            self.stack.desk.fault(fault, external_id=intent["intent_id"], options=options)
        self.stack.submit(*intents)

    def until_dead_or(self, done: Callable[[], bool]) -> None:
        within_s = DIES_WITHIN_S
        wait_for(lambda: not self.victim.is_running or done(), within_s=within_s, what=self._said("went nowhere"))

    def last(self, intent_id: str) -> dict[str, Any]:
        return self.stack.events.last(intent_id)

    def status(self, intent_id: str) -> str:
        return str(self.last(intent_id).get("status", ""))

    def pay(self, intent_id: str) -> None:
        """Pay the newest of what the provider has under this id, once."""
        rows = self.stack.desk._rows("payments", "payments", {"external_id": intent_id, "status": "pending"})
        if rows and intent_id not in self._paid:
            self._paid.add(intent_id)
            reply = self.stack.desk._client.post(f"/payments/{rows[-1]['uuid']}/pay", json={})
            assert reply.status_code == 200, reply.text

    def pay_all(self) -> None:
        for each in self.ids:
            self.pay(each)

    # The end

    def _go_on(self) -> None:
        self.marked = self.stack.marked(self.victim.name)
        self.stack.plan_of(self.victim.name).unlink()
        if self.victim is self.stack.web:
            self.victim.start()
        else:
            self.stack.start_worker(wait=False)

    def _unfinished(self) -> dict[str, str]:
        lasts = self.stack.events.lasts()
        statuses = {each: str(lasts[each]["status"]) if each in lasts else "" for each in self.ids}
        if self.case.scene == "refusal":
            letters = self._dead_letters()
            return {each: status for each, status in statuses.items() if not letters[each]}
        return {each: status for each, status in statuses.items() if not self._is_finished(each, status)}

    def _is_finished(self, intent_id: str, status: str) -> bool:
        # Who has a link or a PayID in his mail may pay although we do not know of it.
        is_with_the_customer = status == "requires_action" or (status == "in_doubt" and self.case.flow == "payid")
        if is_with_the_customer:
            self.pay(intent_id)
        return status == self.ends or self._may_rest(intent_id, status)

    def _may_rest(self, intent_id: str, status: str) -> bool:
        """What was marked and did not arrive stays visible as unfinished where it is never sent once more."""
        kinds = {"in_doubt": "create", "processing": "capture", "refund_pending": "refund"}
        if intent_id not in self.marked or status not in kinds or (status == "in_doubt" and self._is_recreated):
            return False
        is_looked_at = time.monotonic() - self.killed_s > 2 * float(SETTINGS["lease_s"])
        return is_looked_at and not self.stack.desk.counts(kinds[status])[intent_id]

    @property
    def _is_recreated(self) -> bool:
        return self.case.flow in RECREATED

    def _wrong(self) -> list[str]:
        """Each sentence is a broken promise, or one that is not kept yet."""
        rules = (self._asked_twice, self._made_twice, self._doubted, self._published, self._left_over)
        return [sentence for rule in rules for sentence in rule()]

    def _asked_twice(self) -> list[str]:
        asked = self.stack.desk.requests()[self._asked_before :]
        counts = Counter((row["path"], row["external_id"] or row["uuid"]) for row in asked if row["method"] == "POST")
        return [
            f"{path} was asked {count} times for {who}"
            for (path, who), count in counts.items()
            if count > self._allowed(who)
        ]

    def _made_twice(self) -> list[str]:
        counts = {kind: self.stack.desk.counts(kind) for kind in ("create", "pay", "capture", "refund")}
        most = {each: {"create": self._allowed(each)} for each in self.ids}
        return [
            f"{kind} of {each} was made {counts[kind][each]} times"
            for kind in counts
            for each in self.ids
            if counts[kind][each] > most[each].get(kind, 1)
        ]

    def _allowed(self, intent_id: str) -> int:
        """How often a create may be asked: once more only where it was marked at the kill, and is harmless."""
        return 2 if self._is_recreated and intent_id in self.marked else 1

    def _doubted(self) -> list[str]:
        if self.case.scene == "scan":
            return []
        doubted = {each for each in self.ids if "in_doubt" in self.stack.events.statuses(each)}
        return [f"{each} was in doubt, and was not on the wire" for each in doubted - self.marked]

    def _published(self) -> list[str]:
        """By the log, whose reader finds gaps, and by the subscriber."""
        published = {each: len(events) for each, events in self.stack.events.read().items() if each in self.ids}
        heard = {each: self._heard(each) for each in published}
        return [
            f"{each}: {count} events, {heard[each]} heard"
            for each, count in published.items()
            if heard[each] != [*range(1, count + 1)]
        ]

    def _heard(self, intent_id: str) -> list[int]:
        """The sequences of a payment in the order in which each came first."""
        ours = [event for event in tuple(self.subscriber.events) if event.get("subject") == intent_id]
        return list(dict.fromkeys(event["data"]["sequence"] for event in ours if "sequence" in event))

    def _left_over(self) -> list[str]:
        found = self._dead_letters()
        wrong = [f"{each} has {found[each]} dead letters" for each in self.ids if found[each] != self.refusals]
        told = self._refusal_events()
        wrong += [f"{each} has {told[each]} refusals" for each in self.ids if told[each] != self.refusals]
        if self.stack.redis.xlen("payments.intents"):
            wrong.append(f"messages are left: {self.stack.redis.xpending('payments.intents', GROUP)}")
        return wrong

    def _dead_letters(self) -> Counter[str]:
        return Counter(letter.get("intent_id", "") for letter in self.stack.dead_letters())

    def _refusal_events(self) -> Counter[str]:
        stream = sources_of(namespace="", shards=1)[-1].stream
        return Counter(json.loads(fields["event"]).get("subject", "") for _, fields in self.stack.redis.xrange(stream))

    def _said(self, verdict: str) -> Callable[[], str]:
        def said() -> str:
            lines = [f"{self.case.name} {verdict}: {POINTS[self.case.point].target}", f"marked: {self.marked}"]
            lines += [f"unfinished: {self._unfinished()}", f"wrong: {self._wrong()}", self.stack.tails()]
            return "\n".join(lines)

        return said


# The scenes: what happens around the kill


def _create(play: _Play) -> None:
    """Intents come in, in two lots, and are created."""
    play.arm()
    play.submit(2)
    play.until_dead_or(lambda: all(play.status(each) not in {"", "accepted"} for each in play.ids))
    play.submit(2)


def _refusal(play: _Play) -> None:
    """Messages that nobody can accept."""
    play.refusals = 1
    play.arm()
    play.submit(2, amount_minor=-1)
    play.until_dead_or(lambda: all(play._dead_letters()[each] for each in play.ids))
    play.submit(2, amount_minor=-1)


def _paid(play: _Play) -> None:
    """The customers pay: webhooks, looks, and a card's capture."""
    play.submit(3)
    play.stack.wait_status(play.ids, "requires_action", within_s=FINISHES_WITHIN_S)
    play.arm()
    play.pay_all()


def _refund(play: _Play) -> None:
    """Refunds by command; a gateway link has none, and refuses it."""
    _succeeded(play)
    is_refused = play.case.flow == "gateway_link"
    play.refusals, play.ends = (1, "succeeded") if is_refused else (0, "refunded")
    play.arm()
    commands = [
        {"command": "refund", "merchant": "default", "intent_id": each, "command_id": each, "refund_id": each}
        for each in play.ids
    ]
    play.stack.command(*commands)


def _succeeded(play: _Play) -> None:
    play.submit(3)
    wait_for(lambda: not play._unfinished(), within_s=FINISHES_WITHIN_S, what=play._said("did not succeed"))


def _scan(play: _Play) -> None:
    """Creates whose replies are lost are looked up in the list."""
    play.arm()
    play.submit_slow(2, "lose_reply", {})
    play.until_dead_or(lambda: all(play.status(each) == "requires_action" for each in play.ids))
    play.submit_slow(2, "lose_reply", {})


def _held(play: _Play) -> None:
    """Creates that take so long that their claims are renewed."""
    play.arm()
    play.submit_slow(3, "delay_ms", {"delay_ms": SLOW_MS})


def _stopped(play: _Play) -> None:
    """SIGTERM while creates are on the wire."""
    before = len(play.stack.desk.requests(method="POST"))
    play.submit_slow(3, "delay_ms", {"delay_ms": SLOW_MS})
    wait_for(lambda: len(play.stack.desk.requests(method="POST")) == before + 3, what=play._said("was not asked"))
    play.arm()
    play.victim.signal(signal.SIGTERM)


SCENES: Mapping[str, Callable[[_Play], None]] = {
    "create": _create,
    "refusal": _refusal,
    "paid": _paid,
    "refund": _refund,
    "scan": _scan,
    "held": _held,
    "stopped": _stopped,
}
