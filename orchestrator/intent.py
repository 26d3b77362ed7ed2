"""The payment intent: the message parsed and validated once (interface 1)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from orchestrator.card_numbers import find_card_number
from orchestrator.errors import RefusedError
from orchestrator.flows.methods import PAYIN_METHODS
from orchestrator.identity import DEFAULT_MERCHANT, PaymentKey
from orchestrator.money import AMOUNT_MAX, EXPONENTS
from orchestrator.validation import validated

SEND_WITHIN_S = {"card": 900}
SEND_WITHIN_DEFAULT_S = 3600
_CUSTOMER_REQUIRED: dict[str, tuple[str, ...]] = {
    "card": (),
    "payin": ("name", "email"),
    "payid": ("name",),
    "gateway_link": (
        "first_name",
        "last_name",
        "phone",
        "email",
        "country_code",
        "postal_code",
        "city",
        "address",
    ),
}
_RFC3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|\+00:00)")
_STRICT = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


def _known_currency(value: str) -> str:
    if value not in EXPONENTS:
        raise ValueError("unknown_currency")
    return value


def _web_address(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    host = rest.split("/", 1)[0]
    if scheme not in {"https", "http"} or not separator or not host or "@" in host or " " in value:
        raise ValueError("not_a_url")
    return value


def _utc_time(value: object) -> object:
    """RFC 3339 in UTC; the offset must be Z or +00:00 so that nobody's local time is guessed."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("not_rfc3339") from None
    if not _RFC3339.fullmatch(value) or moment.utcoffset() != UTC.utcoffset(None):
        raise ValueError("not_rfc3339")
    return moment.astimezone(UTC)


def _exact(params: dict[str, Any]) -> dict[str, Any]:
    where = _float_in(params, "method.payin_method_params")
    if where is not None:
        raise ValueError(f"not_exact:{where}")
    return params


def _float_in(value: Any, path: str) -> str | None:
    """Where a float stands: what is handed on to the provider is written exactly or not at all (I7)."""
    if isinstance(value, dict):
        inner = ((item, f"{path}.{key}") for key, item in value.items())
    elif isinstance(value, list):
        inner = ((item, f"{path}[{index}]") for index, item in enumerate(value))
    else:
        return path if isinstance(value, float) else None
    return next((where for item, name in inner if (where := _float_in(item, name))), None)


Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Merchant = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s,]+@[^@\s,]+$", max_length=255)]
Url = Annotated[str, StringConstraints(max_length=2048), AfterValidator(_web_address)]
UtcTime = Annotated[datetime, BeforeValidator(_utc_time)]
AmountMinor = Annotated[int, Field(ge=1, le=AMOUNT_MAX)]
MetadataValue = Annotated[str, StringConstraints(max_length=500)]
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class Customer(BaseModel):
    """Who pays."""

    model_config = _STRICT
    name: Text | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    email: Email | None = None
    phone: Text | None = None
    company: Text | None = None
    country_code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    state: Text | None = None
    postal_code: Text | None = None
    city: Text | None = None
    address: Text | None = None

    @property
    def full_name(self) -> str | None:
        """`name`, else first and last name joined; a name is never split."""
        parts = [part for part in (self.first_name, self.last_name) if part]
        return self.name or (" ".join(parts) or None)


class CardMethod(BaseModel):
    """A tokenised card."""

    model_config = _STRICT
    type: Literal["card"] = "card"
    token: Annotated[str, StringConstraints(pattern=r"^tok_[A-Za-z0-9_-]+$", max_length=255)]
    return_url: Url
    capture: Literal["automatic", "manual"] | None = None  # None: as configured


class PayinMethodTerms(BaseModel):
    """A multi-currency payin."""

    model_config = _STRICT
    type: Literal["payin"] = "payin"
    payin_method_name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$", max_length=64)]
    payin_method_params: Annotated[dict[str, Any], AfterValidator(_exact)] = Field(default_factory=dict)
    gst: bool | None = None  # None: as configured


class Item(BaseModel):
    """A line of a gateway order."""

    model_config = _STRICT
    id: Text
    name: Text
    variant_id: Text | None = None
    image_url: Url | None = None
    quantity: Annotated[int, Field(ge=1, le=1_000_000)]
    price_minor: Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
    enable_cashback: bool = False


class GatewayLinkMethod(BaseModel):
    """A hosted checkout link."""

    model_config = _STRICT
    type: Literal["gateway_link"] = "gateway_link"
    success_url: Url
    shipping: Customer | None = None
    items: Annotated[list[Item], Field(max_length=200)] = Field(default_factory=list)


