"""A payment as the bytes of its stored body, and back: JSON with a schema number, compressed."""

from __future__ import annotations

import dataclasses
import json
import zlib
from typing import Any

from orchestrator.errors import StoreCorruptError
from orchestrator.identity import PaymentKey
from orchestrator.payment import Claimed, Operation, OperationState, Payment, RefundOutcome
from orchestrator.statuses import Reason, Status

SCHEMA = 1


def _default_of(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _defaults_of(kind: type[Payment | Operation | Claimed]) -> dict[str, Any]:
    return {field.name: _default_of(field) for field in dataclasses.fields(kind)}


_DEFAULTS: dict[type, dict[str, Any]] = {kind: _defaults_of(kind) for kind in (Payment, Operation, Claimed)}
_dumped = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def encode(payment: Payment) -> bytes:
    """The stored body; a field at its default is left out."""
    flat = _plain(payment)
    flat["key"] = str(payment.key)
    flat["operations"] = {name: _plain(operation) for name, operation in payment.operations.items()}
    if payment.claimed:
        flat["claimed"] = _plain(payment.claimed)
    return zlib.compress(_dumped({"schema": SCHEMA, **flat}).encode(), 1)


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


def _plain(value: Payment | Operation | Claimed) -> dict[str, Any]:
    defaults = _DEFAULTS[type(value)]
    return {name: item for name, default in defaults.items() if (item := getattr(value, name)) != default}


def _same(value: Any) -> Any:
    return value


def _operations(value: dict[str, dict[str, Any]]) -> dict[str, Operation]:
    return {
        name: Operation(**{field: _OPERATION_READERS.get(field, _same)(item) for field, item in flat.items()})
        for name, flat in value.items()
    }


_OPERATION_READERS: dict[str, Any] = {"state": OperationState, "outcome": RefundOutcome, "untold": tuple}


_READERS: dict[str, Any] = {
    "key": PaymentKey.parse,
    "status": Status,
    "reason": Reason,
    "operations": _operations,
    "claimed": lambda flat: Claimed(**flat),
    "review": tuple,
    "aliases": tuple,
    "history": tuple,
    "before_refund": lambda pair: (Status(pair[0]), Reason(pair[1]) if pair[1] else None),
}
