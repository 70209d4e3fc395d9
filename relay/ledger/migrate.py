"""Migrate the schema of a ledger to this release, in a transaction under the caller's lock (base layer of the ledger).

Guarantee: all or nothing. DDL is transactional on both databases as long as the driver does not begin transactions by
itself. A ledger of a later release is not changed.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from relay.errors import LedgerError, LedgerTooNew
from relay.ledger.schema import REVISION

_MIGRATIONS = Path(__file__).with_name("migrations")


def is_current(connection: Connection) -> bool:
    """Whether the ledger has the schema of this release."""
    return _revision(connection) == REVISION


def require_current(connection: Connection) -> None:
    """Raise LedgerTooNew for a ledger of a later release, LedgerError for an empty or an older one."""
    revision = _revision(connection)
    if revision is None:
        raise LedgerError("there is no ledger yet; the relay makes it when it starts")
    if revision != REVISION:
        require_known(revision)
        raise LedgerError("the ledger is of an earlier release; the relay migrates it when it starts")


def upgrade(connection: Connection, to: str = REVISION) -> None:
    """Run the missing migrations up to the revision `to`. Raises LedgerTooNew."""
    revision = _revision(connection)
    if revision == to:
        return
    if revision is not None:
        require_known(revision)
    # The import takes a quarter of a second, and is needed once per release.
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
    """Raise LedgerTooNew for a revision that this release does not know."""
    known = {path.name.split("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")}
    if revision not in known:
        raise LedgerTooNew(
            f"the ledger is of a later release (schema {revision}); run that release, or restore a backup"
        )
