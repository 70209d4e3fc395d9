"""Alembic's entry: migrates the connection that `relay.ledger.migrate` hands over, in its transaction."""

from alembic import context

from relay.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # the caller's transaction holds on SQLite too
)
with context.begin_transaction():
    context.run_migrations()
