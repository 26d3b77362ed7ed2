"""The statuses of a payment, their reasons, and which observation may follow which (contract 3.5), as data."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The normalised statuses (interface 2)."""

    ACCEPTED = "accepted"
    IN_DOUBT = "in_doubt"
    REQUIRES_ACTION = "requires_action"
    REQUIRES_CAPTURE = "requires_capture"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"
    REFUND_PENDING = "refund_pending"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    DISPUTE_LOST = "dispute_lost"


class Reason(StrEnum):
    """Why a payment is processing, or how it expired."""

    AWAITING_PAY_CODE = "awaiting_pay_code"
    AWAITING_PROVIDER = "awaiting_provider"
    CAPTURING = "capturing"
    SETTLING = "settling"
    CONFIRMING = "confirming"
    AMOUNT_REVIEW = "amount_review"
    PROVIDER = "provider"
    LINK_LAPSED = "link_lapsed"
    NOT_SENT = "not_sent"


class Review(StrEnum):
    """Reasons for a person; never a status (interface 2, contract 3.2)."""

    AMBIGUOUS_WAITING_3DS = "ambiguous_waiting_3ds"
    AMOUNT_MISMATCH = "amount_mismatch"
    CURRENCY_MISMATCH = "currency_mismatch"
    AUTHORISATION_AGED = "authorisation_aged"
    DUPLICATE_EXTERNAL_ID = "duplicate_external_id"
    FOREIGN_REFERENCE = "foreign_reference"
    IN_DOUBT_AGED = "in_doubt_aged"
    LATE_PAYMENT = "late_payment"
    NOT_CAPTURED = "not_captured"
    OVERPAID = "overpaid"
    PARKED = "parked"
    PAY_CODE_OVERDUE = "pay_code_overdue"
    REGRESSION_OBSERVED = "regression_observed"
    REFUND_AMOUNT_UNKNOWN = "refund_amount_unknown"
    STALE = "stale"
    UNCONFIRMED = "unconfirmed"
    UNDERPAID = "underpaid"
    UNEXPECTED_OBSERVATION = "unexpected_observation"
    UNKNOWN_STATUS = "unknown_status"
    UNMATCHED_NONCE = "unmatched_nonce"


FINAL = frozenset(
    {
        Status.SUCCEEDED,
        Status.FAILED,
        Status.EXPIRED,
        Status.CANCELED,
        Status.PARTIALLY_REFUNDED,
        Status.REFUNDED,
        Status.DISPUTE_LOST,
    }
)


class Stage(StrEnum):
    """Rows and columns of the matrix: a status, split where processing means different things."""

    ACCEPTED = "accepted"  # nothing sent, as far as we know
    DOUBT = "doubt"  # create sending or in doubt
    ACTION = "action"
    AUTHORISED = "authorised"  # as a row: requires_capture; as a column: what the provider calls authorised
    AWAIT = "await"  # processing: awaiting the pay code or the provider
    CONFIRM = "confirm"  # processing: confirming, amount_review
    CAPTURING = "capturing"
    SETTLING = "settling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"
    REFUND_PENDING = "refund_pending"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    DISPUTE_LOST = "dispute_lost"


class Move(StrEnum):
    """What an observation does in a state."""

    APPLY = "Y"
    STALE = "S"  # out of order: changes nothing
    CONFIRM = "C"  # applied after a confirming read, or with a review where there is none
    MERGE = "-"  # the same state: only attributes are merged


COLUMNS = (
    Stage.ACTION,
    Stage.AUTHORISED,
    Stage.AWAIT,
    Stage.SETTLING,
    Stage.SUCCEEDED,
    Stage.FAILED,
    Stage.EXPIRED,
    Stage.CANCELED,
    Stage.REFUND_PENDING,
    Stage.PARTIALLY_REFUNDED,
    Stage.REFUNDED,
    Stage.DISPUTED,
    Stage.DISPUTE_LOST,
)

# One letter a column, in the order of COLUMNS.
_MATRIX: dict[Stage, str] = {
    Stage.ACCEPTED: "YYYYYYYYYYYYY",
    Stage.DOUBT: "YYYYYYYYYYYYY",
    Stage.ACTION: "-YSYYYYYYYYYY",
    Stage.AUTHORISED: "S-SYYYYYYYYYY",
    Stage.AWAIT: "YY-YYYYYYYYYY",
    Stage.CONFIRM: "SSSYYCCCYYYYY",
    Stage.CAPTURING: "SSSYYYYYYYYYY",
    Stage.SETTLING: "SSS-YCSCYYYYY",
    Stage.SUCCEEDED: "SSSS-SSSYYYYY",
    Stage.FAILED: "SCSCC-SSCCCCC",
    Stage.EXPIRED: "SSSCCS-SCCCCC",
    Stage.CANCELED: "SSSCCSS-CCCCC",
    Stage.REFUND_PENDING: "SSSSCSSS-YYYY",
    Stage.PARTIALLY_REFUNDED: "SSSSSSSSY-YYY",
    Stage.REFUNDED: "SSSSCSSSCC-CC",
    Stage.DISPUTED: "SSSSYSSSYYY-Y",
    Stage.DISPUTE_LOST: "SSSSSSSSSSCS-",
}

MATRIX: dict[Stage, dict[Stage, Move]] = {
    row: {column: Move(letter) for column, letter in zip(COLUMNS, letters, strict=True)}
    for row, letters in _MATRIX.items()
}

_PROCESSING_STAGES = {
    Reason.AWAITING_PAY_CODE: Stage.AWAIT,
    Reason.AWAITING_PROVIDER: Stage.AWAIT,
    Reason.CONFIRMING: Stage.CONFIRM,
    Reason.AMOUNT_REVIEW: Stage.CONFIRM,
    Reason.CAPTURING: Stage.CAPTURING,
    Reason.SETTLING: Stage.SETTLING,
}
_STATUS_STAGES = {
    Status.ACCEPTED: Stage.ACCEPTED,
    Status.IN_DOUBT: Stage.DOUBT,
    Status.REQUIRES_ACTION: Stage.ACTION,
    Status.REQUIRES_CAPTURE: Stage.AUTHORISED,
    Status.SUCCEEDED: Stage.SUCCEEDED,
    Status.FAILED: Stage.FAILED,
    Status.EXPIRED: Stage.EXPIRED,
    Status.CANCELED: Stage.CANCELED,
    Status.REFUND_PENDING: Stage.REFUND_PENDING,
    Status.PARTIALLY_REFUNDED: Stage.PARTIALLY_REFUNDED,
    Status.REFUNDED: Stage.REFUNDED,
    Status.DISPUTED: Stage.DISPUTED,
    Status.DISPUTE_LOST: Stage.DISPUTE_LOST,
}


def stage_of(status: Status, reason: Reason | None) -> Stage:
    """The row of the matrix a status stands in."""
    if status is Status.PROCESSING:
        return _PROCESSING_STAGES[reason or Reason.AWAITING_PROVIDER]
    return _STATUS_STAGES[status]
