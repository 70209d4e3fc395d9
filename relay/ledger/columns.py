"""Column types that SQLite and PostgreSQL store and compare alike (base layer of the ledger)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, SmallInteger, Text
from sqlalchemy.types import TypeDecorator

from relay.model import Level

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

RowId = BigInteger().with_variant(Integer, "sqlite")
"""A row number that the database assigns. SQLite assigns numbers only to INTEGER keys."""


def microseconds(at: datetime) -> int:
    """An aware time as microseconds since 1970 in UTC: exact, and ordered like the times."""
    return (at - EPOCH) // _MICROSECOND


class UtcTime(TypeDecorator[datetime]):
    """An aware time, stored as microseconds since 1970 in UTC. Raises TypeError for a naive one."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """To the database."""
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        return None if value is None else EPOCH + value * _MICROSECOND


def storable(text: str) -> str:
    """The text without characters that a database refuses: NUL (PostgreSQL) and lone surrogates (both)."""
    if "\0" in text or not text.isascii():
        return text.encode("utf-8", "replace").decode().replace("\0", "�")
    return text


class SafeText(TypeDecorator[str]):
    """Text from outside, which `storable` makes fit for both databases."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else storable(value)


class EnumText(TypeDecorator[StrEnum]):
    """A member of a StrEnum, stored as its value."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To the database. The plain value is accepted too."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """From the database."""
        return None if value is None else self.kind(value)


class LevelNumber(TypeDecorator[Level]):
    """A Level, stored as its number."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: Level | None, dialect: Dialect) -> int | None:
        """To the database."""
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Level | None:
        """From the database."""
        return None if value is None else Level(value)
