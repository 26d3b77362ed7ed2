"""`/api/v1/payment_gateways…`: the token and the hosted checkout's link (contract 1.1 and 4.2)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import views_v1
from sandbox.access import caller_of, provider_of, token_holder_of
from sandbox.creation import create_link
from sandbox.link_checks import check_link
from sandbox.replies import RefusalError, answer, json_object


async def access_token(request: Request) -> Response:
    """Give a token for an hour."""
    app_id, provider = caller_of(request), provider_of(request)
    life_s = provider.settings.token_s
    return answer({"access_token": provider.tokens.give(app_id, life_s=life_s), "expires_in": int(life_s)})


async def create(request: Request) -> Response:
    """Create a payment gateway link; 404 for a merchant without a gateway."""
    app_id, provider = token_holder_of(request), provider_of(request)
    if not provider.settings.gateway:
        raise RefusalError(404, {"message": "Payment gateway not found."})
    order = check_link(await json_object(request))
    return answer(views_v1.link_created(create_link(provider, order, app_id=app_id)))


ROUTES = [
    Route("/api/v1/payment_gateways/access_token", access_token),
    Route("/api/v1/payment_gateways/create_payment", create, methods=["POST"]),
]
