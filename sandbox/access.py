"""Who calls: the pair of `app-id` and `secret-key`, or a token of the gateway."""

import hmac

from starlette.requests import Request

from sandbox.provider import Provider
from sandbox.replies import NOT_AUTHORISED, RefusalError


def provider_of(request: Request) -> Provider:
    """Return the provider behind this request."""
    provider = request.app.state.provider
    assert isinstance(provider, Provider)  # noqa: S101  (Starlette's state is untyped)
    return provider


def caller_of(request: Request) -> str:
    """Return the caller's app-id; refuses an unknown pair with the provider's 401."""
    settings = provider_of(request).settings
    app_id, secret = request.headers.get("app-id", ""), request.headers.get("secret-key", "")
    known = settings.credentials.get(app_id)
    given = secret.encode("latin-1", "replace")
    if settings.auth == "reject" or known is None or not hmac.compare_digest(given, known.encode()):
        raise RefusalError(401, dict(NOT_AUTHORISED))
    return app_id


def token_holder_of(request: Request) -> str:
    """Return the app-id that the `access-token` was given to; refuses any other with 401.

    The pair is neither asked for nor looked at: provider page *Create Payment Gateway Link*.
    """
    provider = provider_of(request)
    app_id = provider.tokens.holder(request.headers.get("access-token", ""))
    if app_id is None or provider.settings.auth == "reject":
        raise RefusalError(401, dict(NOT_AUTHORISED))
    return app_id
