"""Access tokens of the payment gateway (contract 4.2)."""

import base64
import secrets

from sandbox.clock import Clock
from sandbox.replies import encode

HEAD = {"typ": "JWT", "alg": "HS256"}


class Tokens:
    """The tokens in force, and whom each was given to."""

    def __init__(self, *, clock: Clock) -> None:
        """Start with none."""
        self._clock = clock
        self._given: dict[str, tuple[str, float]] = {}

    def give(self, app_id: str, *, life_s: float) -> str:
        """Make a token that lives `life_s` seconds of the client's time, or until the clock is pushed past them.

        The answer promises its life in the client's seconds; a fast sandbox clock must not break that promise.
        """
        self._forget_old()
        token = jwt_like({"sub": app_id})
        self._given[token] = (app_id, self._clock.elapsed_s() + life_s * self._clock.pace)
        return token

    def holder(self, token: str) -> str | None:
        """Return whom the token was given to; None if it is unknown, too old or revoked."""
        app_id, until_s = self._given.get(token, (None, 0.0))
        return app_id if self._clock.elapsed_s() < until_s else None

    def revoke_all(self) -> int:
        """Let no token be accepted any more; returns how many were in force."""
        self._forget_old()
        count = len(self._given)
        self._given.clear()
        return count

    def _forget_old(self) -> None:
        now_s = self._clock.elapsed_s()
        self._given = {token: given for token, given in self._given.items() if now_s < given[1]}


def jwt_like(claims: dict[str, object]) -> str:
    """Make something in the shape of a JWT, with a random signature."""
    unique = {**claims, "jti": secrets.token_hex(8)}
    parts = [base64.urlsafe_b64encode(encode(part)).rstrip(b"=").decode() for part in (HEAD, unique)]
    return ".".join([*parts, secrets.token_urlsafe(32)])
