"""The one reader of the environment: a frozen `Settings`, or an error which names each variable at fault."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.files import FileSource, UnreadableFileError
from config.merchants import load_merchants
from config.provider import CallFields, PaymentFields, PollFields, ProviderFields
from config.values import (
    PLAIN_REDIS_SCHEMES,
    BrokerUrl,
    CommaSeparated,
    HttpUrl,
    Namespace,
    RedisUrl,
    Secret,
    is_loopback,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "PAYORCH_"
Role = Literal["intake", "reconcile", "relay"]
_FOLLOWS = "follows"


class SettingsError(Exception):
    """The environment cannot be used; each line of the text names a variable and what would be right.

    Neither KeyError nor AttributeError: on those Celery takes the configuration for absent and starts a
    default worker.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(("these settings are missing or wrong:", *(f"  {each}" for each in problems))))


class ConnectionFields(BaseSettings):
    """Where state, messages and events live."""

    redis_url: RedisUrl = Field(
        repr=False,
        description="The state: `redis(s)://host:6379/0`, `redis+sentinel://host:26379,host:26379/service/0`, "
        "`redis+cluster://host:6379,host:6379`.",
    )
    broker_url: BrokerUrl = Field(
        default="",
        validate_default=True,
        repr=False,
        description="Where intents arrive: `amqp(s)://` (recommended in production), `redis(s)://`, "
        "`sentinel://`. Default: the Redis URL if it is `redis(s)://`.",
    )
    events_url: BrokerUrl = Field(
        default="",
        validate_default=True,
        repr=False,
        description="Where `payments.events` lives. Default: the broker URL.",
    )
    webhook_base_url: HttpUrl = Field(description="How the provider reaches us.")
    webhook_secrets: Annotated[tuple[Secret, ...], *CommaSeparated] = Field(
        min_length=1, description="Comma separated, long and random; the first signs, all verify."
    )
    read_tokens: Annotated[tuple[Secret, ...], *CommaSeparated] = Field(
        default=(), description="Comma separated, long and random; who may read `/v1/payments`."
    )
    merchants_file: Path | None = Field(
        default=None,
        description="TOML: merchants, their credentials by currency, limits and polls; read again when it changes.",
    )
    plain_http_hosts: Annotated[tuple[str, ...], *CommaSeparated] = Field(
        default=(),
        description="Hosts that may be reached without TLS, beside this machine; for a private network only.",
    )
    namespace: Namespace = Field(
        default="", description="Put literally (`staging.`) before every queue, stream, exchange and key."
    )

    @field_validator("merchants_file")
    @classmethod
    def _merchants_file_is_sound(cls, value: Path | None) -> Path | None:
        if value is not None:
            load_merchants(value)
        return value

    @field_validator("broker_url", mode="before")
    @classmethod
    def _broker_follows_redis(cls, value: str, info: ValidationInfo) -> str:
        if value:
            return value
        redis_url = _followed(info, "redis_url")
        if redis_url.partition("://")[0] not in PLAIN_REDIS_SCHEMES:
            raise ValueError("must be set, since PAYORCH_REDIS_URL is neither redis:// nor rediss://")
        return redis_url

    @field_validator("events_url", mode="before")
    @classmethod
    def _events_follow_broker(cls, value: str, info: ValidationInfo) -> str:
        return value or _followed(info, "broker_url")


