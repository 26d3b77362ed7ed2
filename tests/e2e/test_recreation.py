"""The re-creation table, cell by cell, with the provider's ledger as judge (architecture).

All cells run at once, each on a payment of its own, whose create goes wrong as ordered; what the provider was asked
and what it did is read when each has come to its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.intents import METHODS, card, gateway_link, mobile_money, payid, payin
from tests.support.process import wait_for

# A person is asked early, so that everything in doubt is looked at every other second from then on.
GRACE = {
    "call_timeout_total_s": "4",
    "call_timeout_read_s": "4",
    "call_timeout_connect_s": "1",
    "in_doubt_grace_s": "6",
    "in_doubt_max_age_s": "3",
    "payid_own_mailboxes": "desk@shop.com",
}
EXECUTED = ("lose_reply", "hang", "garbage", "truncate", "done_then_status")
NOT_EXECUTED = ("status", "drop_before")
NO = ("status", {"status": 422, "body": {"errors": {"code": "DUPLICATE", "message": "external_id was used"}}})
LISTS = "/api/v2/payins/all"


def push(**fields: Any) -> dict[str, Any]:
    """A payin that prompts the customer's phone."""
    method = {"payin_method_name": "ke_mobile_money_kes", "payin_method_params": {"account_number": "254700000000"}}
    return payin() | {"currency": "KES", "amount_minor": 12000, "method": method} | fields


def own_payid() -> dict[str, Any]:
    """A PayID that is mailed to nobody but the merchant."""
    return payid(method={"type": "payid", "emails": ["desk@shop.com"]})


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What goes wrong with a payment's create, how often the provider is asked then, and how often it makes one."""

    intent: dict[str, Any]
    faults: tuple[Any, ...]
    asked: int
    made: int
    ends: str = "requires_action"
    review: list[str] = field(default_factory=list)


def in_doubt(intent: dict[str, Any], *faults: Any, asked: int, made: int = 0) -> Cell:
    return Cell(intent=intent, faults=faults, asked=asked, made=made, ends="in_doubt", review=["in_doubt_aged"])


def cells() -> dict[str, Cell]:
    """The rows of the table by what may come of a call."""
    table: dict[str, Cell] = {}
    for fault in EXECUTED:
        table[f"card, {fault}: adopted"] = Cell(intent=card(), faults=(fault,), asked=1, made=1)
        table[f"payin, {fault}: adopted"] = Cell(intent=payin(), faults=(fault,), asked=1, made=1)
        table[f"otp, {fault}: adopted"] = Cell(
            intent=mobile_money(), faults=(fault,), asked=1, made=1, ends="processing"
        )
        table[f"link, {fault}: one more"] = Cell(intent=gateway_link(), faults=(fault,), asked=2, made=2)
        table[f"payid, {fault}: never"] = in_doubt(payid(), fault, asked=1, made=1)
        table[f"own payid, {fault}: one more"] = Cell(intent=own_payid(), faults=(fault,), asked=2, made=2)
    for fault in NOT_EXECUTED:
        table[f"card, {fault}: never"] = in_doubt(card(), fault, asked=1)
        table[f"payin, {fault}: one more"] = Cell(intent=payin(), faults=(fault,), asked=2, made=1)
        table[f"otp, {fault}: never"] = in_doubt(mobile_money(), fault, asked=1)
        table[f"stk, {fault}: never"] = in_doubt(push(), fault, asked=1)
        table[f"link, {fault}: one more"] = Cell(intent=gateway_link(), faults=(fault,), asked=2, made=1)
        table[f"payid, {fault}: never"] = in_doubt(payid(), fault, asked=1)
        table[f"own payid, {fault}: one more"] = Cell(intent=own_payid(), faults=(fault,), asked=2, made=1)
    for name, intent in {"payin": payin, "link": gateway_link, "own payid": own_payid}.items():
        table[f"{name}, a no to the repeat"] = in_doubt(intent(), "status", NO, asked=2)
        table[f"{name}, the repeat lost as well"] = in_doubt(intent(), *["status"] * 9, asked=2)
    for name in ("vn_other_vietqr_vnd", "ng_bank_ngn"):
        assert name in METHODS
        table[f"{name}, status: one more"] = Cell(intent=payin(name), faults=("status",), asked=2, made=1)
    table["link, executed, then a no"] = in_doubt(gateway_link(), "lose_reply", NO, asked=2, made=1)
    return table


