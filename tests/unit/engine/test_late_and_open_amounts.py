"""Pay codes that come after a while, for both methods, and an amount that the provider names."""

from __future__ import annotations

import pytest

from tests.unit.core.building import payin_body, payin_intent
from tests.unit.core.test_rules import EXAMPLES
from tests.unit.engine.world import DAY_MS, HOUR_MS, MINUTE_MS, PAYIN, World, said

BANK = {"bank_name": "MUFG", "account_number": "0123456", "account_name": "HC", "expired_timestamp": "1800000000"}
LATE = [
    ("jp_bank_jpy", 10000, BANK, {"type": "show_bank_details"} | BANK),
    (
        "au_payid_npp_aud",
        1_000_000,
        {"payment_url": "https://pay.example/x"},
        {"type": "redirect", "purpose": "payment", "url": "https://pay.example/x"},
    ),
]


def intent_of(name: str, amount_minor: int | None):
    currency, params = EXAMPLES[name]
    method = {"payin_method_name": name, "payin_method_params": params}
    return payin_intent(currency=currency, amount_minor=amount_minor, method=method)


def said_of(name: str, status: str, **changes):
    return payin_body(status, currency=EXAMPLES[name][0], amount="10000.0", total="10000.0", **changes)


async def waiting(name: str, amount_minor: int) -> World:
    world = World()
    world.provider.script("create", said(said_of(name, "pending", pay_code=None)))
    world.provider.script("detail", said(said_of(name, "pending", pay_code=None)))
    await world.submit(intent_of(name, amount_minor))
    assert world.story(PAYIN) == ["accepted", "processing/awaiting_pay_code"]
    return world


@pytest.mark.parametrize(("name", "amount_minor", "pay_code", "action"), LATE)
async def test_t16_a_late_pay_code_comes_by_webhook_with_the_status_still_pending(name, amount_minor, pay_code, action):
    world = await waiting(name, amount_minor)
    await world.pass_time(5 * HOUR_MS)
    assert world.last(PAYIN)["review"] == []
    await world.hook(said_of(name, "pending", pay_code=pay_code), key=PAYIN)
    assert world.story(PAYIN)[2:] == ["requires_action"]
    assert world.last(PAYIN)["next_action"] == action


@pytest.mark.parametrize(("name", "amount_minor", "pay_code", "action"), LATE)
async def test_t16_a_late_pay_code_is_found_by_polling_too(name, amount_minor, pay_code, action):
    world = await waiting(name, amount_minor)
    world.provider.script("detail", said(said_of(name, "pending", pay_code=pay_code)))
    await world.pass_time(2 * MINUTE_MS)
    assert world.last(PAYIN)["next_action"] == action


@pytest.mark.parametrize(("name", "amount_minor", "pay_code", "action"), LATE)
async def test_t16_a_late_pay_code_is_not_blanked_and_a_changed_one_is_news(name, amount_minor, pay_code, action):
    world = await waiting(name, amount_minor)
    await world.hook(said_of(name, "pending", pay_code=pay_code), key=PAYIN)
    for empty in (None, {}, "", {"message": "soon"}):
        await world.hook(said_of(name, "pending", pay_code=empty), key=PAYIN)
    assert world.story(PAYIN)[2:] == ["requires_action"]
    other = {key: f"{value}9" for key, value in pay_code.items()}
    await world.hook(said_of(name, "pending", pay_code=other), key=PAYIN)
    assert world.story(PAYIN)[3:] == ["requires_action"]
    assert world.last(PAYIN)["next_action"] != action


# USDC without an amount


async def quoted(total: object) -> World:
    world = World()
    reply = payin_body("pending", currency="USDC", amount=total, total=total, paid_amount="0.0",
                       pay_code={"pay_url": "https://pay.example/x"})  # fmt: skip
    world.provider.script("create", said(reply))
    world.provider.script("detail", said(reply))
    await world.submit(intent_of("usdc_bank", None))
    return world


async def test_t35_the_amount_that_was_left_out_is_the_quoted_one():
    world = await quoted("99.5")
    body = world.provider.requests[0][1].body
    assert body is not None
    assert "amount" not in body
    last = world.last(PAYIN)
    assert (last["status"], last["amount_minor"], last["total_minor"]) == ("requires_action", None, 99_500_000)


@pytest.mark.parametrize(
    ("paid", "story", "review"),
    [
        ("99.5", "succeeded", []),
        ("99.499999", "processing/amount_review", ["underpaid"]),
        ("99.500001", "succeeded", ["overpaid"]),
    ],
)
async def test_t35_what_is_paid_is_held_against_the_quote(paid, story, review):
    world = await quoted("99.5")
    received = payin_body("received", currency="USDC", amount="99.5", total="99.5", paid_amount=paid)
    world.provider.script("detail", said(received))
    await world.pass_time(2 * MINUTE_MS)
    assert world.story(PAYIN)[-1] == story
    assert world.last(PAYIN)["review"] == review


async def test_t35_another_quote_later_is_no_success():
    world = await quoted("99.5")
    world.provider.script(
        "detail", said(payin_body("received", currency="USDC", amount="98", total="98", paid_amount="98"))
    )
    await world.pass_time(DAY_MS)
    assert world.story(PAYIN)[-1] == "processing/amount_review"
    assert world.last(PAYIN)["review"] == ["amount_mismatch"]
