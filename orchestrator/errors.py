"""One root; each leaf says what the caller does: reject, retry or reconcile."""

from __future__ import annotations


class PayorchError(Exception):
    """Something that payorch knows how to name went wrong."""


class RefusedError(PayorchError):
    """The message or command cannot be accepted as it is and must not be tried again unchanged.

    `code` is stable (interface 1), `field` names the part at fault, the text says what would be right.
    """

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


class RetryError(PayorchError):
    """Nothing was changed; the same call may be made again later."""


class StoreUnavailableError(RetryError):
    """Redis did not answer, or answered that it cannot write now; whether the write happened is not known."""


class TooLateToSendError(PayorchError):
    """The call was not sent because too much of the lease had passed since its mark was written."""


class StoreCorruptError(PayorchError):
    """A stored payment cannot be read by this version of the program; it is left alone."""


class FencedError(PayorchError):
    """Somebody else owns the payment now; what is in hand must go in through notify."""
