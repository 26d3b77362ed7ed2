"""What a check found."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of the doctor; `advice` where there is something to do. No secret and no address in it."""

    check: str
    level: Level
    said: str
    advice: str = ""

    @classmethod
    def ok(cls, check: str, said: str) -> Finding:
        """As it should be."""
        return cls(check=check, level=Level.OK, said=said)

    @classmethod
    def warning(cls, check: str, said: str, advice: str) -> Finding:
        """It works, but somebody should know."""
        return cls(check=check, level=Level.WARNING, said=said, advice=advice)

    @classmethod
    def wrong(cls, check: str, said: str, advice: str) -> Finding:
        """It does not work, or payments may be lost."""
        return cls(check=check, level=Level.WRONG, said=said, advice=advice)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)
