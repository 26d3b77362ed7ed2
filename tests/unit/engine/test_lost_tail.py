"""The store lost writes that it had confirmed: what seems unsent is looked up before it is sent, or held (I1)."""

from __future__ import annotations

import copy

import pytest

from orchestrator.doubt import TAIL_MS
from orchestrator.flows.provider_object import time_ms
from orchestrator.identity import shard_of
from orchestrator.payment import CREATE, OperationState
from orchestrator.policy import Policy
from orchestrator.statuses import Status
from tests.unit.core.building import (
    card_body,
    card_intent,
    gateway_intent,
    payid_intent,
    payin_body,
    payin_intent,
)
from tests.unit.engine.refunding import NO_BALANCE, Refunded
from tests.unit.engine.world import (
    CARD,
    DAY_MS,
    EMPTY_LIST,
    GATEWAY,
    LOST,
    MINUTE_MS,
    PAYID,
    PAYIN,
    World,
    said,
)

INTENTS = {CARD: card_intent, PAYIN: payin_intent, GATEWAY: gateway_intent, PAYID: payid_intent}
ACTION = {CARD: card_body("pending", pay_code={"3ds_url": "https://pay.example/3ds"})}
ACTION |= {PAYIN: payin_body("pending", pay_code={"pay_url": "https://pay.example/x"})}
CALLS_END_MS = 100_000  # from the loss on: the deadline of a call, and the grace


class Losing(World):
    """A world whose store can lose what was written since a moment."""

    def remember(self):
        self._kept = copy.deepcopy((self.store._payments, self.store._due, self.store._events))

    def lose(self, key, *, tail=False):
        """The loss is found; with `tail` all that was written since `remember` is gone, claims included."""
        if tail:
            self.store._payments, self.store._due, self.store._events = copy.deepcopy(self._kept)
        self.store.lose_tail(shard_of(key, shards=64))


async def unsent(key, policy=None):
    """A payment that is stored and due, and nobody took it yet."""
    world = Losing(policy)
    await world.deliver(INTENTS[key]())
    world.remember()
    if key in ACTION:
        world.provider.script("create", said(ACTION[key]))
        for read in ("card", "detail"):
            world.provider.script(read, said(ACTION[key]))
    return world


@pytest.mark.parametrize("key", [CARD, PAYIN], ids=lambda key: key.intent_id)
async def test_what_was_not_sent_is_sent_once_the_list_does_not_hold_it_after_the_last_call_has_ended(key):
    world = await unsent(key)
    world.lose(key)

    await world.pass_time(CALLS_END_MS - 5_000)
    assert world.provider.calls["create"] == 0
    assert world.story(key) == ["accepted", "in_doubt"]
    await world.pass_time(2 * MINUTE_MS)

    assert world.provider.calls["create"] == 1
    assert world.story(key)[2:] == ["requires_action"]
    await world.assert_consistent(key)


@pytest.mark.parametrize("key", [CARD, PAYIN], ids=lambda key: key.intent_id)
async def test_what_was_sent_and_its_mark_lost_is_found_in_the_list_and_not_sent_again(key):
    world = await unsent(key)
    await world.turn()
    assert world.provider.calls["create"] == 1
    found = ACTION[key] | {"created_at": "2027-01-15T08:00:01Z"}
    world.provider.script("list", said({"records": [found], "page": 1, "per_page": 20, "total": 1}))

    world.lose(key, tail=True)
    await world.pass_time(10 * MINUTE_MS)

    assert world.provider.calls["create"] == 1
    assert world.story(key)[-1] == "requires_action"
    await world.assert_consistent(key)


async def test_a_payment_whose_flow_cannot_be_looked_up_and_must_not_be_made_twice_is_held_with_a_review():
    world = await unsent(PAYID)
    world.lose(PAYID)

    await world.pass_time(DAY_MS)

    assert world.provider.calls["create"] == 0
    assert world.story(PAYID)[:2] == ["accepted", "in_doubt"]
    assert world.events(PAYID)[1]["data"]["review"] == ["in_doubt_aged"]


async def test_a_link_that_only_we_show_is_made_when_no_call_of_before_can_still_arrive():
    world = await unsent(GATEWAY)
    world.provider.script("create", said({"payment_url": "https://pay.example/link"}))
    world.lose(GATEWAY)

    await world.pass_time(CALLS_END_MS - 5_000)
    assert world.provider.calls["create"] == 0
    await world.pass_time(10_000)

    assert world.provider.calls["create"] == 1


async def test_a_link_is_held_with_a_review_where_nothing_is_made_twice():
    world = await unsent(GATEWAY, Policy(recreated_flows=frozenset()))
    world.lose(GATEWAY)

    await world.pass_time(MINUTE_MS)

    assert world.last(GATEWAY)["review"] == ["in_doubt_aged"]
    assert world.provider.calls["create"] == 0


@pytest.mark.parametrize(("after_ms", "is_looked_up"), [(TAIL_MS - 1_000, True), (TAIL_MS + 1_000, False)])
async def test_what_is_accepted_within_a_quarter_of_an_hour_after_the_loss_is_looked_up_too(after_ms, is_looked_up):
    world = Losing()
    world.provider.script("create", said(ACTION[CARD]))
    world.provider.script("card", said(ACTION[CARD]))
    world.lose(CARD)
    world.clock.ms += after_ms

    await world.submit(card_intent())
    await world.pass_time(5_000)

    assert world.provider.calls["list"] == int(is_looked_up)
    assert world.provider.calls["create"] == 1
    assert world.story()[-1] == "requires_action"


