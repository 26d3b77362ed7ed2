"""What the local stack runs with: addresses, its own secrets, and times that fit a person who watches."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[2]
APP_ID = "local-demo"
OURS = ("PAYORCH_", "SANDBOX_")

# Short enough to see the end of a payment, long enough to see the way there.
TIMES = {
    "PAYORCH_RATE_RPS": "200",
    "PAYORCH_RATE_BURST": "50",
    "PAYORCH_RATE_MAX_CONCURRENCY": "100",
    "PAYORCH_POLL_SCHEDULE_S": "1,2,3,5",
    "PAYORCH_POLL_TAIL_S": "5",
    "PAYORCH_POLL_SLOW_S": "2",
    "PAYORCH_LEASE_S": "5",
    "PAYORCH_DRAIN_S": "10",
    "PAYORCH_UNAUTHORISED_PAUSE_S": "5",
    "PAYORCH_LOG_FORMAT": "json",
    "SANDBOX_SPEED": "3600",
    "SANDBOX_SETTLE_S": "7200",
    "SANDBOX_PAYIN_SETTLE_S": "3600",
    "SANDBOX_PAY_CODE_DELAY_S": "3600",
    "SANDBOX_EXPIRY_S": "2592000",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class StackSettings:
    """Everything the stack's programs are told; the secrets are made for this run and printed nowhere."""

    redis_url: str
    broker_url: str
    namespace: str
    web_port: int
    sandbox_port: int
    worker_port: int
    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    webhook_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    read_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def web_url(self) -> str:
        """Where webhooks arrive and payments are shown."""
        return f"http://{HOST}:{self.web_port}"

    @property
    def sandbox_url(self) -> str:
        """Where the provider's stand-in listens."""
        return f"http://{HOST}:{self.sandbox_port}"

    @property
    def worker_url(self) -> str:
        """Where the worker tells how it is."""
        return f"http://{HOST}:{self.worker_port}"

    def payorch(self) -> dict[str, str]:
        """The `PAYORCH_` variables: also what a second terminal needs."""
        return {
            "PAYORCH_REDIS_URL": self.redis_url,
            "PAYORCH_BROKER_URL": self.broker_url,
            "PAYORCH_NAMESPACE": self.namespace,
            "PAYORCH_PROVIDER_BASE_URL": self.sandbox_url,
            "PAYORCH_PROVIDER_APP_ID": APP_ID,
            "PAYORCH_PROVIDER_SECRET_KEY": self.secret_key,
            "PAYORCH_WEBHOOK_BASE_URL": self.web_url,
            "PAYORCH_WEBHOOK_SECRETS": self.webhook_secret,
            "PAYORCH_READ_TOKENS": self.read_token,
            # The customer's addresses lead to the sandbox's page, which is on this machine.
            "PAYORCH_ALLOW_HTTP_ACTIONS": "true",
            **_starting_with("PAYORCH_"),
        }

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of the programs: the caller's, without what it says of payorch, with ours.

        They import the very program that starts them, from whichever directory they run in.
        """
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        path = os.pathsep.join(filter(None, (str(ROOT), inherited.get("PYTHONPATH", ""))))
        sandbox = {
            "SANDBOX_APP_ID": APP_ID,
            "SANDBOX_SECRET_KEY": self.secret_key,
            "SANDBOX_PUBLIC_URL": self.sandbox_url,
            **_starting_with("SANDBOX_"),
        }
        return {**inherited, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **self.payorch(), **sandbox, **more}

    def shown(self) -> dict[str, str]:
        """What may be printed: no secret, no password of an address."""
        addresses = {
            "PAYORCH_REDIS_URL": without_password(self.redis_url),
            "PAYORCH_BROKER_URL": without_password(self.broker_url),
            "PAYORCH_NAMESPACE": self.namespace,
            "PAYORCH_PROVIDER_BASE_URL": self.sandbox_url,
            "PAYORCH_WEBHOOK_BASE_URL": self.web_url,
        }
        return {**{name: value for name, value in addresses.items() if value}, **TIMES}


def without_password(url: str) -> str:
    """The address with `***` in place of a password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}"))


def free_ports(count: int) -> list[int]:
    """So many different ports that nobody listens on now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _starting_with(prefix: str) -> dict[str, str]:
    return {name: value for name, value in TIMES.items() if name.startswith(prefix)}
