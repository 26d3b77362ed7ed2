"""The settings as a table for the documentation and as the file `.env.example`, from the one definition."""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr

from config.provider import CallFields, PaymentFields, PollFields, ProviderFields
from config.settings import ConnectionFields, Settings, WorkerFields, variable

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_CHAPTERS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("Connections", ConnectionFields),
    ("Workers", WorkerFields),
    ("Provider", ProviderFields),
    ("Calls", CallFields),
    ("Payments", PaymentFields),
    ("Polling and doubt", PollFields),
)
# Everything on one machine, with the sandbox; secrets stay empty, so that nobody runs on an example's.
_EXAMPLES = {
    "redis_url": "redis://127.0.0.1:6379/0",
    "provider_base_url": "http://127.0.0.1:8900",
    "provider_app_id": "sandbox-app",
    "webhook_base_url": "http://127.0.0.1:8080",
}
_COMPOSE_ONLY = (
    ("RABBITMQ_DEFAULT_USER", "payorch", "RabbitMQ's own user."),
    (
        "RABBITMQ_DEFAULT_PASS",
        "",
        "Its password: letters, digits, - and _ only, since it stands in an address.",
    ),
)


def render_markdown() -> str:
    """All variables by chapter: name, default, what it accepts, what it does."""
    chapters = [_chapter(title, _fields_of(model)) for title, model in _CHAPTERS]
    introduction = (
        "Each variable may also come from a file: `PAYORCH_X_FILE=/run/secrets/x` is read as `PAYORCH_X`. "
        "The environment goes before files, files before `.env`; an empty variable counts as not set. "
        "Lists are comma separated, `none` is the empty list. Times ending in `_S` are seconds."
    )
    return "\n\n".join(["# Settings", introduction, *chapters]) + "\n"


def render_env_example() -> str:
    """Every variable, with its description; those with a good default are commented out."""
    lines = [
        "# Copy to .env and fill in what is empty. These values are for one machine with the sandbox on it;",
        "# docker-compose.yml puts the addresses of its own services in their place.",
        "# A secret: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
    ]
    for title, model in _CHAPTERS:
        lines += ["", f"# --- {title}"]
        for name, field in _fields_of(model).items():
            lines += [f"# {field.description}", _assignment(name, field)]
    lines += ["", "# --- Only docker-compose.yml reads these"]
    for name, value, description in _COMPOSE_ONLY:
        lines += [f"# {description}", f"{name}={value}"]
    return "\n".join(lines) + "\n"


def _fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {name: Settings.model_fields[name] for name in model.model_fields}


def _chapter(title: str, fields: dict[str, FieldInfo]) -> str:
    rows = [
        f"| `{variable(name)}` | {_default(field)} | {_accepts(field.annotation)} | {field.description} |"
        for name, field in fields.items()
    ]
    return "\n".join([f"## {title}", "", "| variable | default | values | |", "|---|---|---|---|", *rows])


def _assignment(name: str, field: FieldInfo) -> str:
    if name in _EXAMPLES or field.is_required():
        return f"{variable(name)}={_EXAMPLES.get(name, '')}"
    return f"#{variable(name)}={_written(field.default)}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    written = _written(field.default)
    return f"`{written}`" if written else "–"


def _written(value: Any) -> str:
    """A default as one would write it in the environment."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(_written(each) for each in value)
    return f"{value:g}" if isinstance(value, float) and value < 1_000_000 else str(value)


_NAMES = {bool: "true, false", int: "whole number", float: "number", SecretStr: "secret"}


def _accepts(annotation: Any) -> str:
    arguments = [each for each in get_args(annotation) if each not in {type(None), Ellipsis}]
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if origin is tuple:
        return f"list of {_accepts(arguments[0])}"
    if origin in {Union, UnionType} or hasattr(annotation, "__metadata__"):
        return _accepts(arguments[0])
    return _NAMES.get(annotation, "text")
