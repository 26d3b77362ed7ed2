from __future__ import annotations

import copy
from dataclasses import replace
from decimal import Decimal

import pytest

from sandbox import deeds
from sandbox.actions import ACTIONS
from sandbox.app import create_app
from sandbox.card_checks import check_card
from sandbox.creation import create_card, create_link, create_payid, create_payin
from sandbox.link_checks import check_link
from sandbox.offers import OFFERS, offers_for
from sandbox.orders import Notification
from sandbox.payid_checks import check_payid
from sandbox.payin_checks import check_payin
from tests.sandbox.builders import APP, card_body, link_body, payid_body, payin_body

LITTLE = Decimal("0.04")  # so that it cannot be halved often
FLOWS = ("card", "payid", "gateway_link", "ph_ewallet_gcash_php", "gh_mobile_money_ghs", "jp_bank_jpy")


@pytest.fixture
def provider(settings):
    """A provider for which no time passes, so that it announces nothing."""
    return create_app(settings).state.provider


def begun(provider, flow):
    now = provider.clock.now()
    if flow == "card":
        return create_card(provider, check_card(card_body(amount=60), default=Notification()), app_id=APP)
    if flow == "payid":
        return create_payid(provider, check_payid(payid_body(amount=LITTLE), now=now), app_id=APP)
    if flow == "gateway_link":
        return create_link(provider, check_link(link_body(amount=LITTLE)), app_id=APP)
    return create_payin(
        provider, check_payin(payin_body(flow, amount=4 if flow == "jp_bank_jpy" else LITTLE), now=now), app_id=APP
    )


def fingerprint(payment):
    names = ("status", "stage", "paid_minor", "refunded_minor", "refunding_minor", "captured")
    return tuple(getattr(payment, name) for name in names)


def explored(provider, payment):
    """Press every button in every state that can be reached; returns the buttons that were seen."""
    waiting, states, pressed = [payment], set(), set()
    while waiting:
        payment = waiting.pop()
        if fingerprint(payment) in states:
            continue
        states.add(fingerprint(payment))
        if payment.status == "authorised":
            waiting.append(after(provider, payment, deeds.capture))
        for offer in offers_for(payment):
            pressed.add((offer.label, offer.action, offer.player))
            waiting.append(after(provider, payment, ACTIONS[offer.action], dict(offer.options(payment))))
    return pressed


def after(provider, payment, deed, *options):
    changed = copy.deepcopy(payment)
    deed(provider, changed, *options)
    return changed


@pytest.mark.parametrize("settle_s", [0, 60])
@pytest.mark.parametrize("flow", FLOWS)
def test_every_button_that_is_shown_can_be_pressed(provider, flow, settle_s):
    provider.change_settings(replace(provider.settings, payin_settle_s=settle_s))
    assert explored(provider, begun(provider, flow))


def test_every_button_is_shown_somewhere(provider):
    provider.change_settings(replace(provider.settings, payin_settle_s=60))
    seen = set().union(*(explored(provider, begun(provider, flow)) for flow in FLOWS))
    assert seen == {(offer.label, offer.action, offer.player) for offer in OFFERS}


def test_every_action_has_a_button():
    assert {offer.action for offer in OFFERS} == set(ACTIONS)
