"""What the customer needs in order to pay, by kind of method (contract 3.4 and 1.3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sandbox.dates import with_offset

PayCode = dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Invoice:
    """The facts a pay code is made of."""

    uuid: str
    currency: str
    total: str
    expires_at: datetime
    public_url: str
    token: str = ""


def pay_page(invoice: Invoice) -> str:
    """Return the address of the page on which the sandbox lets a person play the customer."""
    return f"{invoice.public_url.rstrip('/')}/pay/{invoice.uuid}"


def redirect(invoice: Invoice) -> PayCode:
    """Send the customer to a page; the detail page calls the same value `redirect_url`."""
    return {"pay_url": pay_page(invoice)}


def payment_url(invoice: Invoice) -> PayCode:
    """Send the customer to the PayID page."""
    return {"payment_url": pay_page(invoice)}


def qr(invoice: Invoice) -> PayCode:
    """Show a QR code."""
    return {"qr_string": f"SANDBOX.QR.{invoice.uuid}.{invoice.currency}.{invoice.total}"}


def bank(invoice: Invoice) -> PayCode:
    """Show a bank account to transfer to."""
    return {
        "bank_name": "Sandbox Bank",
        "account_number": "0012345678",
        "account_name": "HELLO CLEVER SANDBOX",
        "reference_number": invoice.uuid,
    }


def japanese_bank(invoice: Invoice) -> PayCode:
    """Show a Japanese bank account to transfer to."""
    return {
        "bank_name": "サンドボックス銀行",
        "transfer_id": f"T{invoice.uuid}",
        "branch_code": "001",
        "branch_name": "本店",
        "account_number": "0012345",
        "account_name": "ハローサンドボックス",
        "expired_timestamp": with_offset(invoice.expires_at),
        "account_type": "futsu",
        "transfer_name": f"{invoice.uuid} テスト",
    }


def phone(_: Invoice) -> PayCode:
    """Tell the customer to look at the phone."""
    return {"message": "Please confirm the payment on your phone."}


def three_ds(invoice: Invoice) -> PayCode:
    """Send the card's holder to the bank's 3-D Secure page."""
    return {"3ds_url": pay_page(invoice)}


def checkout(invoice: Invoice) -> PayCode:
    """Send the customer to the hosted checkout; its address carries a token, as the provider's does."""
    return {"redirect_url": f"{pay_page(invoice)}?payment={invoice.token}"}


MAKERS: Mapping[str, Callable[[Invoice], PayCode]] = {
    maker.__name__: maker for maker in (redirect, payment_url, qr, bank, japanese_bank, phone, three_ds, checkout)
}
