"""A whole page: its frame, its look and the headers that keep it to itself."""

import base64
import hashlib
from importlib.resources import files
from urllib.parse import urlsplit

from starlette.responses import Response

from sandbox.markup import Markup, join, tag

STYLE = files("sandbox").joinpath("style.css").read_text(encoding="utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


def document(title: str, *body: str, status: int = 200, way_out: str = "") -> Response:
    """Return a page without scripts; its forms go to the sandbox alone, and from there to the origin of `way_out`."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"{title} · Sandbox"),
        tag("style", Markup(STYLE)),
    )
    page = join(Markup("<!doctype html>"), tag("html", head, tag("body", tag("main", *body)), lang="en"))
    return Response(page.encode(errors="replace"), status, _headers(way_out), media_type="text/html")


def sorry(text: str, *, status: int, back: str) -> Response:
    """Return a page that says why something was not done."""
    return document(
        "Not done", tag("h1", "Not done"), tag("p", text), tag("p", tag("a", "Back", href=back)), status=status
    )


def is_web(url: str) -> bool:
    """Whether a browser may be sent there."""
    return url.startswith(("https://", "http://")) and url.isascii() and url.isprintable() and " " not in url


def _headers(way_out: str) -> dict[str, str]:
    form_action = f"'self' {_origin(way_out)}".strip()
    return {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; img-src data:; "
        f"form-action {form_action}; base-uri 'none'; frame-ancestors 'none'",
        # Not `no-referrer`: then the browser would hide the origin of the page's own forms.
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def _origin(url: str) -> str:
    parts = urlsplit(url) if is_web(url) else None
    return f"{parts.scheme}://{parts.netloc}" if parts and not set(parts.netloc) & set(";,'\"@") else ""
