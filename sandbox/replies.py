"""JSON answers in the provider's shapes, and refusals as exceptions."""

from collections.abc import Mapping

import simplejson
from starlette.requests import Request
from starlette.responses import Response

Json = dict[str, object]
NOT_AUTHORISED: Json = {"code": "REQUIRE_LOGIN", "message": "Not Authorised"}


class RefusalError(Exception):
    """The provider answers with an error; `errors` None means a body-less answer, as its 400 has."""

    def __init__(self, status: int, errors: Json | None) -> None:
        """Keep the HTTP status and the `errors` object."""
        super().__init__(f"refused with {status}")
        self.status, self.errors = status, errors


def unprocessable(**errors: str) -> RefusalError:
    """Refuse with 422 and a map of field (or `message`) to text."""
    return RefusalError(422, dict(errors))


def encode(body: object) -> bytes:
    """Write JSON; a Decimal stays the number it is, with its `.0` tail."""
    return simplejson.dumps(body, use_decimal=True, ensure_ascii=False).encode(errors="replace")


def decode(raw: bytes) -> object:
    """Read JSON with Decimals; raises ValueError, also for nesting that is too deep."""
    try:
        return simplejson.loads(raw.decode(), use_decimal=True)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer JSON."""
    return Response(encode(body), status, headers, media_type="application/json")


async def refused(_: Request, error: Exception) -> Response:
    """Turn a RefusalError into its answer."""
    assert isinstance(error, RefusalError)  # noqa: S101  (registered for RefusalError alone)
    return (
        Response(status_code=error.status) if error.errors is None else answer({"errors": error.errors}, error.status)
    )


async def json_object(request: Request) -> Json:
    """Read the request's JSON object; refuses anything else with a body-less 400."""
    try:
        body = decode(await request.body())
    except ValueError:
        raise RefusalError(400, None) from None
    if not isinstance(body, dict):
        raise RefusalError(400, None)
    return body
