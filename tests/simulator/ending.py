"""How a run has to end: every payment finished or with a person, in agreement with the ledger, every event told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.payment import OperationState, Payment, bare_reference, public_view
from orchestrator.statuses import FINAL, Reason, Review, Status
from tests.simulator.answers import unanswered
from tests.simulator.said import is_given_up

if TYPE_CHECKING:
    from tests.simulator.charges import Charge
    from tests.simulator.world import World

_AT_REST = frozenset({"received", "expired", "failed", "return_received", "partially_refunded", "dispute_lost"})
_FELL_THROUGH = frozenset({"return_rejected", "return_expired"})
_STATUSES: dict[str, frozenset[Status]] = {
    "pending": frozenset({Status.EXPIRED}),
    "failed": frozenset({Status.FAILED}),
    "expired": frozenset({Status.EXPIRED}),
    "received": frozenset({Status.SUCCEEDED}),
    "partially_refunded": frozenset({Status.PARTIALLY_REFUNDED}),
    "dispute_lost": frozenset({Status.DISPUTE_LOST}),
}


def unsettled(world: World) -> list[tuple[str, str]]:
    """What is not at its end yet: which promise would be broken if it stayed so, and a sentence."""
    found = _outside(world)
    for intent in sorted(world.truth.known):
        payment = world.checks.payment_of(intent)
        if payment is None:
            found.append(("I2", f"{intent} was taken off the queue and is not stored"))
            continue
        sentence = _why_unsettled(world, intent, payment)
        if sentence:
            found.append(sentence)
    return found


def broken_at_the_ledger(world: World) -> list[tuple[str, str]]:
    """Money that was moved twice (I1)."""
    provider, found = world.provider, []
    for (intent, attempt), times in provider.creates.items():
        charge = next(charge for charge in provider.charges if charge.intent == intent)
        is_pushed = charge.pushes and not (charge.flow == "payid" and world.policy.payid_own_mailboxes)
        if times > 1 and not (world.tail.lost_s is not None and provider.is_harmless(intent)):
            found.append(("I1", f"{intent}: its create was executed {times} times in attempt {attempt}"))
        is_first = world.tail.lost_s is not None and not provider.creates[intent, 1]
        if attempt > 2 or (attempt > 1 and not is_first and (is_pushed or charge.flow == "card")):
            found.append(("I1", f"{intent}: a {charge.flow} was created in attempt {attempt}"))
    for intent, (life, _, reference) in world.truth.created.items():
        payment = world.checks.payment_of(intent)
        if payment is None and world.tail.lost_s is not None:
            continue  # its accept was among the last writes
        if payment is None or reference not in {
            bare_reference(known) for known in (payment.reference, *payment.aliases)
        }:
            found.append(("I2", f"{intent}: {life.name} heard that {reference} was created, and lost it"))
    found += world.conduct.replies.lost()
    if not world.violations and world.tail.lost_s is None:
        found += unanswered(world)
    refused = {letter.body for letter in world.store.dead_letters}
    found += [("I9", f"neither of {pair!r} was refused") for pair in world.truth.conflicting if not refused & {*pair}]
    for reference, times in provider.captures.items():
        found.append(("I1", f"{reference} was captured and asked for {times} times more"))
    for (reference, note), times in provider.refunds.items():
        if times > 1:
            found.append(("I1", f"{reference}: the refund {note!r} was made {times} times"))
    return found


def _outside(world: World) -> list[tuple[str, str]]:
    """What is still on its way outside the engine, or at its edge."""
    waits = (
        (world.shop.to_send, "messages are still to be sent"),
        (len(world.stream.entries), "messages are not acknowledged"),
        (world.payer.plans, "deeds of payers are still to come"),
        (world.courier.on_the_way, "webhooks are on the way"),
        (0 if world.event_log.is_relayed else 1, "events are not relayed"),
        (world.store.waiting, "observations wait"),
    )
    return [("I2", f"{count} {what}") for count, what in waits if count]


def _why_unsettled(world: World, intent: str, payment: Payment) -> tuple[str, str] | None:
    status = public_view(payment).status
    charges = [charge for charge in world.provider.charges if charge.intent == intent]
    charge = next((each for each in charges if each.reference == bare_reference(payment.reference)), None)
    if _is_with_a_person(payment, status) or _is_never_told(world, intent, payment, charge):
        return None
    if status not in FINAL:
        return "I2", f"{intent} is {status}/{payment.reason} for ever, review {payment.review}"
    if charge is None:
        return _without_charge(world, intent, payment, charges)
    is_at_rest = charge.status in _AT_REST | _FELL_THROUGH or charge.flow == "gateway_link"
    is_excused = is_at_rest and intent in world.courier.lost and _was_true(payment, charge)
    if is_excused or _agrees(payment, charge):
        return None
    return "I6", f"{intent} is {status}/{payment.reason}, the provider says {charge.status} of {charge.reference}"


def _is_with_a_person(payment: Payment, status: Status) -> bool:
    reviews = set(payment.review)
    is_doubted = any(operation.state is OperationState.IN_DOUBT for operation in payment.operations.values())
    if Review.PARKED in reviews or payment.reason is Reason.AMOUNT_REVIEW:
        return True
    return is_doubted and Review.IN_DOUBT_AGED in reviews and (status not in FINAL or status is Status.SUCCEEDED)


def _is_never_told(world: World, intent: str, payment: Payment, charge: Charge | None) -> bool:
    """Unfinished, and a person is told so, since the provider never says how it ended.

    Nothing but a webhook tells of a link that was paid; and a card that was refunded before it settled shows no status
    any more but that the refund fell through.
    """
    is_told = Review.STALE in payment.review or payment.status is Status.DISPUTED
    is_link = payment.flow == "gateway_link" and intent in world.courier.lost and payment.customer_paid
    is_hidden = charge is not None and charge.status in _FELL_THROUGH and payment.reason is Reason.SETTLING
    return is_told and (is_link or is_hidden)


def _without_charge(world: World, intent: str, payment: Payment, charges: list[Charge]) -> tuple[str, str] | None:
    """Final without a charge: nothing may have been charged, but for links and payments that nobody paid."""
    paid = [charge for charge in charges if charge.paid]
    is_unsent = (payment.reason is Reason.NOT_SENT and not is_given_up(payment)) or payment.status is Status.CANCELED
    if charges and (is_unsent or payment.status is Status.FAILED):
        return "I5", f"{intent} is {payment.status}/{payment.reason}, the provider created {charges[0].reference}"
    if paid and intent not in world.courier.lost:
        return "I6", f"{intent} is {payment.status}, {paid[0].reference} was paid"
    if payment.status is Status.FAILED and intent not in world.provider.refused_creates:
        return "I5", f"{intent} failed and nobody said so"
    return None


def _agrees(payment: Payment, charge: Charge) -> bool:
    if charge.status in _FELL_THROUGH or charge.status == "return_received":
        if not charge.returned:
            return payment.status is Status.SUCCEEDED
        is_whole = charge.returned >= charge.paid
        unknown = Review.REFUND_AMOUNT_UNKNOWN in payment.review
        whole = payment.status is Status.REFUNDED
        return whole or unknown if is_whole else payment.status is Status.PARTIALLY_REFUNDED or (whole and unknown)
    # A link that lapsed by our clock stays so, whatever became of it unpaid.
    has_lapsed = payment.reason is Reason.LINK_LAPSED and not charge.paid
    return has_lapsed or payment.status in _STATUSES.get(charge.status, frozenset())


def _was_true(payment: Payment, charge: Charge) -> bool:
    """Whether the provider once said what we believe: what came later was told by webhooks that were lost."""
    words = [*charge.has_been, "pending"]
    if payment.status in {Status.REFUNDED, Status.PARTIALLY_REFUNDED}:
        return "return_received" in words or "partially_refunded" in words
    return any(payment.status in _STATUSES.get(word, frozenset()) for word in words)
