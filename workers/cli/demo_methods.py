"""Every payin method of the provider's detail page with an amount and parameters that it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

BACK_URL = "https://shop.example/thanks"


@dataclass(frozen=True, kw_only=True, slots=True)
class MethodExample:
    """One method: how much is paid with it, what it is told, and what the customer is asked to do."""

    name: str
    currency: str
    amount_minor: int
    asks: str
    params: Mapping[str, Any] = field(default_factory=dict)


_BACK = {"callback_url": BACK_URL}
_PHONE = {"account_number": "0551234567"}
_PAYER = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone": "+61400000000",
    "country_code": "AU",
    "state_code": "NSW",
    "address": "1 Sample Street",
    "city": "Sydney",
    "zip_code": "2000",
    "ip_address": "192.0.2.1",
}
_JAPANESE = {"user_id": "u-1", "ip_address": "192.0.2.1", "first_name": "Aiko", "last_name": "Mori"}
_BRAZILIAN = {**_BACK, "document_type": "CPF", "document_number": "12345678909"}
_THAI = {**_BACK, "payer_account_no": "0123456789", "payer_account_name": "Somchai", "payer_bank_code": "004"}

METHODS: tuple[MethodExample, ...] = (
    MethodExample(name="au_payid_npp_aud", currency="AUD", amount_minor=5_000, asks="redirect", params=_PAYER),
    MethodExample(name="ph_bank_maya_php", currency="PHP", amount_minor=50_000, asks="redirect"),
    MethodExample(name="ph_ewallet_gcash_php", currency="PHP", amount_minor=125_050, asks="redirect"),
    MethodExample(
        name="ph_bank_php", currency="PHP", amount_minor=88_800, asks="redirect", params={**_BACK, "bank_code": "BPI"}
    ),
    MethodExample(name="id_bank_qris_idr", currency="IDR", amount_minor=7_500_000, asks="show_qr"),
    MethodExample(name="id_ewallet_dana_idr", currency="IDR", amount_minor=7_500_000, asks="redirect", params=_BACK),
    MethodExample(name="vn_other_vietqr_vnd", currency="VND", amount_minor=250_000, asks="show_qr"),
    MethodExample(name="vn_ewallet_momo_vnd", currency="VND", amount_minor=250_000, asks="redirect"),
    MethodExample(
        name="my_bank_duitnow_myr", currency="MYR", amount_minor=4_500, asks="show_qr", params={"account_name": "Ali"}
    ),
    MethodExample(
        name="my_bank_fpx_myr",
        currency="MYR",
        amount_minor=4_500,
        asks="redirect",
        params={**_BACK, "bank_type": "B2C", "bank_code": "MBB"},
    ),
    MethodExample(name="jp_bank_jpy", currency="JPY", amount_minor=5_000, asks="show_bank_details", params=_JAPANESE),
    MethodExample(
        name="usdc_bank",
        currency="USDC",
        amount_minor=25_000_000,
        asks="redirect",
        params={**_BACK, "original_amount": 25, "original_currency": "USD"},
    ),
    MethodExample(name="ca_interac_cad", currency="CAD", amount_minor=6_500, asks="redirect", params=_BACK),
    MethodExample(name="ng_bank_ngn", currency="NGN", amount_minor=1_999_900, asks="show_bank_details"),
    MethodExample(
        name="sa_eft_zar", currency="ZAR", amount_minor=30_000, asks="redirect", params={"bank_code": "ABSA"}
    ),
    MethodExample(name="gh_mobile_money_ghs", currency="GHS", amount_minor=12_000, asks="otp", params=_PHONE),
    MethodExample(name="ke_mobile_money_kes", currency="KES", amount_minor=150_000, asks="stk_push", params=_PHONE),
    MethodExample(name="cm_mobile_money_xaf", currency="XAF", amount_minor=10_000, asks="stk_push", params=_PHONE),
    MethodExample(name="ci_mobile_money_xof", currency="XOF", amount_minor=10_000, asks="otp", params=_PHONE),
    MethodExample(name="br_pix_brl", currency="BRL", amount_minor=9_900, asks="show_qr", params=_BRAZILIAN),
    MethodExample(name="th_qrpay_thb", currency="THB", amount_minor=35_000, asks="show_qr", params=_THAI),
)