CELLS = cells()


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(settings=GRACE)


@pytest.fixture(scope="module")
def played(stack) -> dict[str, Cell]:
    """Every cell has been played to its end, and a good while on."""
    for cell in CELLS.values():
        for fault in cell.faults:
            name, options = fault if isinstance(fault, tuple) else (fault, None)
            stack.desk.fault(name, external_id=cell.intent["intent_id"], options=options)
    stack.submit(*(cell.intent for cell in CELLS.values()))

    def unfinished() -> dict[str, Any]:
        by_id = stack.events.lasts()
        lasts = {name: by_id.get(cell.intent["intent_id"], {}) for name, cell in CELLS.items()}
        return {
            name: (lasts[name].get("status"), lasts[name].get("review"))
            for name, cell in CELLS.items()
            if (lasts[name].get("status"), lasts[name].get("review")) != (cell.ends, cell.review)
        }

    wait_for(lambda: not unfinished(), within_s=60, what=lambda: f"{unfinished()}\n{stack.tails()}")
    for _ in range(2):
        look_at_the_list(stack)
    return CELLS


@pytest.fixture
def desk(stack):
    """Faults that a test orders are gone after it."""
    yield stack.desk
    stack.desk.clear_faults()


def asked(stack, intent_id: str) -> int:
    """How often the provider was asked to create it."""
    return len(stack.desk.requests(method="POST", external_id=intent_id))


def made(stack, intent_id: str) -> list[str]:
    """What the provider made, in order, by its own key."""
    return [entry["uuid"] for entry in stack.desk.ledger(kind="create", external_id=intent_id)]


def pay(stack, *uuids: str) -> None:
    """The customer pays these of the provider's payments."""
    for uuid in uuids:
        reply = stack.desk._client.post(f"/payments/{uuid}/pay", json={})
        assert reply.status_code == 200, reply.text


def merchants_id(stack, uuid: str) -> str:
    """What the merchant knows a payment of the provider's by."""
    (payment,) = stack.desk._rows("payments", "payments", {"uuid": uuid})
    return str(payment["id"])


@pytest.mark.parametrize("name", sorted(CELLS))
def test_i1_the_provider_is_asked_as_often_as_the_table_allows(stack, played, name):
    cell = played[name]
    intent_id = cell.intent["intent_id"]

    assert (asked(stack, intent_id), len(made(stack, intent_id))) == (cell.asked, cell.made)
    last = stack.events.last(intent_id)
    assert (last["status"], last["review"]) == (cell.ends, cell.review)
    assert stack.events.statuses(intent_id)[:2] == ["accepted", "in_doubt"]


@pytest.mark.parametrize("name", ["payin, status: one more", "link, status: one more", "own payid, status: one more"])
def test_the_second_attempt_is_paid_and_heard_of_on_its_own_path(stack, played, name):
    intent_id = played[name].intent["intent_id"]

    pay(stack, *made(stack, intent_id))

    stack.wait_status([intent_id], "succeeded")
    assert f"/webhooks/hello-clever/default/{intent_id}/2" in stack.web.output
    assert f"/webhooks/hello-clever/default/{intent_id}/1" not in stack.web.output
    assert stack.events.last(intent_id)["review"] == []


@pytest.mark.parametrize("which", [0, 1], ids=["the first", "the second"])
@pytest.mark.parametrize("flow", ["link", "own payid"])
def test_whichever_of_two_is_paid_is_the_payment(stack, played, flow, which):
    fault = EXECUTED[which]
    intent_id = played[f"{flow}, {fault}: one more"].intent["intent_id"]
    two = made(stack, intent_id)

    pay(stack, two[which])

    stack.wait_status([intent_id], "succeeded")
    last = stack.events.last(intent_id)
    assert last["review"] == []
    assert last["provider"]["reference"] == merchants_id(stack, two[which])
    assert f"/webhooks/hello-clever/default/{intent_id}/{which + 1}" in stack.web.output


