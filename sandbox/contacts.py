"""`/api/v2/contacts…`: people a merchant has to introduce before some payins (contract T-31).

The provider's fields are not known but for the e-mail; the others are kept and given back as they came.
"""

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.access import caller_of, provider_of
from sandbox.dates import with_offset
from sandbox.orders import PayinOrder, text_of
from sandbox.payments import new_uuid
from sandbox.provider import Provider
from sandbox.replies import RefusalError, answer, json_object, unprocessable

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


async def create(request: Request) -> Response:
    """Introduce a contact; each e-mail once."""
    app_id, provider = caller_of(request), provider_of(request)
    body = await json_object(request)
    email = text_of(body, "email")
    if not EMAIL.fullmatch(email):
        raise unprocessable(message="Invalid email.")
    if (app_id, email) in provider.contacts:
        raise unprocessable(message="Email has already been taken.")
    contact = {**body, "uuid": new_uuid(8), "email": email, "created_at": with_offset(provider.clock.now())}
    provider.contacts[app_id, email] = contact
    return answer(contact, 201)


async def detail(request: Request) -> Response:
    """Read a contact by e-mail."""
    app_id, provider = caller_of(request), provider_of(request)
    contact = provider.contacts.get((app_id, request.query_params.get("email", "")))
    if contact is None:
        raise RefusalError(404, {"message": "Contact not found."})
    return answer(contact)


def refuse_stranger(provider: Provider, order: PayinOrder, *, app_id: str) -> None:
    """Refuse a payin whose method wants a contact of this e-mail, if the sandbox is set to be so strict."""
    strict = provider.settings.require_contact and order.method.require_contact
    if strict and (app_id, order.email) not in provider.contacts:
        raise unprocessable(email="must be the email of a contact")


ROUTES = [
    Route("/api/v2/contacts", create, methods=["POST"]),
    Route("/api/v2/contacts/detail", detail),
]
