"""The base of all configuration tables: no unknown keys, secrets read on use, conversion to `relay.model` values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic.fields import FieldInfo

from relay.errors import ConfigError


class Section(BaseModel):
    """A table: it rejects unknown keys, is frozen, and its errors never quote the value that was written."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    def secret(self, name: str) -> str | None:
        """Return the secret `name`: its text, or the content of the file `name`_file; None if neither is set.

        The file is read at each call, because most commands do not need it and only the service may read it. Raises
        SecretUnreadable.
        """
        text = getattr(self, name)
        file: Path | None = getattr(self, f"{name}_file")
        if text is not None or file is None:
            return text.get_secret_value() if text is not None else None
        return _read_secret(file, f"{name}_file")


class SecretUnreadable(ConfigError):
    """The file of a secret cannot be used. `forbidden`: only because this user may not read it."""

    def __init__(self, problem: str, *, forbidden: bool = False) -> None:
        super().__init__((problem,))
        self.forbidden = forbidden


def _read_secret(file: Path, setting: str) -> str:
    """Read the file. No error text quotes its path: some people write the secret itself there."""
    try:
        text = file.read_text("utf-8").strip()
    except UnicodeDecodeError as error:
        raise SecretUnreadable(f"{setting} cannot be read: no UTF-8 text") from error
    except PermissionError as error:
        raise SecretUnreadable(f"{setting} cannot be read by {this_user()}", forbidden=True) from error
    except OSError as error:
        raise SecretUnreadable(f"{setting} cannot be read: {error.strerror}") from error
    if not text:
        raise SecretUnreadable(f"{setting} is empty")
    return text


def this_user() -> str:
    """Return the user of this process, as `user error-mail-relay` or, without a name, `user 1001`."""
    import pwd  # noqa: PLC0415 -- only a failure needs it

    try:
        return f"user {pwd.getpwuid(os.geteuid()).pw_name}"
    except KeyError:
        return f"user {os.geteuid()}"


@dataclass(frozen=True, slots=True)
class BuiltBy:
    """`Annotated[Timing, BuiltBy(TimingSection)]`: the section validates the table, and a `Timing` is built from it."""

    section: type[Section]

    def __get_pydantic_core_schema__(self, source: type[Any], handler: GetCoreSchemaHandler) -> Any:
        """Validate with the section, then call `source` with its fields (pydantic, "Custom types")."""
        names = tuple(self.section.model_fields)

        def build(section: Section) -> Any:
            return source(**{name: getattr(section, name) for name in names})

        return handler.generate_schema(Annotated[self.section, AfterValidator(build)])


def section_of(setting: FieldInfo) -> type[Section] | None:
    """Return the section of a setting that is a table; None for other settings and for a list of tables."""
    return _section((setting.annotation, *setting.metadata))


def section_in(setting: FieldInfo) -> type[Section] | None:
    """Return the section of a setting that is a table or a list of tables; None for other settings."""
    items = [part for kind in get_args(setting.annotation) for part in (kind, *getattr(kind, "__metadata__", ()))]
    return section_of(setting) or _section(items)


def _section(parts: Any) -> type[Section] | None:
    for part in parts:
        if isinstance(part, BuiltBy):
            return part.section
        if isinstance(part, type) and issubclass(part, Section):
            return part
    return None


def without_empty_file(table: Any, name: str) -> Any:
    """Return the raw table without an empty `name`_file. Raises ValueError if both the secret and its file are set."""
    file = table.get(f"{name}_file") if isinstance(table, Mapping) else None
    if isinstance(file, str) and not file.strip():
        return {key: value for key, value in table.items() if key != f"{name}_file"}
    if file is not None and table.get(name) is not None:
        raise ValueError(f"{name} and {name}_file are both set: keep one of them")
    return table
