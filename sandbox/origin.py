"""Where a request comes from: pages of other sites may not press the sandbox's buttons."""

from collections.abc import Mapping
from urllib.parse import urlsplit

SAFE_METHODS = frozenset({"GET", "HEAD"})
OWN_SITES = frozenset({"same-origin", "none"})


def is_foreign(method: str, headers: Mapping[str, str]) -> bool:
    """Whether another site's page made the browser send this; programs send none of these headers and may pass."""
    if method in SAFE_METHODS:
        return False
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in OWN_SITES:
        return True
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")
