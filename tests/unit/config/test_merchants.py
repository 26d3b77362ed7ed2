"""The merchants file: what it gives, and the sentence that refuses a wrong one without showing a value."""

from __future__ import annotations

import pytest

from config.merchants import load_merchants

SOUND = """
[merchants.default.currencies.JPY]
app_id = "app-jpy"
secret_key = "CANARY-1"

[merchants.shop-2]
app_id = "app-2"
secret_key = "CANARY-2"
"""


PAIR = '[merchants.shop]\napp_id = "a"\nsecret_key = "CANARY"\n'


@pytest.fixture
def file(tmp_path):
    def file(text):
        path = tmp_path / "merchants.toml"
        path.write_text(text)
        return path

    return file


def test_a_merchant_has_a_pair_and_pairs_by_currency(file):
    merchants = load_merchants(file(SOUND))
    assert merchants["shop-2"].app_id == "app-2"
    assert merchants["default"].currencies["JPY"].secret_key.get_secret_value() == "CANARY-1"
    assert "CANARY" not in repr(merchants)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[merchants.shop\nCANARY", "is not TOML"),
        ('[merchants.shop]\napp_id = "CANARY"', "merchants.shop: must have app_id and secret_key"),
        ('[merchants.shop]\napp_id = "a"\nsecret_key = ""', "merchants.shop.secret_key"),
        ('[merchants.shop]\napp_id = "a"\nsecret_key = "b"\nlimit = 5', "merchants.shop.limit"),
        ('[merchants."Shop A"]\napp_id = "a"\nsecret_key = "b"', "merchants.Shop A"),
        ('[merchants.default]\napp_id = "CANARY"\nsecret_key = "b"', "merchants.default: its pair comes from"),
        ('[merchants.default.currencies.yen]\napp_id = "a"\nsecret_key = "b"', "merchants.default.currencies.yen"),
        (
            '[merchants.shop]\napp_id = "a"\nsecret_key = "CANARY key"',
            "merchants.shop.secret_key: must be printable ASCII",
        ),
        ('[merchants.shop]\napp_id = "CANARY\\n"\nsecret_key = "b"', "merchants.shop.app_id"),
        (PAIR + "[merchants.shop.limits]\nrate_rps = 0", "merchants.shop.limits.rate_rps: input should be greater"),
        (PAIR + "[merchants.shop.limits]\nrate_rps = nan", "merchants.shop.limits.rate_rps"),
        (PAIR + "[merchants.shop.limits]\nburst = 0.5", "merchants.shop.limits.burst"),
        (PAIR + "[merchants.shop.limits]\nmax_concurrency = 0", "merchants.shop.limits.max_concurrency"),
        (PAIR + "[merchants.shop.limits]\nrps = 5", "merchants.shop.limits.rps: extra inputs are not permitted"),
        (PAIR + "[merchants.shop.poll]\nschedule_s = []", "merchants.shop.poll.schedule_s"),
        (PAIR + "[merchants.shop.poll]\nschedule_s = [60, -1]", "merchants.shop.poll.schedule_s.1"),
        (
            '[merchants.a]\napp_id = "CANARY"\nsecret_key = "x"\n[merchants.b]\napp_id = "CANARY"\nsecret_key = "y"',
            "merchants.b: has an app-id of merchant a",
        ),
    ],
)
def test_a_wrong_file_is_refused_by_its_entry_and_shows_no_value(file, text, said):
    with pytest.raises(ValueError, match=said.replace(".", r"\.")) as caught:
        load_merchants(file(text))
    assert "CANARY" not in str(caught.value)


def test_an_absent_file_is_named_as_such(tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        load_merchants(tmp_path / "none.toml")


def test_the_app_id_of_default_belongs_to_nobody_else(file):
    with pytest.raises(ValueError, match=r"merchants\.shop: has an app-id of merchant default"):
        load_merchants(file(PAIR), default_app_id="a")


def test_limits_and_polls_are_a_merchants_own_or_everybodys(file):
    text = PAIR + "[merchants.shop.limits]\nrate_rps = 2\n[merchants.default.poll]\nschedule_s = [1, 2]\n"
    merchants = load_merchants(file(text))
    assert (merchants["shop"].limits.rate_rps, merchants["shop"].limits.burst) == (2, None)
    assert (merchants["default"].poll.schedule_s, merchants["shop"].poll.schedule_s) == ((1, 2), None)
