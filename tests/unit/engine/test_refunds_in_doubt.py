"""A refund whose outcome is not known: looked for, never sent again, done when a read or a webhook shows it (I1)."""

from __future__ import annotations

import pytest

from orchestrator.payment import OperationState, RefundOutcome
from orchestrator.ports import Reply
from tests.unit.engine.refunding import FLOWS, NO_BALANCE, Refunded
from tests.unit.engine.world import DAY_MS, HOUR_MS, LOST, MINUTE_MS, said

ON_FLOWS = pytest.mark.parametrize("flow", sorted(FLOWS))
HAS_SUM = {"card": "partially_refunded", "payid": "return_received", "payin": "return_received"}
UNCLEAR = pytest.mark.parametrize(
    "reply",
    [
        LOST,
        said({}, 500),
        said({}, 502),
        said({}, 408),
        Reply(sent=True, http_status=301),
        Reply(sent=True, http_status=200),
        said(None),
        said([]),
        said({"status": "Ok"}),
        said({"uuid": "PSADT5CE", "amount": 25, "description": "Refund r-1"}),
        said({"errors": {"message": "Insufficient balance."}}),
    ],
    ids=["lost", "500", "502", "408", "301", "no json", "null", "list", "no id", "an echo of the request", "errors"],
)


class WorkerDiedError(Exception):
    """The process is gone; nothing after this line of it happens."""


async def doubtful(flow: str, *lines, means: str = "received", **changes) -> Refunded:
    """A refund of 25.00 whose outcome is not known; reads say what the provider means."""
    paid = await Refunded(flow).begin()
    paid.says(means, **changes)
    paid.replies(*(lines or (LOST,)))
    await paid.refund(amount_minor=2_500)
    return paid


@ON_FLOWS
@UNCLEAR
async def test_an_unclear_answer_is_looked_up_and_what_a_read_shows_is_the_refund(flow, reply):
    paid = await doubtful(flow, reply, means="return_pending", returned_minor=2_500)
    await paid.world.pass_time(MINUTE_MS)
    assert (await paid.operation()).state is OperationState.DONE
    assert paid.story == ["refund_pending"]
    await paid.hear(HAS_SUM[flow], returned_minor=2_500)
    assert (paid.last["status"], paid.last["refunded_minor"]) == ("partially_refunded", 2_500)
    assert (len(paid.asked), paid.refusals) == (1, [])
    await paid.settle()


@ON_FLOWS
async def test_a_refund_that_is_over_when_it_is_first_looked_up(flow):
    paid = await doubtful(flow, means=HAS_SUM[flow], returned_minor=2_500)
    await paid.world.pass_time(MINUTE_MS)
    operation = await paid.operation()
    assert (operation.state, operation.outcome) == (OperationState.DONE, RefundOutcome.RETURNED)
    assert paid.story == ["refund_pending", "partially_refunded"]
    assert (paid.last["refunded_minor"], len(paid.asked)) == (2_500, 1)


@ON_FLOWS
@pytest.mark.parametrize("word", ["return_pending", "return_received"])
async def test_a_webhook_ends_the_doubt(flow, word):
    paid = await doubtful(flow)
    await paid.hear(word, returned_minor=2_500)
    assert (await paid.operation()).state is OperationState.DONE
    assert len(paid.asked) == 1


@ON_FLOWS
async def test_a_refund_that_no_read_shows_is_never_sent_again_and_becomes_a_persons(flow):
    paid = await doubtful(flow)
    await paid.world.pass_time(HOUR_MS)
    assert paid.story == ["refund_pending"]
    await paid.refund("r-2", amount_minor=1)
    await paid.refund(amount_minor=2_500, command_id="c-2")
    assert paid.refusals == ["refund_running"]
    await paid.world.pass_time(10 * DAY_MS)
    assert len(paid.asked) == 1
    assert (paid.last["status"], paid.last["review"]) == ("refund_pending", ["in_doubt_aged"])
    await paid.hear("return_pending", returned_minor=2_500)
    assert (await paid.operation()).state is OperationState.DONE
    await paid.settle()


@ON_FLOWS
async def test_a_second_refund_in_doubt_is_not_taken_for_the_first(flow):
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken())
    await paid.refund("r-1", amount_minor=2_500)
    await paid.hear(HAS_SUM[flow], returned_minor=2_500)
    paid.replies(LOST)
    await paid.refund("r-2", amount_minor=1_000)
    await paid.world.pass_time(HOUR_MS)  # every read says what the first one came to
    await paid.world.hook(paid.body(HAS_SUM[flow], returned_minor=2_500), key=paid.key)
    assert (await paid.operation("r-2")).state is OperationState.IN_DOUBT
    assert (paid.last["status"], paid.last["refunded_minor"]) == ("refund_pending", 2_500)
    await paid.hear("return_pending", returned_minor=3_500)
    await paid.hear(HAS_SUM[flow], returned_minor=3_500)
    assert (paid.last["status"], paid.last["refunded_minor"], len(paid.asked)) == ("partially_refunded", 3_500, 2)
    assert (await paid.operation("r-2")).outcome is RefundOutcome.RETURNED
    await paid.settle()


