"""What nobody documents about the provider (contract 4.3), and how often it is asked, as settings."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, SecretStr, StringConstraints, model_validator

from config.values import CommaList, CommaSeparated, HeaderName, ProviderUrl, UrlPath

ReadPath = Literal["payin_detail", "card_payment", "payid_status"]
AmountUnit = Literal["minor", "major"]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
WholeSeconds = Annotated[int, Field(gt=0)]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3,4}$")]
MethodCurrency = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}:[A-Z]{3,4}$")]
HttpStatus = Annotated[int, Field(ge=400, le=499)]

RecreatedFlow = Literal["payin", "gateway_link", "payid"]
Reads = Annotated[tuple[ReadPath, ...], *CommaSeparated]


class ProviderFields(BaseModel):
    """Where the provider is and what its pages leave open."""

    provider_base_url: ProviderUrl = Field(
        default="https://api.cleverhub.co",
        description="The provider's host, with or without `/api`. The default is its sandbox; "
        "production is `https://api-merchant.helloclever.co`.",
    )
    provider_app_id: str = Field(min_length=1, description="App-id of merchant `default`.")
    provider_secret_key: SecretStr = Field(min_length=1, description="Secret key of merchant `default`.")
    provider_ca_file: str | None = Field(
        default=None, description="A file of certificates to trust instead of the usual ones."
    )
    provider_path_card_capture: UrlPath = Field(
        default="/api/v2/cards/capture_payment", description="Path of the card capture."
    )
    provider_path_payid_status: UrlPath = Field(
        default="/api/v1/payment_requests/status", description="Path of the PayID read."
    )
    provider_path_access_token: UrlPath = Field(
        default="/api/v1/payment_gateways/access_token", description="Path of the gateway's token call."
    )
    provider_access_token_method: Literal["GET", "POST"] = Field(default="GET", description="Method of the token call.")
    provider_access_token_header: HeaderName = Field(
        default="access-token", description="Header which carries the token."
    )
    provider_reads_payin: Reads = Field(default=("payin_detail",), description="Reads that answer a payin, in order.")
    provider_reads_card: Reads = Field(
        default=("payin_detail", "card_payment"), description="Reads that answer a card payment, in order."
    )
    provider_reads_payid: Reads = Field(
        default=("payid_status", "payin_detail"), description="Reads that answer a PayID, in order."
    )
    provider_reads_gateway_link: Reads = Field(
        default=(), description="Reads that answer a gateway link, in order; none until confirmed."
    )
    provider_not_found_http: Annotated[tuple[HttpStatus, ...], *CommaSeparated] = Field(
        default=(400, 404, 405, 422),
        description="Answers of a read that mean an unknown id; never a proof of failure.",
    )
    provider_access_token_margin_s: Seconds = Field(
        default=60, description="A gateway token is renewed so long before it ends."
    )
    provider_body_cap_bytes: int = Field(
        default=1_048_576, ge=1024, description="A longer answer of the provider is not read to its end."
    )


class CallFields(BaseModel):
    """How long a call may take, and how many there may be."""

    call_timeout_connect_s: Seconds = Field(default=5, description="Longest wait for a connection.")
    call_timeout_read_s: Seconds = Field(default=30, description="Longest silence of the provider.")
    call_timeout_total_s: Seconds = Field(
        default=40, description="Deadline of a whole call; after it the outcome is in doubt."
    )
    rate_rps: float = Field(
        default=5, gt=0, allow_inf_nan=False, description="Calls a second and merchant, over all workers."
    )
    rate_burst: int = Field(default=10, ge=1, description="Calls at once after a pause.")
    rate_max_concurrency: int = Field(
        default=8, ge=1, description="Calls of a merchant on the wire at the same time, over all workers."
    )
    unauthorised_pause_s: Seconds = Field(
        default=30, description="A merchant whose credentials are refused rests so long, then tries again."
    )

    @model_validator(mode="after")
    def _parts_fit_into_the_total(self) -> Self:
        if self.call_timeout_total_s < max(self.call_timeout_connect_s, self.call_timeout_read_s):
            raise ValueError(
                "PAYORCH_CALL_TIMEOUT_TOTAL_S: must not be less than "
                "PAYORCH_CALL_TIMEOUT_CONNECT_S and PAYORCH_CALL_TIMEOUT_READ_S"
            )
        return self


class PaymentFields(BaseModel):
    """What the provider's words mean for a payment."""

    waiting_is_success: bool = Field(
        default=False, description="Whether `waiting` (paid, not settled) counts as `succeeded`."
    )
    confirm_success_by_read: bool = Field(
        default=True, description="Publish a success learned from a webhook after one confirming read only."
    )
    whole_unit_currencies: Annotated[tuple[CurrencyCode, ...], *CommaSeparated] = Field(
        default=("VND", "JPY", "XAF", "XOF", "KRW", "IDR"),
        description="Currencies whose amounts the provider takes without fractions.",
    )
    allow_http_actions: bool = Field(
        default=False,
        description="Whether a `next_action` may hold an `http://` address; for a sandbox only.",
    )
    card_capture_mode: Literal["auto", "manual"] = Field(
        default="auto", description="What an intent that does not say `capture` means; `auto`: we send the capture."
    )
    card_request_amount_unit: AmountUnit = Field(
        default="minor", description="Unit of card requests; confirm it before going live (contract D-02)."
    )
    card_response_amount_unit: Literal["auto", "minor", "major"] = Field(
        default="auto", description="Unit of card answers (contract D-02)."
    )
    card_refund_amount_unit: AmountUnit | None = Field(
        default=None,
        description="Unit of `refund_amount` in card refunds, which no page tells: without it they are refused.",
    )
    card_waiting_with_3ds: Literal["requires_action", "processing"] = Field(
        default="requires_action", description="What `waiting` with a 3DS address in the reply to a create means."
    )
    card_authorisation_alert_s: Seconds = Field(
        default=432_000, description="An authorisation not captured for so long gets review `authorisation_aged`."
    )
    gst_default: bool = Field(default=False, description="`gst` of an intent in AUD that does not say.")
    gateway_currency: CurrencyCode = Field(default="AUD", description="The one currency of gateway links.")
    gateway_link_ttl_s: Seconds = Field(
        default=86_400, description="A gateway link without a deadline expires here after so long; late money is taken."
    )
    payid_lower_case_emails: bool = Field(
        default=False, description="Whether addresses are written in lower case for the provider's e-mail rule."
    )
    payid_fallback_email: str | None = Field(
        default=None, description="A mailbox of the merchant's for PayIDs whose address the provider does not take."
    )
    pay_code_overdue_s: Seconds = Field(
        default=1800, description="A payin without its pay code for so long gets a review."
    )
    payin_methods_extra: Annotated[tuple[MethodCurrency, ...], *CommaSeparated] = Field(
        default=(), description="Further payin methods, each as `method_name:CURRENCY`."
    )


