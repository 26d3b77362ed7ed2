"""The payin methods of the provider's detail page, as data (contract 2); unknown ones come from the settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Push(StrEnum):
    """What a create does to the customer by itself."""

    NONE = "none"  # the action is shown by us only
    MOBILE = "mobile"  # an OTP or a prompt on the phone


@dataclass(frozen=True, kw_only=True, slots=True)
class PayinMethod:
    """One row of the table."""

    name: str
    currency: str
    required: Mapping[str, type[str | int]] = field(default_factory=dict)
    pay_code_is_late: bool = False  # delivered by webhook after a while (T-16)
    amount_is_optional: bool = False
    push: Push = Push.NONE


def _texts(*names: str) -> dict[str, type[str | int]]:
    return dict.fromkeys(names, str)


_CALLBACK = _texts("callback_url")
_ACCOUNT = _texts("account_number")

_ROWS = (
    PayinMethod(
        name="au_payid_npp_aud",
        currency="AUD",
        required=_texts(
            "first_name",
            "last_name",
            "phone",
            "country_code",
            "state_code",
            "address",
            "city",
            "zip_code",
            "ip_address",
        ),
        pay_code_is_late=True,
    ),
    PayinMethod(name="ph_bank_maya_php", currency="PHP"),
    PayinMethod(name="ph_ewallet_gcash_php", currency="PHP"),
    PayinMethod(name="ph_bank_php", currency="PHP", required=_texts("callback_url", "bank_code")),
    PayinMethod(name="id_bank_qris_idr", currency="IDR"),
    PayinMethod(name="id_ewallet_dana_idr", currency="IDR", required=_CALLBACK),
    PayinMethod(name="vn_other_vietqr_vnd", currency="VND"),
    PayinMethod(name="vn_ewallet_momo_vnd", currency="VND"),
    PayinMethod(name="my_bank_duitnow_myr", currency="MYR", required=_texts("account_name")),
    PayinMethod(name="my_bank_fpx_myr", currency="MYR", required=_texts("bank_type", "bank_code", "callback_url")),
    PayinMethod(
        name="jp_bank_jpy",
        currency="JPY",
        required=_texts("user_id", "ip_address", "first_name", "last_name"),
        pay_code_is_late=True,
    ),
    PayinMethod(
        name="usdc_bank",
        currency="USDC",
        required=_texts("callback_url", "original_currency") | {"original_amount": int},
        amount_is_optional=True,
    ),
    PayinMethod(name="ca_interac_cad", currency="CAD", required=_CALLBACK),
    PayinMethod(name="ng_bank_ngn", currency="NGN"),
    PayinMethod(name="sa_eft_zar", currency="ZAR", required=_texts("bank_code")),
    PayinMethod(name="gh_mobile_money_ghs", currency="GHS", required=_ACCOUNT, push=Push.MOBILE),
    PayinMethod(name="ke_mobile_money_kes", currency="KES", required=_ACCOUNT, push=Push.MOBILE),
    PayinMethod(name="cm_mobile_money_xaf", currency="XAF", required=_ACCOUNT, push=Push.MOBILE),
    PayinMethod(name="ci_mobile_money_xof", currency="XOF", required=_ACCOUNT, push=Push.MOBILE),
    PayinMethod(name="br_pix_brl", currency="BRL", required=_texts("callback_url", "document_type", "document_number")),
    PayinMethod(
        name="th_qrpay_thb",
        currency="THB",
        required=_texts("callback_url", "payer_account_no", "payer_account_name", "payer_bank_code"),
    ),
)
PAYIN_METHODS: dict[str, PayinMethod] = {row.name: row for row in _ROWS}
