"""A payment as the bytes of its stored body, and back: JSON with a schema number, compressed."""

from __future__ import annotations

import dataclasses
import json
import zlib
from typing import Any

from orchestrator.errors import StoreCorruptError
from orchestrator.identity import PaymentKey
from orchestrator.payment import Claimed, Operation, OperationState, Payment
from orchestrator.statuses import Reason, Status

SCHEMA = 1


def _default_of(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


_DEFAULTS = {field.name: _default_of(field) for field in dataclasses.fields(Payment)}


def encode(payment: Payment) -> bytes:
    """The stored body; a field at its default is left out."""
    given = ((name, getattr(payment, name)) for name in _DEFAULTS)
    flat: dict[str, Any] = {name: value for name, value in given if value != _DEFAULTS[name]}
    flat["key"] = str(payment.key)
    flat["operations"] = {name: _plain(operation) for name, operation in payment.operations.items()}
    if payment.claimed:
        flat["claimed"] = _plain(payment.claimed)
    text = json.dumps({"schema": SCHEMA, **flat}, separators=(",", ":"), ensure_ascii=False)
    return zlib.compress(text.encode(), 1)


def decode(body: bytes) -> Payment:
    """The payment in a stored body; raises StoreCorruptError where this version cannot read it."""
    try:
        flat = json.loads(zlib.decompress(body))
        if flat.pop("schema") != SCHEMA:
            message = "the stored payment has a schema that this version does not know"
            raise StoreCorruptError(message)
        return Payment(**{name: _READERS.get(name, _same)(value) for name, value in flat.items()})
    except (zlib.error, ValueError, TypeError, KeyError, AttributeError) as error:
        message = f"the stored payment cannot be read: {type(error).__name__}"
        raise StoreCorruptError(message) from error


def _plain(value: Operation | Claimed) -> dict[str, Any]:
    pairs = ((field, getattr(value, field.name)) for field in dataclasses.fields(value))
    return {field.name: item for field, item in pairs if item != field.default}


def _same(value: Any) -> Any:
    return value


def _operations(value: dict[str, dict[str, Any]]) -> dict[str, Operation]:
    return {
        name: Operation(**(flat | ({"state": OperationState(flat["state"])} if "state" in flat else {})))
        for name, flat in value.items()
    }


_READERS: dict[str, Any] = {
    "key": PaymentKey.parse,
    "status": Status,
    "reason": Reason,
    "operations": _operations,
    "claimed": lambda flat: Claimed(**flat),
    "review": tuple,
    "aliases": tuple,
    "before_refund": lambda pair: (Status(pair[0]), Reason(pair[1]) if pair[1] else None),
}
