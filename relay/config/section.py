"""The base of all configuration tables: no unknown keys, secrets from files, conversion to `relay.model` values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """A table: it rejects unknown keys, is frozen, and its errors never quote the value that was written."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


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


def with_secret(table: Any, name: str) -> Any:
    """Return the raw table with the text of the file `name`_file as `name`. Raises ValueError if both are set."""
    file = table.get(f"{name}_file") if isinstance(table, Mapping) else None
    if not isinstance(file, str | Path) or not str(file):
        return table
    if table.get(name) is not None:
        raise ValueError(f"{name} and {name}_file are both set: keep one of them")
    try:
        text = Path(file).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{name}_file cannot be read: {getattr(error, 'strerror', None) or 'no UTF-8 text'}"
        ) from error
    if not text:
        raise ValueError(f"{name}_file is empty")
    return {**table, name: text}
