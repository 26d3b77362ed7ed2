"""`PAYORCH_X_FILE`: the value of `PAYORCH_X` from a file, as containers hand over secrets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_settings import PydanticBaseSettingsSource

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


class UnreadableFileError(Exception):
    """The file that a variable names cannot be read; `reason` is the class of the system's answer."""

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"{variable}: the file it names cannot be read ({reason})")


class FileSource(PydanticBaseSettingsSource):
    """Reads each `PAYORCH_X_FILE` which names a file; one trailing line end is not part of the value."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        prefix = str(self.config.get("env_prefix", ""))
        path = os.environ.get(f"{prefix}{field_name}_file".upper())
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip("\r\n"), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            # An unreadable file must not look like a variable that nobody set.
            raise UnreadableFileError(f"{prefix}{field_name}_file".upper(), type(error).__name__) from error

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}