@ON_FLOWS
@pytest.mark.parametrize("executed", [True, False])
async def test_vector_15_a_worker_that_died_on_the_call_leaves_a_doubt_and_no_second_call(flow, executed):
    paid = await Refunded(flow).begin()

    async def die(_request):
        raise WorkerDiedError

    paid.replies(die, paid.taken())
    with pytest.raises(WorkerDiedError):
        await paid.refund(amount_minor=2_500)
    assert (await paid.operation()).state is OperationState.SENDING
    if executed:
        paid.says("return_pending", returned_minor=2_500)
    await paid.world.pass_time(HOUR_MS, worker="w2")
    for _ in range(2):
        await paid.refund(amount_minor=2_500)
    assert (await paid.operation()).state is (OperationState.DONE if executed else OperationState.IN_DOUBT)
    assert (len(paid.asked), paid.story) == (1, ["refund_pending"])
    await paid.settle()


async def test_a_worker_that_died_before_the_mark_has_sent_nothing_and_another_sends_it_once():
    paid = await Refunded("payin").begin()
    paid.replies(paid.taken())
    await paid.refund(amount_minor=2_500, turn=False)
    await paid.world.claim(paid.key, worker="w1")
    await paid.world.pass_time(MINUTE_MS, worker="w2")
    assert (len(paid.asked), paid.story) == (1, ["refund_pending"])


@pytest.mark.parametrize(
    ("reply", "state", "refusals"),
    [
        ("taken", OperationState.DONE, []),
        ("refused", OperationState.REFUSED, ["INSUFFICIENT"]),
        ("lost", OperationState.IN_DOUBT, []),
    ],
)
async def test_a_reply_that_comes_after_its_worker_lost_the_claim_still_counts(reply, state, refusals):
    paid = await Refunded("payin").begin()
    replies = {"taken": paid.taken(), "refused": NO_BALANCE, "lost": LOST}

    async def late(_request):
        paid.world.clock.ms += 11_000
        await paid.world.turn(worker="w2")
        assert (await paid.operation()).state is OperationState.IN_DOUBT
        return replies[reply]

    paid.replies(late)
    await paid.refund(amount_minor=2_500)
    assert paid.world.ledger.said("payment.fenced") == 1
    await paid.world.turn(worker="w2")
    assert (await paid.operation()).state is state
    assert (paid.refusals, len(paid.asked)) == (refusals, 1)
    await paid.settle()


async def test_a_reply_that_was_overtaken_by_its_own_webhooks_changes_nothing_more():
    paid = await Refunded("payid").begin()

    async def overtaken(_request):
        for word in ("return_pending", "return_received"):
            await paid.world.hook(paid.body(word, returned_minor=2_500), key=paid.key, turn=False)
        return paid.taken()

    paid.replies(overtaken)
    paid.says("return_received", returned_minor=2_500)
    await paid.refund(amount_minor=2_500)
    await paid.world.pass_time(DAY_MS)
    assert (paid.last["status"], paid.last["refunded_minor"]) == ("partially_refunded", 2_500)
    assert (await paid.operation()).outcome is RefundOutcome.RETURNED
    assert len(paid.asked) == 1
    await paid.settle()


@ON_FLOWS
async def test_the_echo_of_another_payment_proves_nothing(flow):
    other = {"id": 999} if flow == "payid" else {"uuid": "OTHER1"}
    paid = await Refunded(flow).begin()
    paid.replies(paid.taken(**other))
    await paid.refund(amount_minor=2_500)
    assert (await paid.operation()).state is OperationState.IN_DOUBT
    await paid.world.pass_time(HOUR_MS)
    assert (len(paid.asked), paid.last["status"]) == (1, "refund_pending")
    payment = await paid.world.payment(paid.key)
    assert payment.aliases == (("payid:999",) if flow == "payid" else ("uuid:OTHER1",))
    assert payment.reference not in payment.aliases


@ON_FLOWS
@pytest.mark.parametrize(("word", "status"), [("in_dispute", "disputed"), ("dispute_lost", "dispute_lost")])
async def test_a_refund_in_doubt_becomes_a_persons_whatever_else_happens_to_the_payment(flow, word, status):
    paid = await doubtful(flow)
    await paid.hear(word)
    await paid.world.pass_time(2 * DAY_MS)
    assert (paid.last["status"], paid.last["review"]) == (status, ["in_doubt_aged"])
    assert len(paid.asked) == 1
    await paid.settle()


@ON_FLOWS
async def test_a_dispute_wins_over_a_refund_in_doubt(flow):
    paid = await doubtful(flow)
    await paid.hear("in_dispute")
    assert paid.story == ["refund_pending", "disputed"]
    await paid.hear("return_pending", returned_minor=2_500)
    assert (await paid.operation()).state is OperationState.DONE
    assert paid.story[2:] == ["refund_pending"]
    assert len(paid.asked) == 1


@ON_FLOWS
@pytest.mark.parametrize(("end", "status"), [("return", "partially_refunded"), ("return_rejected", "succeeded")])
async def test_a_reply_that_comes_after_the_refunds_end_was_told_begins_it_not_again(flow, end, status):
    paid = await Refunded(flow).begin()
    word = HAS_SUM[flow] if end == "return" else end

    async def late(_request):
        paid.world.clock.ms += 11_000
        await paid.world.turn(worker="w2")
        await paid.hear("return_pending", returned_minor=2_500)
        await paid.hear(word, returned_minor=2_500)
        assert paid.last["status"] == status
        return paid.taken()

    paid.replies(late)
    await paid.refund(amount_minor=2_500)
    await paid.world.turn(worker="w2")
    assert paid.story == ["refund_pending", status]
    await paid.settle()
