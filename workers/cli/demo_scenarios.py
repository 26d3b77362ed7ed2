"""What the demo submits and how each of it must end, as data: every flow, every method, every ending."""

from __future__ import annotations

from typing import Any

from workers.cli.demo_methods import BACK_URL, METHODS, MethodExample
from workers.cli.demo_model import Deed, Scenario, Step

# Certainly not executed, so nothing is in doubt: this payment waits until it may be sent, the others do not.
TOO_EARLY = {"fault": "status", "status": 425, "headers": {"Retry-After": "60"}, "times": 9}
ANSWER_LOST = {"fault": "lose_reply"}
LAPSES_AFTER_S = 8  # a link that was accepted must be made by then, however busy the machine is
_EXAMPLES = {example.name: example for example in METHODS}
_LINK = {
    "success_url": BACK_URL,
    "items": [{"id": "sku-1", "name": "Tea", "quantity": 2, "price_minor": 4_995}],
}


def _step(on: str, deed: Deed) -> Step:
    return Step(on=on, deed=deed)


def _card(token: str, *, capture: str = "automatic") -> dict[str, Any]:
    return {"token": token, "return_url": BACK_URL, "capture": capture}


def _payin(name: str) -> dict[str, Any]:
    return {"payin_method_name": name, "payin_method_params": dict(_EXAMPLES[name].params)}


_PAID = (_step("requires_action", Deed.PAY),)
_PAID_BY_PHONE = (_step("stk_push", Deed.PAY),)
_PAID_BY_CODE = (_step("otp", Deed.ENTER_CODE), *_PAID_BY_PHONE)
_PAID_AFTER_A_WRONG_CODE = (
    _step("otp", Deed.ENTER_WRONG_CODE),
    _step("otp_refused", Deed.ENTER_CODE),
    *_PAID_BY_PHONE,
)
_ABANDONED = (_step("requires_action", Deed.ABANDON),)
_DECLINED = (_step("requires_action", Deed.DECLINE),)
_LATE = (*_ABANDONED, _step("expired", Deed.PAY))
_RETURNED = (*_PAID, _step("succeeded", Deed.REFUND), _step("refund_pending", Deed.FINISH_REFUND))
_RETURNED_IN_PART = (*_PAID, _step("succeeded", Deed.REFUND_SOME), _step("refund_pending", Deed.FINISH_REFUND))
_NOT_RETURNED = (*_PAID, _step("succeeded", Deed.REFUND), _step("refund_pending", Deed.REJECT_REFUND))
_DISPUTED = (*_PAID, _step("succeeded", Deed.DISPUTE))


def _by_method(example: MethodExample) -> Scenario:
    steps = {"otp": _PAID_BY_CODE, "stk_push": _PAID_BY_PHONE}.get(example.asks)
    return Scenario(
        name=f"payin, {example.name}",
        currency=example.currency,
        amount_minor=example.amount_minor,
        method=_payin(example.name),
        steps=steps or (_step(example.asks, Deed.PAY),),
        count=2,
    )


def _payin_ending(name: str, method: str, **more: Any) -> Scenario:
    example = _EXAMPLES[method]
    amount = {"amount_minor": example.amount_minor, **more}
    return Scenario(name=f"payin, {name}", currency=example.currency, method=_payin(method), **amount)


def _card_ending(name: str, token: str = "tok_visa", *, capture: str = "automatic", **more: Any) -> Scenario:  # noqa: S107  # a test token
    return Scenario(name=f"card, {name}", currency="AUD", method=_card(token, capture=capture), **more)


def _payid_ending(name: str, *, gst: bool = False, **more: Any) -> Scenario:
    return Scenario(name=f"payid, {name}", currency="AUD", method={"gst": gst}, **more)


def _link_ending(name: str, **more: Any) -> Scenario:
    return Scenario(name=f"gateway link, {name}", currency="AUD", method=_LINK, **more)


_PAYINS = (
    *(_by_method(example) for example in METHODS),
    _payin_ending("usdc without an amount", "usdc_bank", amount_minor=0, quoted_minor=25_000_000, steps=_PAID),
    _payin_ending("first a wrong code", "gh_mobile_money_ghs", steps=_PAID_AFTER_A_WRONG_CODE),
    _payin_ending(
        "abandoned",
        "id_ewallet_dana_idr",
        steps=_ABANDONED,
        status="expired",
        reason="provider",
        paid_percent=0,
        count=3,
    ),
    _payin_ending("declined", "ph_bank_maya_php", steps=_DECLINED, status="failed", paid_percent=0, count=3),
    _payin_ending("paid too late", "ph_bank_maya_php", steps=_LATE, review=frozenset({"late_payment"})),
    _payin_ending(
        "paid too little",
        "vn_other_vietqr_vnd",
        steps=(_step("requires_action", Deed.UNDERPAY),),
        status="processing",
        reason="amount_review",
        review=frozenset({"underpaid"}),
        paid_percent=50,
    ),
    _payin_ending(
        "paid too much",
        "vn_other_vietqr_vnd",
        steps=(_step("requires_action", Deed.OVERPAY),),
        review=frozenset({"overpaid"}),
        paid_percent=110,
    ),
    _payin_ending(
        "returned",
        "ph_ewallet_gcash_php",
        steps=_RETURNED,
        status="refunded",
        review=frozenset({"refund_amount_unknown"}),
        returned_percent=100,
    ),
    _payin_ending("refund rejected", "ph_ewallet_gcash_php", steps=_NOT_RETURNED),
    _payin_ending("the answer got lost", "ph_ewallet_gcash_php", steps=_PAID, fault=ANSWER_LOST, count=2),
    _payin_ending(
        "canceled before it was sent",
        "ph_ewallet_gcash_php",
        steps=(_step("accepted", Deed.CANCEL),),
        status="canceled",
        creates=0,
        paid_percent=0,
        fault=TOO_EARLY,
    ),
    _payin_ending(
        "never sent in time",
        "ph_ewallet_gcash_php",
        status="expired",
        reason="not_sent",
        creates=0,
        paid_percent=0,
        fields={"send_within_s": 2},
        fault=TOO_EARLY,
    ),
)

