"""The payin methods as data: provider page *Get Payin Details* (its 21 examples) and contract 2."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """One payin method: its currency, what it asks for and how the customer pays.

    `params` holds alternatives, since the pages contradict each other: one full set must be given.
    `pays_by` names a row of `pay_codes.MAKERS`; `late` says that the pay code comes later by webhook.
    The least and greatest amounts, in major units, are told to who asks and not enforced.
    """

    name: str
    label: str
    currency: str
    pays_by: str
    params: tuple[tuple[str, ...], ...] = ((),)
    late: bool = False
    stage: str = "normal_stage"
    amount_optional: bool = False
    is_refundable: bool = True
    require_contact: bool = False
    min_amount: int | None = None
    max_amount: int | None = None


PAYER = (
    "first_name",
    "last_name",
    "phone",
    "country_code",
    "state_code",
    "address",
    "city",
    "zip_code",
    "ip_address",
)
BACK = (("callback_url",),)
PHONE = (("account_number",),)

NUMERIC_PARAMS = frozenset({"original_amount"})

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="au_payid_npp_aud",
            label="AUD PayID",
            currency="AUD",
            pays_by="payment_url",
            params=(PAYER, ("callback_url",)),
            late=True,
            is_refundable=False,
            require_contact=True,
            min_amount=20,
            max_amount=10000,
        ),
        Method(name="ph_bank_maya_php", label="PHP Bank Maya", currency="PHP", pays_by="redirect"),
        Method(name="ph_ewallet_gcash_php", label="PHP EWallet GCash", currency="PHP", pays_by="redirect"),
        Method(
            name="ph_bank_php",
            label="PHP Bank Transfer",
            currency="PHP",
            pays_by="redirect",
            params=(("callback_url", "bank_code"),),
        ),
        Method(name="id_bank_qris_idr", label="IDR Bank QRIS", currency="IDR", pays_by="qr"),
        Method(
            name="id_ewallet_dana_idr",
            label="IDR EWallet DANA",
            currency="IDR",
            pays_by="redirect",
            params=BACK,
        ),
        Method(name="vn_other_vietqr_vnd", label="VND Viet QR", currency="VND", pays_by="qr"),
        Method(name="vn_ewallet_momo_vnd", label="VND Momo Ewallet", currency="VND", pays_by="redirect"),
        Method(
            name="my_bank_duitnow_myr",
            label="MYR Bank Duitnow",
            currency="MYR",
            pays_by="qr",
            params=(("account_name",),),
        ),
        Method(
            name="my_bank_fpx_myr",
            label="MYR Bank FPX",
            currency="MYR",
            pays_by="redirect",
            params=(("bank_type", "bank_code", "callback_url"),),
        ),
        Method(
            name="jp_bank_jpy",
            label="JPY Bank Transfer",
            currency="JPY",
            pays_by="japanese_bank",
            params=(("user_id", "ip_address", "first_name", "last_name"),),
            late=True,
        ),
        Method(
            name="usdc_bank",
            label="USDC Bank",
            currency="USDC",
            pays_by="redirect",
            params=(("callback_url", "original_amount", "original_currency"),),
            amount_optional=True,
        ),
        Method(name="ca_interac_cad", label="Interac CAD", currency="CAD", pays_by="redirect", params=BACK),
        Method(name="ng_bank_ngn", label="NGN Bank Transfer", currency="NGN", pays_by="bank"),
        Method(
            name="sa_eft_zar",
            label="ZAR Instant EFT",
            currency="ZAR",
            pays_by="redirect",
            params=(("bank_code",),),
        ),
        Method(
            name="gh_mobile_money_ghs",
            label="GHS Mobile Money",
            currency="GHS",
            pays_by="phone",
            params=PHONE,
            stage="authorize_otp",
        ),
        Method(
            name="ke_mobile_money_kes",
            label="KES Mobile Money",
            currency="KES",
            pays_by="phone",
            params=PHONE,
            stage="authorize_stk",
        ),
        Method(
            name="cm_mobile_money_xaf",
            label="XAF Mobile Money",
            currency="XAF",
            pays_by="phone",
            params=PHONE,
            stage="authorize_stk",
        ),
        Method(
            name="ci_mobile_money_xof",
            label="XOF Mobile Money",
            currency="XOF",
            pays_by="phone",
            params=PHONE,
            stage="authorize_otp",
        ),
        Method(
            name="br_pix_brl",
            label="BRL PIX",
            currency="BRL",
            pays_by="qr",
            params=(("callback_url", "document_type", "document_number"),),
        ),
        Method(
            name="th_qrpay_thb",
            label="THB ThaiQR",
            currency="THB",
            pays_by="qr",
            params=(("callback_url", "payer_account_no", "payer_account_name", "payer_bank_code"),),
        ),
    )
}