class PollFields(BaseModel):
    """When a payment is looked at although nothing was heard."""

    polling: Literal["on", "off"] = Field(
        default="on", description="`off` stops the polling reads, for tests and maintenance."
    )
    poll_schedule_s: Annotated[tuple[WholeSeconds, ...], *CommaList] = Field(
        default=(60, 300, 900, 1800, 3600),
        min_length=1,
        description="Waits between the first looks at an unfinished payment.",
    )
    poll_tail_s: WholeSeconds = Field(default=3600, description="Wait between looks after the schedule.")
    poll_after_expiry_s: WholeSeconds = Field(
        default=172_800, description="Looks go on so long after a payment's deadline."
    )
    poll_slow_s: WholeSeconds = Field(
        default=86_400, description="Wait between looks at settling, refunds and disputes."
    )
    in_doubt_grace_s: Seconds = Field(
        default=60, description="Rest after the deadline of a lost call before anything is sent again."
    )
    in_doubt_recreate: Annotated[tuple[RecreatedFlow, ...], *CommaSeparated] = Field(
        default=("payin", "gateway_link", "payid"),
        description="Flows whose lost creates are sent once more where their rules allow it; cards never are.",
    )
    payid_own_mailboxes: Annotated[tuple[str, ...], *CommaSeparated] = Field(
        default=(),
        description="The merchant's own mailboxes: a lost PayID that is mailed only there is created once more.",
    )
    in_doubt_window_s: Seconds = Field(
        default=900, description="A lost call is searched so long before and after it was sent."
    )
    in_doubt_max_age_s: Seconds = Field(default=86_400, description="After so long in doubt a person is asked.")
    stale_card_s: Seconds = Field(
        default=86_400, description="A card payment waiting for the customer so long gets review `stale`."
    )
    stale_payin_s: Seconds = Field(
        default=172_800, description="A payin waiting for the customer so long gets review `stale`."
    )