_CARDS = (
    _card_ending("with 3DS", steps=_PAID, captures=1, count=6),
    _card_ending("without 3DS", "tok_no3ds", captures=1, count=5),
    _card_ending(
        "captured by command",
        capture="manual",
        steps=(*_PAID, _step("requires_capture", Deed.CAPTURE)),
        captures=1,
        count=3,
    ),
    _card_ending("3DS comes later", "tok_pending", steps=(_step("awaiting_provider", Deed.PAY),), captures=1),
    _card_ending(
        "said to wait, but needs 3DS",
        "tok_waiting3ds",
        steps=_PAID,
        captures=1,
        review=frozenset({"ambiguous_waiting_3ds"}),
    ),
    _card_ending("declined by its bank", "tok_decline", status="failed", paid_percent=0, count=3),
    _card_ending("declined at 3DS", steps=_DECLINED, status="failed", paid_percent=0, count=2),
    _card_ending("unknown token", "tok_unknown", status="failed", creates=0, paid_percent=0, count=2),
    _card_ending("abandoned", steps=_ABANDONED, status="expired", reason="provider", paid_percent=0, count=3),
    _card_ending("the answer got lost", steps=_PAID, captures=1, fault=ANSWER_LOST, count=2),
    _card_ending(
        "returned",
        steps=_RETURNED,
        captures=1,
        status="refunded",
        returned_percent=100,
    ),
    _card_ending(
        "returned in part",
        steps=_RETURNED_IN_PART,
        captures=1,
        status="partially_refunded",
        returned_percent=50,
    ),
    _card_ending("refund rejected", steps=_NOT_RETURNED, captures=1),
    _card_ending("dispute won", steps=(*_DISPUTED, _step("disputed", Deed.WIN_DISPUTE)), captures=1),
    _card_ending(
        "dispute lost", steps=(*_DISPUTED, _step("disputed", Deed.LOSE_DISPUTE)), captures=1, status="dispute_lost"
    ),
)

_PAYIDS = (
    _payid_ending("paid", steps=_PAID, count=5),
    _payid_ending("with tax on top", gst=True, steps=_PAID, count=2),
    _payid_ending(
        "paid too much, accepted",
        steps=(_step("requires_action", Deed.OVERPAY), _step("overpaid", Deed.COMPLETE)),
        review=frozenset({"overpaid"}),
        paid_percent=110,
        heard_percent=100,
    ),
    _payid_ending(
        "paid in two parts",
        steps=(_step("requires_action", Deed.UNDERPAY), _step("underpaid", Deed.COMPLETE)),
        review=frozenset({"underpaid"}),
    ),
    _payid_ending(
        "with a wrong reference, accepted",
        steps=(_step("requires_action", Deed.UNMATCHED), _step("unmatched_nonce", Deed.COMPLETE)),
        review=frozenset({"unmatched_nonce"}),
    ),
    _payid_ending("abandoned", steps=_ABANDONED, status="expired", reason="provider", paid_percent=0, count=2),
    _payid_ending("paid too late", steps=_LATE, review=frozenset({"late_payment"})),
    _payid_ending("returned", steps=_RETURNED, status="refunded", returned_percent=100),
    _payid_ending(
        "returned in part",
        steps=_RETURNED_IN_PART,
        status="partially_refunded",
        returned_percent=50,
    ),
)

_LAPSED: dict[str, Any] = {
    "status": "expired",
    "reason": "link_lapsed",
    "paid_percent": 0,
    "expires_in_s": LAPSES_AFTER_S,
}
_LINKS = (
    _link_ending("paid", steps=_PAID, count=8),
    _link_ending("never paid", **_LAPSED, count=2),
    # Of a payment that failed at its checkout nobody is told.
    _link_ending("declined", steps=_DECLINED, **_LAPSED),
    _link_ending(
        "paid too late",
        steps=(_step("link_lapsed", Deed.PAY),),
        review=frozenset({"late_payment", "unconfirmed"}),
        expires_in_s=LAPSES_AFTER_S,
    ),
)

SCENARIOS: tuple[Scenario, ...] = (*_LINKS, *_PAYINS, *_CARDS, *_PAYIDS)