async def test_a_loss_that_is_found_between_the_claim_and_the_mark_stops_the_call():
    world = await unsent(CARD)

    async def lose(_):
        world.lose(CARD)

    world.gate.before = lose
    await world.turn()

    assert world.provider.calls["create"] == 0
    assert world.story() == ["accepted", "in_doubt"]


async def test_a_loss_is_answered_once_and_another_one_again():
    world = await unsent(CARD)
    world.lose(CARD)
    await world.pass_time(CALLS_END_MS - 5_000)
    world.provider.script("create", said({}, 429))  # certainly not executed
    await world.pass_time(MINUTE_MS)
    assert world.provider.calls["create"] >= 1
    assert (await world.payment()).create.state is OperationState.READY
    asked = world.provider.calls["create"]

    world.lose(CARD)
    await world.pass_time(10 * MINUTE_MS)

    assert world.provider.calls["create"] == asked
    assert world.story()[-1] == "in_doubt"


async def test_a_capture_that_was_made_and_lost_is_read_for_when_its_authorisation_is_heard_again():
    world = await unsent(CARD)
    await world.turn()
    await world.hook(card_body("authorised"), turn=False)
    world.remember()
    world.provider.script("capture", said(card_body("waiting")))
    await world.turn()
    assert world.provider.calls["capture"] == 1

    for read in ("card", "detail"):
        world.provider.script(read, said(card_body("waiting")))
    world.lose(CARD, tail=True)
    world.clock.ms += 1_000  # the webhook is applied again, after the loss was found
    await world.pass_time(10 * MINUTE_MS)

    assert world.provider.calls["capture"] == 1
    assert world.story()[-1] == "processing/settling"


async def test_i1_a_create_in_doubt_may_have_been_made_again_before_the_loss():
    world = Losing()

    def absent(_):
        if world.provider.calls["create"] == 1:
            world.remember()
        return EMPTY_LIST

    world.provider.script("create", LOST)
    world.provider.script("list", absent)
    await world.submit(payin_intent())
    while world.provider.calls["create"] < 2:
        await world.pass_time(1_000)
    found = ACTION[PAYIN] | {"created_at": "2027-01-15T08:00:01Z"}
    shown_ms = world.clock.ms + 40_000

    def shown_late(_):
        is_shown = world.clock.ms >= shown_ms
        return said({"records": [found], "page": 1, "per_page": 20, "total": 1}) if is_shown else EMPTY_LIST

    world.provider.script("list", shown_late)
    world.lose(PAYIN, tail=True)
    await world.pass_time(10 * MINUTE_MS)

    assert world.provider.calls["create"] == 2
    assert world.story(PAYIN)[-1] == "requires_action"
    await world.assert_consistent(PAYIN)


async def test_a_payment_that_is_over_is_left_as_it_is():
    world = await unsent(CARD)
    await world.command("cancel", turn=False)
    await world.turn()
    world.lose(CARD)

    await world.hook({"nobody": "knows"})

    assert set(world.story()) == {"accepted", "canceled"}


async def test_what_may_have_been_sent_is_not_canceled():
    world = await unsent(CARD)
    world.lose(CARD)
    await world.pass_time(1_000)

    await world.command("cancel")

    assert [code for _, code in world.refusals()] == ["already_sent"]


async def test_a_refund_that_seems_unsent_is_not_sent_and_waits_for_what_the_provider_shows():
    refunded = await Refunded("payin").begin()
    world = refunded.world
    await world.command("refund", key=PAYIN, refund_id="r-1", turn=False)
    world.store.lose_tail(shard_of(PAYIN, shards=64))

    await world.pass_time(10 * MINUTE_MS)

    assert world.provider.calls["refund"] == 0
    assert (await world.payment(PAYIN)).operations["refund:r-1"].state is OperationState.IN_DOUBT


async def test_a_refusal_of_a_refund_that_was_lost_before_it_counted_as_told_ends_nothing_else(monkeypatch):
    refunded = Refunded("payin")
    refunded.world = world = Losing()
    await refunded.begin()
    refunded.replies(NO_BALANCE)
    world.remember()
    refuse = world.store.refuse

    async def refuse_and_lose(refusal):
        is_first = await refuse(refusal)
        claim = world.store._payments[PAYIN]
        world.lose(PAYIN, tail=True)
        # What is left is of a moment at which the same worker had it for an earlier turn.
        was = world.store._payments[PAYIN]
        was.owner, was.owned_until_ms = claim.owner, claim.owned_until_ms
        return is_first

    monkeypatch.setattr(world.store, "refuse", refuse_and_lose)
    await world.command("refund", key=PAYIN, refund_id="r-1")

    assert [code for _, code in world.refusals()] == ["INSUFFICIENT"]
    assert (await world.payment(PAYIN)).status is Status.SUCCEEDED
    assert "refund:r-1" not in (await world.payment(PAYIN)).operations


async def test_a_store_that_lost_nothing_holds_nothing_up():
    world = await unsent(CARD)

    await world.turn()

    assert (await world.payment()).operations[CREATE].state is OperationState.DONE
    assert world.provider.calls["list"] == 0


@pytest.mark.parametrize("key", [CARD, PAYIN], ids=lambda key: key.intent_id)
async def test_i1_after_a_loss_the_list_is_read_back_to_the_acceptance_however_long_ago_that_was(key):
    world = await unsent(key)
    world.clock.ms += 60 * MINUTE_MS
    world.lose(key)
    await world.pass_time(5_000)

    (request,) = [request for kind, request in world.provider.requests if kind == "list"]
    accepted_ms = (await world.payment(key)).accepted_at_ms
    window = [time_ms(value) for name, value in request.query if name in {"start_date", "from_date"}]
    assert window[0] <= accepted_ms
