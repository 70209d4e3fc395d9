"""Brings a ledger's schema to this release, in a transaction under its caller's lock (ledger's ground floor).

Guarantee: all of it or nothing; DDL is transactional on both databases once the driver leaves BEGIN to us. A ledger of
a later release is left alone.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from relay.errors import LedgerError, LedgerTooNew
from relay.ledger.schema import REVISION

_MIGRATIONS = Path(__file__).with_name("migrations")


def is_current(connection: Connection) -> bool:
    """Whether the schema is that of this release."""
    return _revision(connection) == REVISION


def require_current(connection: Connection) -> None:
    """Raise LedgerTooNew for a ledger of a later release, LedgerError for an empty one or one of an earlier release."""
    revision = _revision(connection)
    if revision is None:
        raise LedgerError("there is no ledger yet; the relay makes it when it starts")
    if revision != REVISION:
        require_known(revision)
        raise LedgerError("the ledger is of an earlier release; the relay migrates it when it starts")


def upgrade(connection: Connection, to: str = REVISION) -> None:
    """Run the migrations that are missing up to revision `to`. Raises LedgerTooNew."""
    revision = _revision(connection)
    if revision == to:
        return
    if revision is not None:
        require_known(revision)
    # Takes a quarter of a second to import, and is needed once in a release.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def require_known(revision: str) -> None:
    """Raise LedgerTooNew for a revision that this release has never heard of."""
    known = {path.name.split("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")}
    if revision not in known:
        raise LedgerTooNew(
            f"the ledger is of a later release (schema {revision}); run that release, or restore a backup"
        )
