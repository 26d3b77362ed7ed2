"""Commands for a stored payment: parsed once, applied by the payment's owner (interface 1)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from orchestrator.errors import RefusedError
from orchestrator.flows import FLOWS
from orchestrator.identity import DEFAULT_MERCHANT, PaymentKey
from orchestrator.intent import AmountMinor, Id, Merchant, refuse_card_numbers
from orchestrator.payment import CAPTURE, CONFIRM_OTP, Operation, OperationState, Payment
from orchestrator.refunds import ask_refund
from orchestrator.statuses import Status
from orchestrator.validation import validated

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.dialect import Dialect

REASON_LENGTH_MIN = 5  # the provider refuses a shorter one
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,32}$")]


def _long_enough(reason: str) -> str:
    if len(reason.strip()) < REASON_LENGTH_MIN:
        raise ValueError("reason_too_short")
    return reason


RefundReason = Annotated[str, StringConstraints(max_length=255), AfterValidator(_long_enough)]


class _Command(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)
    command: str
    merchant: Merchant = DEFAULT_MERCHANT
    intent_id: Id
    command_id: Id


class PlainCommand(_Command):
    """Capture an authorised card, or cancel what was not sent yet."""

    command: Literal["capture", "cancel"]


class OtpCommand(_Command):
    """Hand on the one-time code that the customer entered."""

    command: Literal["confirm_otp"]
    code: Code


class RefundCommand(_Command):
    """Return money, in full or a part."""

    command: Literal["refund"]
    refund_id: Id
    amount_minor: AmountMinor | None = None
    reason: RefundReason | None = None


COMMANDS: dict[str, type[_Command]] = {
    "capture": PlainCommand,
    "cancel": PlainCommand,
    "confirm_otp": OtpCommand,
    "refund": RefundCommand,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A command as validated. `fingerprint` tells a repeat from another command under the same id."""

    name: str
    key: PaymentKey
    command_id: str
    fingerprint: str
    code: str | None = None
    refund_id: str | None = None
    amount_minor: int | None = None  # None: all that is left
    reason: str | None = None


def parse_command(message: dict[str, Any]) -> Command:
    """Validate a command's shape.

    Raises RefusedError: unknown_command, missing_field, unknown_field, wrong_type, invalid_value,
    amount_not_integer, amount_out_of_range, card_number_refused.
    """
    refuse_card_numbers(message)
    name = message.get("command")
    if not isinstance(name, str) or name not in COMMANDS:
        raise RefusedError("unknown_command", f"command must be one of {', '.join(COMMANDS)}.", field="command")
    filled = {key: value for key, value in message.items() if value is not None}
    shape = validated(COMMANDS[name], filled, ())
    canonical = json.dumps({"merchant": shape.merchant} | filled, sort_keys=True, separators=(",", ":"))
    details = shape.model_dump(exclude={"command", "merchant", "intent_id", "command_id"})
    return Command(
        name=shape.command,
        key=PaymentKey(merchant=shape.merchant, intent_id=shape.intent_id),
        command_id=shape.command_id,
        fingerprint=hashlib.sha256(canonical.encode()).hexdigest(),
        **details,
    )


def obey(payment: Payment, command: Command, *, now_ms: int, dialect: Dialect) -> Payment:
    """The payment after a command, unchanged where the command was answered before.

    Raises RefusedError: command_conflict, already_sent, not_capturable, not_awaiting_otp, and those of ask_refund.
    """
    known = payment.commands.get(command.command_id)
    if known == command.fingerprint:
        return payment
    if known is not None:
        raise RefusedError(
            "command_conflict",
            f"command_id {command.command_id!r} was used before with other content; use a new one.",
            field="command_id",
        )
    if command.name == "refund":
        return answered(ask_refund(payment, command, now_ms=now_ms, dialect=dialect), command)
    return answered(_OBEYED[command.name](payment, command, now_ms), command)


def answered(payment: Payment, command: Command) -> Payment:
    """The payment that remembers this command, applied or refused: delivered again it does nothing."""
    return replace(payment, commands={command.command_id: command.fingerprint, **payment.commands})


def _cancel(payment: Payment, command: Command, now_ms: int) -> Payment:
    """Only what was not sent can be canceled; the mark of the sending decides, whoever comes first."""
    if payment.status is Status.CANCELED:
        return payment
    if (
        payment.status is not Status.ACCEPTED
        or payment.create.state is not OperationState.READY
        or (payment.create.attempt > 1)
    ):
        raise RefusedError(
            "already_sent",
            f"{payment.key} was sent to the provider and cannot be canceled any more.",
            field=command.name,
        )
    return payment.moved(Status.CANCELED, None, now_ms=now_ms)


def _capture(payment: Payment, command: Command, now_ms: int) -> Payment:
    """A manual card payment that is authorised, once."""
    capture = payment.operations.get(CAPTURE)
    can_capture = CAPTURE in FLOWS[payment.flow].operations
    if payment.status is not Status.REQUIRES_CAPTURE or capture is not None or not can_capture:
        raise RefusedError(
            "not_capturable",
            f"{payment.key} is {payment.status}: only an authorised card payment with manual capture, once.",
            field=command.name,
        )
    return payment.with_operation(Operation(name=CAPTURE, at_ms=now_ms))


def _confirm_otp(payment: Payment, command: Command, now_ms: int) -> Payment:
    """The code goes to the provider once; a refused code may be followed by another command with another."""
    action = payment.next_action or {}
    earlier = payment.operations.get(CONFIRM_OTP)
    is_open = earlier is None or earlier.state is OperationState.REFUSED or earlier.absent_since_ms is not None
    is_open = is_open and CONFIRM_OTP in FLOWS[payment.flow].operations
    if payment.status is not Status.REQUIRES_ACTION or action.get("type") != "otp" or not is_open:
        raise RefusedError("not_awaiting_otp", f"{payment.key} does not wait for a one-time code.", field=command.name)
    return replace(payment, otp_code=command.code).with_operation(Operation(name=CONFIRM_OTP, at_ms=now_ms))


_OBEYED: dict[str, Callable[[Payment, Command, int], Payment]] = {
    "cancel": _cancel,
    "capture": _capture,
    "confirm_otp": _confirm_otp,
}
