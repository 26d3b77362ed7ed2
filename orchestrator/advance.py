"""advance(): the only control flow of a payment. It reads like the picture: observe, decide, act, commit."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.absorb import belief_of, interpreted
from orchestrator.errors import FencedError, StoreCorruptError
from orchestrator.flows import FLOWS
from orchestrator.held import Held, hand_back, open_record, until_answered, write
from orchestrator.history import What
from orchestrator.limits import heed, permitted, told_to_wait_ms
from orchestrator.next_step import Become, Read, ScanList, Send, Step, Tell, Wait, looked, next_step, sending, told
from orchestrator.notes import called, moved, replied
from orchestrator.observation import Observation, ReplySeen, encode_observation
from orchestrator.outcome import after_reply
from orchestrator.parking import park
from orchestrator.payment import CREATE, REFUND_PREFIX, Payment, public_view
from orchestrator.policy import spread_ms
from orchestrator.ports import ALONE_AT_CLAIMS, CallClass, NotifyOutcome, Record, Reply
from orchestrator.reading import Reading, read_payment, scan_list
from orchestrator.refuse import tell_refusal
from orchestrator.sighting import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.engine import Engine
    from orchestrator.identity import PaymentKey
    from orchestrator.ports import ProviderRequest

STEPS_MAX = 20  # a payment that wants more at once is handed back for another turn
SEND_WITHIN_OF_LEASE = 5  # a call goes out within this part of the lease after its mark
SPREAD_MAX_MS = 1_000
NOT_COPIED = Reply(sent=False, error="replica_behind")


def _never() -> bool:
    return False


async def advance(record: Record, *, engine: Engine, is_stopping: Callable[[], bool] = _never) -> None:
    """Take a claimed payment as far as it goes now and hand it back, due when it wants attention next.

    A reply in hand is never dropped: its commit is repeated until the store answers, and where the payment is
    not ours any more it goes in as an observation. Once `is_stopping`, nothing more is begun: what is left to do
    is handed over, due now.
    """
    try:
        if record.claims > ALONE_AT_CLAIMS:
            await park(record, engine=engine)
            return
        held: Held | None = open_record(record, engine=engine)
        for _ in range(STEPS_MAX):
            if held is None:
                return
            step = next_step(held.payment, policy=engine.policy, now_ms=engine.clock.now_ms())
            if is_stopping() and not isinstance(step, Wait):
                now_ms = engine.clock.now_ms()
                held = await hand_back(held, engine=engine, due_at_ms=now_ms, settled=False)
            else:
                held = await _take(held, step, engine)
        if held is not None:
            engine.journal.warning("payment.many_steps", payment=str(record.key))
            due_at_ms = engine.clock.now_ms() + engine.policy.lease_ms
            await hand_back(held, engine=engine, due_at_ms=due_at_ms, settled=False)
    except FencedError:
        engine.journal.warning("payment.fenced", payment=str(record.key))


async def notify(key: PaymentKey, seen: Observation, *, engine: Engine) -> NotifyOutcome:
    """Keep what was said of a payment for its owner to apply, and ring the bell.

    Raises StoreUnavailableError where it is not certain that it was kept.
    """
    return await engine.store.notify(key, encode_observation(seen), op=engine.new_id())


async def _take(held: Held, step: Step, engine: Engine) -> Held | None:  # noqa: PLR0911 - a step a line
    if isinstance(step, Read | ScanList) and public_view(held.payment) != held.stored_view:
        # What is known already is published before we ask for more: a read may take its whole deadline.
        return await write(held, lambda payment: payment, engine=engine, source=held.source, keep=True)
    match step:
        case Send(operation=name):
            return await _send(held, name, engine)
        case Read(call_class=call_class):
            return await _looked(held, await read_payment(held.payment, call_class, engine=engine), engine)
        case ScanList():
            return await _looked(held, await scan_list(held.payment, engine=engine), engine)
        case Tell(operation=name):
            return await _tell(held, name, engine)
        case Become(payment=payment):
            become = moved(held.payment, payment, What.CLOCK, now_ms=engine.clock.now_ms())
            return await write(held, lambda _: become, engine=engine, source=held.source, own_move=True)
        case Wait(due_at_ms=due_at_ms):
            return await hand_back(held, engine=engine, due_at_ms=due_at_ms)


async def _send(held: Held, name: str, engine: Engine) -> Held | None:
    """Permit, mark, call: between the mark's commit and the call only its copy is waited for, where there is one."""
    account = held.payment.credentials
    request = _request(held.payment, name, engine)
    async with AsyncExitStack() as calls:
        token_permit = permitted(account, CallClass.ACT, engine=engine)
        obstacle = await engine.provider.prepare(request, permit=lambda: calls.enter_async_context(token_permit))
    if obstacle is not None:
        await heed(obstacle, request, engine=engine, key=held.record.key)
        wait_ms = told_to_wait_ms(obstacle, engine=engine) or engine.policy.unsent_backoff_ms[-1]
        return await _later(held, wait_ms, engine)
    async with permitted(account, CallClass.ACT, engine=engine) as wait_ms:
        if wait_ms:
            return await _later(held, wait_ms, engine)
        if next_step(held.payment, policy=engine.policy, now_ms=engine.clock.now_ms()) != Send(operation=name):
            return held  # the permit took long: it may be too late to send by now
        issued_s = engine.clock.monotonic_s()
        marked = await _marked(held, name, engine)
        if marked is None or marked.refused:
            return marked
        if not await _is_safe(marked, name, engine):
            return await _replied(marked, name, NOT_COPIED, engine)
        within_s = engine.policy.lease_ms / 1000 / SEND_WITHIN_OF_LEASE
        reply = await engine.provider.call(request, send_before_s=issued_s + within_s)
    # A token may have been revoked: the first 401 with one is answered by another token, not by a pause.
    is_first = request.needs_access_token and not marked.payment.operations[name].unauthorised
    await heed(reply, request, engine=engine, key=held.record.key, pause=not is_first)
    return await _replied(marked, name, reply, engine)


