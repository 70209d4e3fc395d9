"""What all tables of the configuration share: strictness, and secrets that may stand in files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr


class Section(BaseModel):
    """A table: closed to unknown keys, never changed once read; errors never quote what was written."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _secret_from_file(section: Any, name: str) -> SecretStr | None:
    """Give the secret `name` of a section, from its `_file` twin where that is set; both at once are an error."""
    given: SecretStr | None = getattr(section, name)
    file: Path | None = getattr(section, f"{name}_file")
    if file is None:
        return given
    if given is not None:
        raise ValueError(f"{name} and {name}_file are both set: keep one of them")
    try:
        text = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{name}_file cannot be read: {getattr(error, 'strerror', None) or 'no UTF-8 text'}"
        ) from error
    if not text:
        raise ValueError(f"{name}_file is empty")
    return SecretStr(text)


def resolve(section: Section, name: str) -> None:
    """Put the secret `name` in its place, be it written there or in the file of `name`_file. Raises ValueError."""
    object.__setattr__(section, name, _secret_from_file(section, name))