@pytest.mark.parametrize("flow", ["link", "own payid"])
def test_both_paid_is_one_success_and_a_person_is_told(stack, played, flow):
    intent_id = played[f"{flow}, {EXECUTED[2]}: one more"].intent["intent_id"]

    pay(stack, *made(stack, intent_id))

    wait_for(
        lambda: stack.events.last(intent_id)["review"] == ["duplicate_external_id"],
        what=lambda: f"{stack.events.last(intent_id)}\n{stack.tails()}",
    )
    stack.wait_status([intent_id], "succeeded")
    assert stack.events.last(intent_id)["paid_minor"] == 10000


NOT_READ_WHOLLY: tuple[tuple[str, dict[str, Any] | None], ...] = (
    ("truncate", None),
    ("status", {"status": 200, "body": {"records": [{"uuid": "X", "status": "pending"}], "per_page": 20}}),
    ("status", {"status": 200, "body": {"records": [{"uuid": "X", "external_id": "other", "status": "pending"}]}}),
)


def test_i1_a_payin_is_not_sent_again_before_its_list_was_read_wholly(stack, desk):
    """An error, half a page, a record that names no payment, a short page of which nobody knows how long it may be."""
    intent = payin()
    desk.fault("status", external_id=intent["intent_id"])
    desk.fault("status", times=1000, path=LISTS)
    ids = stack.submit(intent)
    wait_for(lambda: stack.events.last(ids[0]).get("review") == ["in_doubt_aged"], what=stack.tails)
    look_at_the_list(stack)
    # Nobody asks for the list again within the next seconds: one scan answers for all.
    desk.clear_faults()
    for name, options in NOT_READ_WHOLLY:
        desk.fault(name, path=LISTS, options=options)
    desk.fault("status", times=1000, path=LISTS)
    for _ in NOT_READ_WHOLLY:
        look_at_the_list(stack)
    look_at_the_list(stack)
    assert asked(stack, ids[0]) == 1

    desk.clear_faults()

    stack.wait_status(ids, "requires_action", within_s=30)
    assert (asked(stack, ids[0]), len(made(stack, ids[0]))) == (2, 1)


def look_at_the_list(stack) -> None:
    """Return when the list of payins was asked for once more."""
    looked = len(stack.desk.requests(path=LISTS))
    wait_for(lambda: len(stack.desk.requests(path=LISTS)) > looked, within_s=30, what=stack.tails)


def test_a_payin_that_the_list_hides_is_made_twice_and_both_paid_is_told(stack, desk):
    intent = payin()
    desk.fault("status", times=1000, path=LISTS, options={"status": 200, "body": {"records": [], "per_page": 20}})
    desk.fault("lose_reply", external_id=intent["intent_id"])
    ids = stack.submit(intent)
    stack.wait_status(ids, "requires_action", within_s=30)
    two = made(stack, ids[0])
    assert len(two) == 2

    pay(stack, *two)

    wait_for(lambda: stack.events.last(ids[0])["review"] == ["duplicate_external_id"], what=stack.tails)
    stack.wait_status(ids, "succeeded")
    assert asked(stack, ids[0]) == 2


def test_a_create_that_is_carried_out_late_is_found_and_not_sent_again(stack, desk):
    """It is carried out after our deadline, within the grace: a list that does not show it before proves nothing."""
    intents = [payin(), card()]
    for intent in intents:
        desk.fault("delay_ms", external_id=intent["intent_id"], options={"delay_ms": 4500})

    ids = stack.submit(*intents)

    stack.wait_status(ids, "requires_action", within_s=30)
    assert [stack.events.statuses(each)[:2] for each in ids] == [["accepted", "in_doubt"]] * 2
    assert [asked(stack, each) for each in ids] == [1, 1]
    stack.judge(ids)


def test_a_worker_killed_with_the_call_on_the_wire_leaves_the_same_doubt(own_stack):
    stack = own_stack(settings=GRACE)
    intents = [payin(), card()]
    for intent in intents:
        stack.desk.fault("hang", external_id=intent["intent_id"])
    ids = stack.submit(*intents)
    stack.wait_created(ids)

    stack.workers[0].kill()
    stack.start_worker()

    stack.wait_status(ids, "requires_action", within_s=40)
    assert [stack.events.statuses(each)[:2] for each in ids] == [["accepted", "in_doubt"]] * 2
    assert [asked(stack, each) for each in ids] == [1, 1]
    stack.judge(ids)
