"""The Lua scripts as they are sent: known to Redis by hash, with their source at hand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """A script's source and the SHA-1 by which Redis remembers it."""

    source: str
    sha: str


def script(name: str) -> Script:
    """The script of that name from `lua/`, with the shared functions in front of it."""
    folder = files("orchestrator.adapters") / "lua"
    source = "\n".join((folder / f"{part}.lua").read_text("utf-8") for part in ("shared", name))
    return Script(source=source, sha=hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


ACCEPT = script("accept")
CLAIM = script("claim")
CLAIM_ALONE = script("claim_alone")
CLAIM_ONE = script("claim_one")
COMMIT = script("commit")
ERASE = script("erase")
FORGET = script("forget")
LOAD = script("load")
NOTIFY = script("notify")
OUTCOME = script("outcome")
PAUSE = script("pause")
PERMIT = script("permit")
REFUSE = script("refuse")
RELEASE = script("release")
RENEW = script("renew")
REST = script("rest")
