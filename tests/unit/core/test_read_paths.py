from __future__ import annotations

from dataclasses import replace

from orchestrator.flows import FLOWS
from orchestrator.identity import PaymentKey
from orchestrator.read_paths import REST_MS, ReadPaths
from tests.unit.core.building import NOW_MS, card_intent, created

CARD = created(card_intent())
FIRST, LAST = FLOWS["card"].reads


def asked(paths, at_ms=NOW_MS, payment=CARD):
    return paths.worth_asking(payment, (FIRST, LAST), now_ms=at_ms)


def test_a_path_that_never_knew_anything_rests_for_an_hour():
    paths = ReadPaths()
    assert asked(paths) == [FIRST, LAST]
    paths.did_not_know(CARD, FIRST, now_ms=NOW_MS)
    assert asked(paths, NOW_MS + REST_MS - 1) == [LAST]
    assert asked(paths, NOW_MS + REST_MS) == [FIRST, LAST]


def test_a_path_that_once_answered_is_always_asked():
    paths = ReadPaths()
    paths.knew(CARD, FIRST)
    paths.did_not_know(CARD, FIRST, now_ms=NOW_MS)
    assert asked(paths) == [FIRST, LAST]


def test_the_last_path_is_never_left_out():
    paths = ReadPaths()
    for read in (FIRST, LAST):
        paths.did_not_know(CARD, read, now_ms=NOW_MS)
    assert asked(paths) == [LAST]


def test_i9_one_merchants_paths_rest_for_no_other():
    paths = ReadPaths()
    paths.did_not_know(CARD, FIRST, now_ms=NOW_MS)
    other = replace(CARD, key=PaymentKey(merchant="shop-b", intent_id="x"))
    assert asked(paths, payment=other) == [FIRST, LAST]