class WorkerFields(BaseSettings):
    """How a worker process works."""

    shards: int = Field(
        default=64, ge=1, le=1024, description="Written to Redis at the first start; then it cannot change."
    )
    roles: Annotated[tuple[Role, ...], *CommaSeparated] = Field(
        default=("intake", "reconcile", "relay"), min_length=1, description="What a worker does."
    )
    lease_s: float = Field(
        default=10,
        ge=0.5,
        le=300,
        allow_inf_nan=False,
        description="A worker owns a payment so long; renewed every third of it.",
    )
    concurrency: int = Field(default=500, ge=1, le=10_000, description="Payments in flight per worker process.")
    worker_port: int = Field(default=0, ge=0, le=65_535, description="Health and metrics of a worker; 0 is off.")
    drain_s: float = Field(
        default=50,
        ge=1,
        le=600,
        allow_inf_nan=False,
        description="A stopping worker lets calls end so long; keep it below the stop grace.",
    )
    watchdog_s: float = Field(
        default=30,
        ge=10,
        le=600,
        allow_inf_nan=False,
        description="A worker that stands still, or does nothing although Redis answers, for so long ends itself.",
    )
    events_retry_s: float = Field(
        default=600,
        gt=0,
        allow_inf_nan=False,
        description="A rejected event is retried so long; then it counts as delivered, with an alarm.",
    )
    events_days: int = Field(default=7, ge=1, description="Days that the event log is kept.")
    retention_days: int = Field(
        default=90, ge=1, le=36_500, description="Days after its final status until `payments.retention` deletes it."
    )
    id_memory_days: int = Field(
        default=400, ge=1, le=36_500, description="Days that the id of a deleted payment is remembered."
    )
    events_queue_max: int = Field(
        default=100_000,
        ge=1,
        description="On Redis, a longer queue of a subscriber is skipped with an alarm.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto`: console on a terminal, JSON elsewhere."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least level that is written."
    )

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


class Settings(PollFields, PaymentFields, CallFields, ProviderFields, WorkerFields, ConnectionFields, BaseSettings):
    """Everything an operator may change; built once by `load_settings`, never changed afterwards."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # replaced by FileSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, FileSource(settings_cls), dotenv_settings

    @model_validator(mode="after")
    def _app_id_of_default_is_its_own(self) -> Self:
        if self.merchants_file is not None:
            try:
                load_merchants(self.merchants_file, default_app_id=self.provider_app_id)
            except ValueError as error:
                raise ValueError(f"{variable('merchants_file')}: {error}") from None
        return self

    @model_validator(mode="after")
    def _plain_http_stays_at_home(self) -> Self:
        for name in ("provider_base_url", "webhook_base_url"):
            parts = urlsplit(getattr(self, name))
            host = parts.hostname or ""
            if parts.scheme == "http" and not is_loopback(host) and host not in self.plain_http_hosts:
                raise ValueError(
                    f"{variable(name)}: must start with https://, unless its host is this machine "
                    "or one of PAYORCH_PLAIN_HTTP_HOSTS"
                )
        return self


def variable(field: str) -> str:
    """The name of a field in the environment."""
    return f"{PREFIX}{field.upper()}"


def load_settings(*, env_file: Path | str | None = ".env", **overrides: Any) -> Settings:
    """Read environment, `PAYORCH_X_FILE` files and `.env`, in this order of precedence (interface 4).

    Raises SettingsError, which names every variable at fault and shows no value.
    """
    try:
        return Settings(_env_file=env_file, **overrides)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        # A list with two bad parts is one bad variable, as is one that only follows another: first come.
        first = {each["loc"][:1]: each for each in reversed(found) if each["type"] != _FOLLOWS}
        problems = [_sentence(each["loc"], each["type"], each["msg"]) for each in reversed(first.values())]
    except UnreadableFileError as error:
        problems = [str(error)]
    # Raised outside the handler: the original error is not shown beneath, since it may quote a value.
    raise SettingsError(problems)


def _followed(info: ValidationInfo, field: str) -> str:
    """The setting that another one follows; where that one is at fault, it alone is to be reported."""
    if field not in info.data:
        raise PydanticCustomError(_FOLLOWS, "follows a setting that is missing or wrong")
    value: str = info.data[field]
    return value


def _sentence(location: tuple[int | str, ...], kind: str, message: str) -> str:
    said = message.removeprefix("Value error, ")
    if not location:
        return said
    name = variable(str(location[0]))
    if kind == "missing":
        description = Settings.model_fields[str(location[0])].description
        return f"{name} is not set. {description}"
    return f"{name}: {said[:1].lower()}{said[1:]}"
