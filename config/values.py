"""The kinds of values that settings are made of: what each accepts, and the sentence that refuses the rest.

No refusal repeats the value, since some values are secret. A sentence completes "PAYORCH_X: …".
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

if TYPE_CHECKING:
    from collections.abc import Callable

SENTINEL_SCHEME = "redis+sentinel"
CLUSTER_SCHEME = "redis+cluster"
REDIS_SCHEMES = ("redis", "rediss", SENTINEL_SCHEME, CLUSTER_SCHEME)
BROKER_SCHEMES = ("amqp", "amqps", "redis", "rediss", "sentinel")
PLAIN_REDIS_SCHEMES = ("redis", "rediss")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{0,32}")


def split_url(value: str) -> SplitResult:
    """The parts of an absolute address with a host; ValueError, without the value, for anything else."""
    try:
        parts = urlsplit(value)
        readable = bool(parts.scheme and parts.netloc) and (parts.port is None or parts.port > 0)
    except ValueError:
        readable = False
    if not readable or any(character.isspace() for character in value):
        raise ValueError("must be an address such as scheme://host:port/…")
    return parts


def is_loopback(host: str) -> bool:
    """Whether the name or number means this machine and no other."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_scheme(value: str, schemes: tuple[str, ...]) -> str:
    """The address as it came if its scheme is one of those."""
    if split_url(value).scheme not in schemes:
        raise ValueError(f"must start with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return value


def _redis_url(value: str) -> str:
    """One host; or several Sentinels with the name of the service; or several nodes of a cluster."""
    scheme, _, rest = value.partition("://")
    if scheme not in {SENTINEL_SCHEME, CLUSTER_SCHEME}:
        return check_scheme(value, REDIS_SCHEMES)
    authority, _, path = rest.partition("/")
    login, at, hosts = authority.rpartition("@")
    for host in hosts.split(","):
        split_url(f"{scheme}://{login}{at}{host}")
    if scheme == SENTINEL_SCHEME and not path:
        raise ValueError("must name the service: redis+sentinel://host:26379,host:26379/service/0")
    if scheme == CLUSTER_SCHEME and path not in {"", "0"}:
        raise ValueError("must name no database, a cluster has none: redis+cluster://host:6379,host:6379")
    return value


def _broker_url(value: str) -> str:
    return check_scheme(value, BROKER_SCHEMES)


def _http_url(value: str) -> str:
    """An address without trailing slash; `Settings` judges plain http, as it knows the allowed hosts."""
    parts = split_url(check_scheme(value, ("https", "http")))
    if not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("must be an address without user, query and fragment")
    return value.rstrip("/")


def _provider_url(value: str) -> str:
    """The provider's pages show the host with and without `/api`; every path already starts with it."""
    return _http_url(value).removesuffix("/api").rstrip("/")


def _namespace(value: str) -> str:
    if not _NAMESPACE.fullmatch(value):
        raise ValueError("must be at most 32 of A-Z a-z 0-9 . _ -")
    return value


def _path(value: str) -> str:
    if not value.startswith("/") or value.endswith("/") or any(character in value for character in "?# "):
        raise ValueError("must be a path such as /api/v2/cards/capture_payment")
    return value


def _header_name(value: str) -> str:
    if not _HEADER_NAME.fullmatch(value):
        raise ValueError("must be the name of an HTTP header")
    return value


def _split(value: Any) -> Any:  # the environment brings text, a caller in Python brings tuples
    if not isinstance(value, str):
        return value
    parts = tuple(part.strip() for part in value.split(",") if part.strip())
    return () if parts == ("none",) else parts


def _no_repetition(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(value)) != len(value):
        raise ValueError("must not name anything twice")
    return value


def _check(function: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(function)


RedisUrl = Annotated[str, _check(_redis_url)]
BrokerUrl = Annotated[str, _check(_broker_url)]
HttpUrl = Annotated[str, _check(_http_url)]
ProviderUrl = Annotated[str, _check(_provider_url)]
UrlPath = Annotated[str, _check(_path)]
HeaderName = Annotated[str, _check(_header_name)]
Namespace = Annotated[str, _check(_namespace)]
Secret = Annotated[SecretStr, Field(min_length=1)]

# Put beside a tuple type: "a,b" in the environment, `none` for an empty one.
CommaList = (NoDecode, BeforeValidator(_split))
CommaSeparated = (*CommaList, AfterValidator(_no_repetition))
