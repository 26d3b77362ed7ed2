"""Mistakes in what is made of the provider's words, and of its silence."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from orchestrator import commands, doubt, limits, money, next_step, observe
from orchestrator.doubt import ATTEMPTS_MAX
from orchestrator.flows import FLOWS, provider_object
from orchestrator.money import EXPONENTS
from orchestrator.next_step import Send
from orchestrator.payment import CAPTURE, Operation, OperationState, running
from orchestrator.sighting import REFUND_FELL_THROUGH, TARGETS, Target
from orchestrator.statuses import MATRIX, Move, Reason, Stage, Status
from tests.simulator.planted.bug import Bug, attribute, everywhere, item, together

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.commands import Command
    from orchestrator.next_step import Step
    from orchestrator.payment import Payment
    from orchestrator.policy import Policy


@contextmanager
def _last_word_wins() -> Iterator[None]:
    matrix = {
        row: {column: Move.APPLY if move is Move.STALE else move for column, move in moves.items()}
        for row, moves in MATRIX.items()
    }
    with attribute(observe, "MATRIX", matrix):
        yield


@contextmanager
def _late_money_ignored() -> Iterator[None]:
    with attribute(observe, "MATRIX", MATRIX | {Stage.EXPIRED: dict.fromkeys(Stage, Move.STALE)}):
        yield


@contextmanager
def _authorised_captures() -> Iterator[None]:
    real = next_step._commanded

    def commanded(payment: Payment, policy: Policy, now_ms: int) -> Step | None:
        capture = payment.operations.get(CAPTURE)
        if payment.reason is Reason.CAPTURING and capture is not None and capture.state is OperationState.DONE:
            return Send(operation=CAPTURE)
        return real(payment, policy, now_ms)

    settling = MATRIX[Stage.SETTLING] | {Stage.AUTHORISED: Move.APPLY}
    wants = tuple(commanded if row is real else row for row in next_step._WANTS)
    with together(
        attribute(observe, "MATRIX", MATRIX | {Stage.SETTLING: settling}),
        attribute(next_step, "_WANTS", wants),
    ):
        yield


class _SuccessByDefault(dict[str, Target]):
    def get(self, word: str, default: Any = None) -> Any:
        return super().get(word) or (default if word in REFUND_FELL_THROUGH else self["received"])


@contextmanager
def _unknown_is_success() -> Iterator[None]:
    with attribute(provider_object, "TARGETS", _SuccessByDefault(TARGETS)):
        yield


@contextmanager
def _webhook_is_believed() -> Iterator[None]:
    def needs_confirming(*_: object) -> bool:
        return False

    with attribute(observe, "_needs_confirming", needs_confirming):
        yield


@contextmanager
def _absent_is_failed() -> Iterator[None]:
    real = doubt.after_empty_list

    def after_empty_list(payment: Payment, *, asked_ms: int, policy: Policy) -> Payment:
        looked = real(payment, asked_ms=asked_ms, policy=policy)
        if looked.create.absent_since_ms is None:
            return looked
        failure = {"code": "not_found", "message": "The provider does not know the payment."}
        return replace(looked, failure=failure).moved(Status.FAILED, None, now_ms=asked_ms)

    with everywhere(doubt, "after_empty_list", after_empty_list):
        yield


@contextmanager
def _no_grace() -> Iterator[None]:
    def grace_ends_ms(operation: Operation, _: Policy) -> int:
        return operation.at_ms

    with everywhere(doubt, "grace_ends_ms", grace_ends_ms):
        yield


@contextmanager
def _created_again(flow: str) -> Iterator[None]:
    real = doubt.may_create_again

    def may_create_again(payment: Payment, policy: Policy, *, now_ms: int) -> bool:
        if payment.flow != flow:
            return real(payment, policy, now_ms=now_ms)
        create = payment.create
        is_open = create.state is OperationState.IN_DOUBT and create.attempt < ATTEMPTS_MAX and not create.is_proven
        return is_open and create.absent_since_ms is not None

    with everywhere(doubt, "may_create_again", may_create_again):
        yield


def _card_created_again() -> Any:
    return _created_again(FLOWS["card"].name)


def _push_created_again() -> Any:
    return _created_again(FLOWS["payin"].name)


@contextmanager
def _loss_ignored() -> Iterator[None]:
    def left_unproven(payment: Payment, **_: object) -> Payment:
        return payment

    with everywhere(doubt, "left_unproven", left_unproven):
        yield


@contextmanager
def _capture_repeated_at_once() -> Iterator[None]:
    real = doubt.grace_ends_ms

    def grace_ends_ms(operation: Operation, policy: Policy) -> int:
        return operation.at_ms if operation.name == CAPTURE else real(operation, policy)

    with everywhere(doubt, "grace_ends_ms", grace_ends_ms), attribute(doubt, "UNMOVED_FOR_MS", 0):
        yield


@contextmanager
def _canceled_after_the_mark() -> Iterator[None]:
    real = commands._OBEYED["cancel"]

    def cancel(payment: Payment, command: Command, now_ms: int) -> Payment:
        if payment.status is Status.ACCEPTED and running([payment.create]):
            return payment.moved(Status.CANCELED, None, now_ms=now_ms)
        return real(payment, command, now_ms)

    with item(commands._OBEYED, "cancel", cancel):
        yield


@contextmanager
def _two_decimals_for_all() -> Iterator[None]:
    def to_major(amount_minor: int, _: str) -> int | Decimal:
        whole, rest = divmod(amount_minor, 100)
        return Decimal(amount_minor).scaleb(-2).normalize() if rest else whole

    with everywhere(money, "to_major", to_major):
        yield


@contextmanager
def _cents_by_float() -> Iterator[None]:
    def from_major(value: object, currency: str) -> int:
        return int(float(money.parse_number(value)) * 10 ** EXPONENTS[currency])

    with everywhere(money, "from_major", from_major):
        yield


@contextmanager
def _one_look() -> Iterator[None]:
    real = next_step._next_look

    def next_look(payment: Payment, policy: Policy) -> int | None:
        return None if payment.looks else real(payment, policy)

    with attribute(next_step, "_next_look", next_look):
        yield


@contextmanager
def _all_paused() -> Iterator[None]:
    real_permit, real_pause = limits.permit, limits._pause
    accounts: dict[str, None] = {}

    async def permit(account: str, *args: Any, **rest: Any) -> int:
        accounts[account] = None
        return await real_permit(account, *args, **rest)

    async def pause(_: str, *args: Any) -> None:
        for account in accounts:
            await real_pause(account, *args)

    with together(everywhere(limits, "permit", permit), attribute(limits, "_pause", pause)):
        yield


BUGS = (
    Bug(
        name="last-word-wins",
        breaks=("I4",),
        rule="An observation of a lower rank changes nothing.",
        mistake="The latest word is applied, whatever it is.",
        plant=_last_word_wins,
    ),
    Bug(
        name="late-money-ignored",
        breaks=("I6",),
        rule="Money that comes after the deadline is money.",
        mistake="What expired stays expired, whatever is said.",
        plant=_late_money_ignored,
    ),
    Bug(
        name="late-authorised-captures",
        breaks=("I1",),
        rule="A capture is sent once, however often `authorised` is said.",
        mistake="Each `authorised` leads to a capture.",
        plant=_authorised_captures,
    ),
    Bug(
        name="unknown-status-is-success",
        breaks=("I5",),
        rule="A status that nobody announced is for a person.",
        mistake="What is neither waiting nor failed counts as received.",
        plant=_unknown_is_success,
    ),
    Bug(
        name="webhook-is-believed",
        breaks=("I5",),
        rule="A success that only a webhook told is confirmed by a read.",
        mistake="It is published at once.",
        plant=_webhook_is_believed,
    ),
    Bug(
        name="absent-is-failed",
        breaks=("I5",),
        rule="Absence from the list proves nothing.",
        mistake="A lost create that the list does not show has failed.",
        plant=_absent_is_failed,
    ),
    Bug(
        name="no-grace",
        breaks=("I1",),
        rule="Absence counts for something only after the call's deadline and the grace.",
        mistake="It counts at once.",
        plant=_no_grace,
    ),
    Bug(
        name="card-created-again",
        breaks=("I1",),
        rule="A card is never created again by the program.",
        mistake="It is, once the list does not show it.",
        plant=_card_created_again,
    ),
    Bug(
        name="push-created-again",
        breaks=("I1",),
        rule="A payin that pushes a prompt to the payer's phone is never created again by the program.",
        mistake="It is, like all other payins.",
        plant=_push_created_again,
    ),
    Bug(
        name="loss-ignored",
        breaks=("I1",),
        rule="Where the store lost its last writes, what seems unsent is looked up before it is sent.",
        mistake="What is marked as unsent is sent.",
        plant=_loss_ignored,
    ),
    Bug(
        name="capture-repeated-at-once",
        breaks=("I1",),
        rule="A capture in doubt is repeated only after two reads a minute apart, both after the grace.",
        mistake="Two reads in a row are enough.",
        plant=_capture_repeated_at_once,
    ),
    Bug(
        name="canceled-after-the-mark",
        breaks=("I1", "I5"),
        rule="What was marked as sent cannot be canceled any more.",
        mistake="It can, as long as the provider has not answered.",
        plant=_canceled_after_the_mark,
    ),
    Bug(
        name="two-decimals-for-all",
        breaks=("I7",),
        rule="Amounts are converted by the exponent of their currency.",
        mistake="Every currency has cents.",
        plant=_two_decimals_for_all,
    ),
    Bug(
        name="cents-by-float",
        breaks=("I7",),
        rule="The provider's numbers are read exactly.",
        mistake="They are multiplied as floats, and what is behind the point is cut off.",
        plant=_cents_by_float,
    ),
    Bug(
        name="one-look",
        breaks=("I2", "I6"),
        rule="An unfinished payment is polled until it is finished.",
        mistake="One answer ends the polling: from then on only webhooks tell.",
        plant=_one_look,
    ),
    Bug(
        name="all-merchants-paused",
        breaks=("I9",),
        rule="A merchant's bad credentials pause that merchant.",
        mistake="They pause all.",
        plant=_all_paused,
    ),
    Bug(
        name="one-look-for-a-word",
        breaks=("I6",),
        rule="What a webhook told is looked for until reads cannot be behind any more.",
        mistake="The first read settles it.",
        plant=lambda: attribute(observe, "LOOKS_FOR_A_WORD", 0),
    ),
    Bug(
        name="no-just-after-yes",
        breaks=("I5", "I6"),
        rule="A no that a read shows just after a success was told may be older; it is read again.",
        mistake="It ends the payment.",
        plant=lambda: attribute(observe, "_is_early_no", lambda *_: False),
    ),
)
