"""The provider's checks of a gateway create call: provider page *Create Payment Gateway Link*, contract 1.1."""

import re

from sandbox.orders import LinkOrder, text_of
from sandbox.payid_checks import check_amount
from sandbox.payin_checks import BLANK, INVALID, check_notification
from sandbox.replies import Json, RefusalError

NOTIFICATION = "payment_gateway_notification"
REQUIRED = ("order_id", "description", "order_success_url")
PERSON = ("first_name", "last_name", "phone", "email", "country_code", "postal_code", "city", "address")
PERSON_OPTIONAL = ("company", "state")
COUNTRY = re.compile(r"[A-Z]{2}")
ITEM_TEXTS = ("id", "name", "variant_id", "image_url", "quantity", "price")  # also the two numbers, here alone


def check_link(body: Json) -> LinkOrder:
    """Return the order; raises RefusalError(422) that names every wrong field.

    The items' sum is not compared with the amount: in the page's own example they differ.
    """
    errors: dict[str, str] = {key: BLANK for key in REQUIRED if not text_of(body, key)}
    success_url = text_of(body, "order_success_url")
    if success_url and not success_url.startswith(("https://", "http://")):
        errors["order_success_url"] = INVALID
    if body.get(NOTIFICATION) is None:
        errors[NOTIFICATION] = BLANK
    payer = _details(body.get("order_details"), errors)
    order = LinkOrder(
        order_id=text_of(body, "order_id"),
        amount_minor=check_amount(body, errors),
        description=text_of(body, "description"),
        name=f"{text_of(payer, 'first_name')} {text_of(payer, 'last_name')}",
        email=text_of(payer, "email"),
        success_url=success_url,
        notification=check_notification(body, errors, required=True, key=NOTIFICATION),
    )
    if errors:
        raise RefusalError(422, dict(errors))
    return order


def _details(details: object, errors: dict[str, str]) -> Json:
    """Check `order_details` and return who pays; the page shows shipping and items without a mark as required."""
    if not isinstance(details, dict):
        errors["order_details"] = BLANK if details is None else INVALID
        return {}
    if details.get("shipping_details") is not None:
        _person(details["shipping_details"], "shipping_details", errors)
    _items(details.get("items"), errors)
    return _person(details.get("billing_details"), "billing_details", errors)


def _person(person: object, name: str, errors: dict[str, str]) -> Json:
    if not isinstance(person, dict):
        errors[name] = BLANK if person is None else INVALID
        return {}
    errors.update({f"{name}.{key}": BLANK for key in PERSON if not text_of(person, key)})
    for key in (*PERSON, *PERSON_OPTIONAL):
        if not isinstance(person.get(key, ""), str | None):
            errors[f"{name}.{key}"] = INVALID
    if (country := text_of(person, "country_code")) and not COUNTRY.fullmatch(country):
        errors[f"{name}.country_code"] = INVALID
    return person


def _items(items: object, errors: dict[str, str]) -> None:
    if items is None:
        return
    if not isinstance(items, list):
        errors["items"] = INVALID
        return
    for place, item in enumerate(items):
        if not isinstance(item, dict):
            errors[f"items[{place}]"] = INVALID
            continue
        wrong = {key for key in ITEM_TEXTS if not isinstance(item.get(key, ""), str)}
        wrong |= {"enable_cashback"} if not isinstance(item.get("enable_cashback", False), bool) else set()
        errors.update({f"items[{place}].{key}": INVALID for key in sorted(wrong)})
