"""The merchants file: who may be paid here beside `default`, with which credentials, limits and polls (interface 4)."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEFAULT = "default"
_STRICT = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
MerchantName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")


def _sendable(secret: SecretStr) -> SecretStr:
    if not _HEADER_VALUE.fullmatch(secret.get_secret_value()):
        raise ValueError("must be printable ASCII without spaces")
    return secret


AppId = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$")]
SecretKey = Annotated[SecretStr, AfterValidator(_sendable)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3,4}$")]


class Pair(BaseModel):
    """One pair of the provider's keys."""

    model_config = _STRICT
    app_id: AppId
    secret_key: SecretKey


class Limits(BaseModel):
    """A merchant's own limits; what is absent is as PAYORCH_RATE_* say."""

    model_config = _STRICT
    rate_rps: float | None = Field(default=None, gt=0, le=100_000, allow_inf_nan=False)
    burst: int | None = Field(default=None, ge=1)
    max_concurrency: int | None = Field(default=None, ge=1)


class Poll(BaseModel):
    """A merchant's own schedule of looks, in seconds; what is absent is as PAYORCH_POLL_* say."""

    model_config = _STRICT
    schedule_s: tuple[Annotated[int, Field(gt=0)], ...] | None = Field(default=None, min_length=1)
    tail_s: int | None = Field(default=None, gt=0)
    slow_s: int | None = Field(default=None, gt=0)


class Merchant(BaseModel):
    """A merchant's pair, those that the provider gave it for single currencies, and what is special about it."""

    model_config = _STRICT
    app_id: AppId | None = None
    secret_key: SecretKey | None = None
    currencies: dict[Currency, Pair] = Field(default_factory=dict)
    limits: Limits = Field(default_factory=Limits)
    poll: Poll = Field(default_factory=Poll)


class _File(BaseModel):
    model_config = _STRICT
    merchants: dict[MerchantName, Merchant] = Field(default_factory=dict)


def load_merchants(path: Path, *, default_app_id: str | None = None) -> Mapping[str, Merchant]:
    """The merchants of a TOML file; raises ValueError with a sentence that names the entry and shows no value.

    `default_app_id` is the one of merchant `default`, which comes from the settings and may not be another's too.
    """
    try:
        with path.open("rb") as file:
            read = _File.model_validate(tomllib.load(file))
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise ValueError("is not TOML") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{where}: {said[:1].lower()}{said[1:]}") from None
    for name, merchant in read.merchants.items():
        _check(name, merchant)
    _check_app_ids(read.merchants, default_app_id)
    return read.merchants


def _check(name: str, merchant: Merchant) -> None:
    has_pair = merchant.app_id is not None and merchant.secret_key is not None
    if name == DEFAULT and (merchant.app_id or merchant.secret_key):
        raise ValueError("merchants.default: its pair comes from PAYORCH_PROVIDER_APP_ID and _SECRET_KEY")
    if name != DEFAULT and not has_pair:
        raise ValueError(f"merchants.{name}: must have app_id and secret_key")


def _check_app_ids(merchants: Mapping[str, Merchant], default_app_id: str | None) -> None:
    """Two merchants never share an app-id: lists and webhooks belong to one."""
    owners: dict[str, str] = {default_app_id: DEFAULT} if default_app_id else {}
    for name, merchant in merchants.items():
        pairs = (merchant.app_id, *(pair.app_id for pair in merchant.currencies.values()))
        for app_id in filter(None, pairs):
            if owners.setdefault(app_id, name) != name:
                raise ValueError(f"merchants.{name}: has an app-id of merchant {owners[app_id]}")