async def _marked(held: Held, name: str, engine: Engine) -> Held | None:
    now_ms = engine.clock.now_ms()

    def mark(payment: Payment) -> Payment:
        return called(sending(payment, name, policy=engine.policy, now_ms=now_ms), name, now_ms=now_ms)

    return await write(held, mark, engine=engine, source=held.source, own_move=True, keep=True)


async def _is_safe(marked: Held, name: str, engine: Engine) -> bool:
    """Whether the mark outlives the store's master."""
    if await engine.store.is_copied(marked.record.key):
        return True
    engine.journal.warning("operation.held_back", payment=str(marked.record.key), operation=name, why="replica_behind")
    return False


def _request(payment: Payment, name: str, engine: Engine) -> ProviderRequest:
    flow = FLOWS[payment.flow]
    if name == CREATE:
        notification = engine.webhooks.notification(payment.key, payment.create.attempt)
        return flow.create(payment, notification, engine.policy.dialect)
    if name.startswith(REFUND_PREFIX) and flow.refund is not None:
        return flow.refund(payment, payment.operations[name], engine.policy.dialect)
    return flow.operations[name](payment, engine.policy.dialect)


async def _replied(held: Held, name: str, reply: Reply, engine: Engine) -> Held | None:
    """Commit the reply in hand, or leave it for the owner the payment has now."""
    deadline_ms = held.payment.operations[name].deadline_ms

    def change(payment: Payment) -> Payment:
        sighting = interpreted(payment, reply.body, source=Source.REPLY, policy=engine.policy, operation=name)
        belief, now_ms = belief_of(payment, engine.policy), engine.clock.now_ms()
        changed = after_reply(
            payment,
            name,
            reply,
            sighting,
            deadline_ms=deadline_ms,
            belief=belief,
            policy=engine.policy,
            now_ms=now_ms,
        )
        return replied(payment, changed, name, reply, sighting, now_ms=now_ms)

    try:
        return await write(held, change, engine=engine, source=Source.REPLY)
    except (FencedError, StoreCorruptError):
        # Somebody else's payment now, or one that a later version wrote meanwhile: for whoever can apply it.
        key, op = held.record.key, engine.new_id()
        seen = ReplySeen(operation=name, at_ms=engine.clock.now_ms(), reply=reply, deadline_ms=deadline_ms)
        stored = encode_observation(seen)
        await until_answered(lambda: engine.store.notify(key, stored, op=op), engine=engine)
        raise


async def _looked(held: Held, reading: Reading, engine: Engine) -> Held | None:
    if reading.wait_ms:
        return await _later(held, reading.wait_ms, engine)

    def change(payment: Payment) -> Payment:
        # What a look tells, it tells of the moment it began: where that was too early, the next one is due at once.
        return reading.apply(looked(payment, now_ms=reading.asked_ms or engine.clock.now_ms()))

    return await write(held, change, engine=engine, source=reading.source)


async def _tell(held: Held, name: str, engine: Engine) -> Held | None:
    """Tell of a refusal before it counts as told: a crash in between tells again, and a repeat tells it once."""
    refused = held.payment.operations[name]
    await until_answered(partial(tell_refusal, refused, held.payment, engine=engine), engine=engine)
    return await write(held, partial(told, name=name), engine=engine, source=held.source)


async def _later(held: Held, wait_ms: int, engine: Engine) -> Held | None:
    """Nobody may call now: hand back until then, with a spread; it counts as nothing."""
    spread = spread_ms(held.record.key, salt=held.record.version, up_to_ms=min(wait_ms, SPREAD_MAX_MS))
    due_at_ms = engine.clock.now_ms() + wait_ms + spread
    return await hand_back(held, engine=engine, due_at_ms=due_at_ms, settled=False)