class PayidMethod(BaseModel):
    """A one-time PayID."""

    model_config = _STRICT
    type: Literal["payid"] = "payid"
    gst: bool | None = None  # None: as configured
    emails: Annotated[list[Email], Field(min_length=1, max_length=20)] | None = None


METHODS: dict[str, type[BaseModel]] = {
    "card": CardMethod,
    "payin": PayinMethodTerms,
    "gateway_link": GatewayLinkMethod,
    "payid": PayidMethod,
}
_SELECTED_BY = (("card", "token"), ("payin", "payin_method_name"), ("gateway_link", "success_url"))


class PaymentIntent(BaseModel):
    """What an order service asks for."""

    model_config = _STRICT
    intent_id: Id
    merchant: Merchant = DEFAULT_MERCHANT
    amount_minor: AmountMinor | None = None
    currency: Annotated[str, AfterValidator(_known_currency)]
    description: Text
    customer: Customer = Field(default_factory=Customer)
    method: CardMethod | PayinMethodTerms | GatewayLinkMethod | PayidMethod
    expires_at: UtcTime | None = None
    send_within_s: Annotated[int, Field(ge=1, le=30 * 86400)] | None = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=20)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _amount_given(self) -> Self:
        if self.amount_minor is None and not _may_leave_out_amount(self.method):
            raise ValueError("missing:amount_minor")
        return self

    @property
    def key(self) -> PaymentKey:
        """The payment's identity."""
        return PaymentKey(merchant=self.merchant, intent_id=self.intent_id)

    @property
    def flow(self) -> str:
        """The flow the method names."""
        return self.method.type

    @property
    def send_before_s(self) -> int:
        """Not sent later than so many seconds after acceptance: an outage must not charge a customer who left."""
        return self.send_within_s or SEND_WITHIN_S.get(self.flow, SEND_WITHIN_DEFAULT_S)


def _may_leave_out_amount(method: BaseModel) -> bool:
    row = PAYIN_METHODS.get(method.payin_method_name) if isinstance(method, PayinMethodTerms) else None
    return row is not None and row.amount_is_optional


def parse_intent(message: dict[str, Any]) -> PaymentIntent:
    """Validate the shape of an intent; what depends on the clock or the configuration is checked elsewhere.

    Raises RefusedError with a stable code and the field at fault: missing_field, unknown_field, wrong_type,
    amount_not_integer, amount_out_of_range, unknown_currency, invalid_value, no_flow, card_number_refused.
    """
    refuse_card_numbers(message)
    filled = {key: value for key, value in message.items() if value is not None}
    if "method" in filled:
        if not isinstance(filled["method"], dict):
            raise RefusedError("wrong_type", "method must be an object.", field="method")
        filled["method"] = validated(METHODS[_flow(filled)], _selected(filled), ("method",))
    intent = validated(PaymentIntent, filled, ())
    _check_customer(intent)
    return intent


def refuse_card_numbers(message: dict[str, Any]) -> None:
    """Raise RefusedError where any string of a message holds a card number."""
    where = find_card_number(message)
    if where is not None:
        raise RefusedError(
            "card_number_refused",
            f"{where} holds a card number; send a card token (tok_…) and never the number.",
            field=where,
        )


def _flow(message: dict[str, Any]) -> str:
    method = message["method"]
    named = method.get("type")
    if named is not None:
        if not isinstance(named, str) or named not in METHODS:
            allowed = ", ".join(METHODS)
            raise RefusedError("unknown_method", f"method.type must be one of {allowed}.", field="method.type")
        return named
    for flow, field in _SELECTED_BY:
        if method.get(field) is not None:
            return flow
    if message.get("currency") == "AUD":
        return "payid"
    raise RefusedError(
        "no_flow",
        "No flow matches: give method.token (card), method.payin_method_name, method.success_url, or AUD for a PayID.",
        field="method",
    )


def _selected(message: dict[str, Any]) -> dict[str, Any]:
    given = {key: value for key, value in message["method"].items() if value is not None}
    return given | {"type": _flow(message)}


def _check_customer(intent: PaymentIntent) -> None:
    customer = intent.customer
    given = {name for name in Customer.model_fields if getattr(customer, name)} | (
        {"name"} if customer.full_name else set()
    )
    for name in _CUSTOMER_REQUIRED[intent.flow]:
        if name not in given:
            raise RefusedError(
                "missing_field",
                f"customer.{name} is required for the flow {intent.flow}.",
                field=f"customer.{name}",
            )
    if isinstance(intent.method, PayidMethod) and not intent.method.emails and not customer.email:
        raise RefusedError(
            "missing_field", "customer.email or method.emails is required for payid.", field="customer.email"
        )
