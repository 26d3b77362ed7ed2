"""The merchants file is read again when it changes; a broken one changes nothing."""

from __future__ import annotations

import pytest

from config.settings import load_settings
from orchestrator.adapters.call_rate import CallRate
from orchestrator.policy import Policy
from tests.unit.workers.test_bootstrap import REQUIRED
from workers.bootstrap import open_merchants, policy_of

ONE = '[merchants.shop]\napp_id = "a"\nsecret_key = "CANARY"\n'
TWO = (
    ONE
    + '[merchants.books]\napp_id = "b"\nsecret_key = "CANARY"\n[merchants.books.limits]\nrate_rps = 2.5\nburst = 3\n'
)


class Journal:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def info(self, event, /, **fields):
        self.lines.append((event, fields))

    warning = info


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "merchants.toml"
    path.write_text(ONE)
    return path


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def merchants(file, journal):
    settings = load_settings(env_file=None, **{**REQUIRED, "merchants_file": file, "rate_rps": 7, "rate_burst": 9})
    return open_merchants(settings, journal=journal)


def test_a_merchant_that_is_added_is_known_at_once(merchants, file, journal):
    assert ("books" in merchants, sorted(merchants)) == (False, ["default", "shop"])
    file.write_text(TWO)
    assert "books" in merchants
    assert merchants.credentials["books"].app_id == "b"
    assert journal.lines == [("merchants.reloaded", {"added": ["books"], "removed": []})]


def test_a_file_that_is_replaced_by_another_is_read(merchants, file, tmp_path):
    new = tmp_path / "new.toml"
    new.write_text(TWO)
    new.replace(file)
    merchants.refresh()
    assert len(merchants) == 3


def test_a_file_that_did_not_change_is_not_read_again(merchants, journal):
    for _ in range(3):
        merchants.refresh()
    assert journal.lines == []


@pytest.mark.parametrize(
    "text", ["[merchants.shop\nCANARY", ONE + '[merchants.x]\napp_id = "a"\nsecret_key = "CANARY"']
)
def test_a_broken_file_keeps_the_old_terms_and_says_so_once_without_a_value(merchants, file, journal, text):
    file.write_text(text)
    for _ in range(3):
        merchants.refresh()
    assert "shop" in merchants
    assert [event for event, _ in journal.lines] == ["merchants.refused"]
    assert "CANARY" not in str(journal.lines)
    file.write_text(TWO)
    assert "books" in merchants


def test_a_file_that_is_gone_keeps_the_old_terms(merchants, file, journal):
    file.unlink()
    merchants.refresh()
    assert "shop" in merchants
    assert [event for event, _ in journal.lines] == ["merchants.refused"]


def test_a_merchant_that_is_removed_gets_no_new_payments_and_its_old_ones_are_followed(merchants, file):
    file.write_text(TWO)
    merchants.refresh()
    file.write_text(ONE)
    merchants.refresh()
    assert "books" not in merchants
    assert "books" in merchants.credentials


def test_limits_are_the_merchants_own_where_it_has_some_and_change_with_the_file(merchants, file):
    assert merchants.rate_of("shop") == CallRate(rate_per_s=7, burst=9, max_concurrency=8)
    file.write_text(TWO)
    merchants.refresh()
    assert merchants.rate_of("books") == CallRate(rate_per_s=2.5, burst=3, max_concurrency=8)
    assert merchants.rate_of("unheard-of").rate_per_s == 7


def test_looks_are_the_merchants_own_where_it_has_some(merchants, file):
    policy = Policy(looks=merchants.looks)
    file.write_text(ONE + "[merchants.shop.poll]\nschedule_s = [5, 6]\n[merchants.default.poll]\nslow_s = 99\n")
    merchants.refresh()
    assert policy.of("shop").waiting.gaps_s == (5, 6)
    assert policy.of("default").daily.then_s == 99
    assert policy.of("default").waiting == policy_of(load_settings(env_file=None, **REQUIRED)).waiting
    assert policy.of("books") is policy
