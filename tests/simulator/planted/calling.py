"""Mistakes around a call: before it, on its way, and with what came back."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrator import advance, limits, next_step, outcome, refuse
from orchestrator.outcome import Verdict
from orchestrator.payment import CREATE, running
from orchestrator.ports import NotifyOutcome, Reply
from tests.simulator.planted.bug import Bug, Wrapped, attribute, everywhere

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.engine import Engine
    from orchestrator.held import Held
    from orchestrator.payment import Payment
    from orchestrator.ports import ProviderRequest

UNSENT_BY_NAME = ("Connect", "ClientConnector", "ClientOS", "ServerDisconnected", "ConnectionTimeout")


class _CalledBefore(Wrapped):
    reply: Reply

    async def call_now(self, request: ProviderRequest) -> None:
        self.reply = await self._real.call(request)

    async def call(self, request: ProviderRequest, *, send_before_s: float | None = None) -> Reply:
        return await self._real.call(request) if send_before_s is None else self.reply


@contextmanager
def _call_before_mark() -> Iterator[None]:
    real_send, real_marked = advance._send, advance._marked

    async def send(held: Held, name: str, engine: Engine) -> Held | None:
        return await real_send(held, name, replace(engine, provider=_CalledBefore(engine.provider)))

    async def marked(held: Held, name: str, engine: Engine) -> Held | None:
        await engine.provider.call_now(advance._request(held.payment, name, engine))  # type: ignore[attr-defined]
        return await real_marked(held, name, engine)

    with attribute(advance, "_send", send), attribute(advance, "_marked", marked):
        yield


@contextmanager
def _verdict(planted: Any) -> Iterator[None]:
    real = outcome.verdict_of

    def verdict_of(reply: Reply) -> Verdict:
        judged: Verdict | None = planted(reply)
        return judged or real(reply)

    with everywhere(outcome, "verdict_of", verdict_of):
        yield


def _by_exception(reply: Reply) -> Verdict | None:
    is_unsent = reply.http_status is None and reply.error.startswith(UNSENT_BY_NAME)
    return Verdict.NOT_EXECUTED if is_unsent else None


def _silence_is_no(reply: Reply) -> Verdict | None:
    return Verdict.NOT_EXECUTED if reply.http_status is None else None


def _server_error_is_no(reply: Reply) -> Verdict | None:
    return Verdict.REFUSED if (reply.http_status or 0) >= 500 else None


@contextmanager
def _no_matter_how_late() -> Iterator[None]:
    with attribute(advance, "SEND_WITHIN_OF_LEASE", 1e-6):
        yield


@contextmanager
def _not_permitted() -> Iterator[None]:
    async def permit(*_: object, **__: object) -> int:
        return 0

    with everywhere(limits, "permit", permit):
        yield


class _Deaf(Wrapped):
    async def notify(self, *_: object, **__: object) -> NotifyOutcome:
        return NotifyOutcome.STORED


@contextmanager
def _fenced_reply_dropped() -> Iterator[None]:
    real = advance._replied

    async def replied(held: Held, name: str, reply: Reply, engine: Engine) -> Held | None:
        return await real(held, name, reply, replace(engine, store=_Deaf(engine.store)))

    with attribute(advance, "_replied", replied):
        yield


@contextmanager
def _refused_repeat_fails() -> Iterator[None]:
    real = outcome.after_reply

    def after_reply(payment: Payment, operation_name: str, reply: Reply, *args: Any, **rest: Any) -> Payment:
        is_no = operation_name == CREATE and outcome.verdict_of(reply) is Verdict.REFUSED
        if is_no and payment.create.attempt > 1 and running([payment.create]):
            return outcome._refused(payment, payment.create, reply, now_ms=rest["now_ms"])
        return real(payment, operation_name, reply, *args, **rest)

    with everywhere(outcome, "after_reply", after_reply):
        yield


@contextmanager
def _sent_after_the_deadline() -> Iterator[None]:
    def too_late_to_send(*_: object) -> bool:
        return False

    with attribute(next_step, "_too_late_to_send", too_late_to_send):
        yield


async def _say_nothing(*_: object, **__: object) -> None:
    return


@contextmanager
def _command_refused_in_silence() -> Iterator[None]:
    with everywhere(refuse, "refuse_command", _say_nothing):
        yield


@contextmanager
def _told_to_the_log() -> Iterator[None]:
    real = limits.heed

    async def heed(reply: Reply, request: ProviderRequest, *, engine: Engine, **rest: Any) -> None:
        engine.journal.info("provider.called", path=request.path, body=str(request.body))
        await real(reply, request, engine=engine, **rest)

    with everywhere(limits, "heed", heed):
        yield


BUGS = (
    Bug(
        name="call-before-mark",
        breaks=("I1",),
        rule="`sending` is committed before the call.",
        mistake="The call is made first, mark and reply are written after it.",
        plant=_call_before_mark,
    ),
    Bug(
        name="sent-by-exception-class",
        breaks=("I1",),
        rule="Whether a call was sent is witnessed on the wire.",
        mistake="An error that is named after the connection counts as not sent.",
        plant=partial(_verdict, _by_exception),
    ),
    Bug(
        name="time-out-is-retried",
        breaks=("I1",),
        rule="A call without an answer is in doubt; a card is never sent again.",
        mistake="A time-out counts as not executed, and the card is sent again.",
        plant=partial(_verdict, _silence_is_no),
    ),
    Bug(
        name="server-error-is-a-no",
        breaks=("I1", "I5"),
        rule="Only an explicit no is a failure; a 5xx is in doubt.",
        mistake="A 5xx fails the payment like a 4xx.",
        plant=partial(_verdict, _server_error_is_no),
    ),
    Bug(
        name="sent-however-late",
        breaks=("I1",),
        rule="A call goes out within a fifth of the lease after its mark, or not at all.",
        mistake="A worker that was frozen in between sends when it wakes.",
        plant=_no_matter_how_late,
    ),
    Bug(
        name="limiter-not-asked",
        breaks=("I10",),
        rule="Each call has a permit of the shared limiter.",
        mistake="Nobody asks for one.",
        plant=_not_permitted,
    ),
    Bug(
        name="fenced-reply-dropped",
        breaks=("I1", "I2", "I5"),
        rule="A reply whose worker is fenced is left for the payment's owner as an observation.",
        mistake="It is dropped with the claim.",
        plant=_fenced_reply_dropped,
    ),
    Bug(
        name="refused-repeat-fails",
        breaks=("I5",),
        rule="A 4xx on a repeated create is no failure: the first attempt may live.",
        mistake="It fails the payment, like one on the first attempt.",
        plant=_refused_repeat_fails,
    ),
    Bug(
        name="sent-after-the-deadline",
        breaks=("I2", "I5"),
        rule="What would lapse in the customer's hands is not sent.",
        mistake="The deadline is not looked at before a create is sent.",
        plant=_sent_after_the_deadline,
    ),
    Bug(
        name="command-refused-in-silence",
        breaks=("I2",),
        rule="A command that comes too late or out of place becomes a dead letter.",
        mistake="It is dropped.",
        plant=_command_refused_in_silence,
    ),
    Bug(
        name="refund-refused-in-silence",
        breaks=("I2",),
        rule="Who asked for a refund hears that the provider refused it.",
        mistake="The payment knows it, and nobody else.",
        plant=lambda: everywhere(refuse, "tell_refusal", _say_nothing),
    ),
    Bug(
        name="request-in-the-log",
        breaks=("I8",),
        rule="No token, secret or address of a redirect reaches the log.",
        mistake="Each call is logged with the body of its request.",
        plant=_told_to_the_log,
    ),
)
