"""From pydantic's errors to refusals: a stable code and a sentence that names the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.errors import RefusedError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

ModelT = TypeVar("ModelT", bound=BaseModel)


def validated(model: type[ModelT], value: dict[str, Any], path: tuple[str, ...]) -> ModelT:
    """The value as the model; raises RefusedError for the first thing wrong. `path` is where the value stands."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False, include_input=False)[0], path) from None


def _refusal(error: ErrorDetails, path: tuple[str, ...]) -> RefusedError:
    """The first thing wrong, as a stable code and a sentence that names the field."""
    steps = [*path, *(str(step) for step in error["loc"] if step != "[key]")]
    field = ".".join(steps)[:200]
    kind = error["type"]
    if kind == "value_error":
        kind, _, rest = str(error["ctx"]["error"]).partition(":")
        field = rest or field
    code, sentence = _REFUSALS.get(kind, ("invalid_value", "{field} is not valid: {detail}."))
    if field == "amount_minor":
        code, sentence = _AMOUNT_REFUSALS.get(kind, (code, sentence))
    return RefusedError(code, sentence.format(field=field, detail=error["msg"]), field=field)


_WRONG_TYPE = ("wrong_type", "{field} has the wrong type: {detail}.")
_INVALID = ("invalid_value", "{field} is not valid: {detail}.")
_REFUSALS: dict[str, tuple[str, str]] = {
    "missing": ("missing_field", "{field} is required."),
    "extra_forbidden": (
        "unknown_field",
        "{field} is not a known field; remove it or correct its name.",
    ),
    "string_type": _WRONG_TYPE,
    "int_type": _WRONG_TYPE,
    "bool_type": _WRONG_TYPE,
    "list_type": _WRONG_TYPE,
    "dict_type": _WRONG_TYPE,
    "datetime_type": (
        "wrong_type",
        "{field} must be a string with a time in RFC 3339, UTC: 2026-11-21T02:03:04Z.",
    ),
    "model_type": ("wrong_type", "{field} must be an object."),
    "model_attributes_type": ("wrong_type", "{field} must be an object."),
    "unknown_currency": (
        "unknown_currency",
        "{field} must be an ISO 4217 code in capitals (AUD, JPY, …) or USDC.",
    ),
    "not_exact": ("wrong_type", "{field} must be a string or an integer: a float is not exact."),
    "reason_too_short": ("invalid_value", "{field} must have at least 5 characters, blanks around it not counted."),
    "not_a_url": ("invalid_value", "{field} must be an absolute http(s) URL without user name or spaces."),
    "not_rfc3339": ("invalid_value", "{field} must be a time in RFC 3339, UTC: 2026-11-21T02:03:04Z."),
}
_NOT_INTEGER = (
    "amount_not_integer",
    "{field} must be an integer of minor units (AUD 100.00 is 10000), not a float and not a string.",
)
_OUT_OF_RANGE = ("amount_out_of_range", "{field} must be between 1 and 9007199254740991 minor units.")
_AMOUNT_REFUSALS: dict[str, tuple[str, str]] = {
    "int_type": _NOT_INTEGER,
    "int_from_float": _NOT_INTEGER,
    "int_parsing": _NOT_INTEGER,
    "int_parsing_size": _OUT_OF_RANGE,
    "greater_than_equal": _OUT_OF_RANGE,
    "less_than_equal": _OUT_OF_RANGE,
    "missing": ("missing_field", "{field} is required (only usdc_bank may leave it out)."),
}
