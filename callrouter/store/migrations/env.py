"""Run by alembic: migrates the database that `callrouter.store.upgrade` hands over."""

from alembic import context

from callrouter.store.upgrade import VERSION_TABLE

context.configure(
    connection=context.config.attributes["link"],
    version_table=VERSION_TABLE,
)
# Runs inside the caller's transaction: all of it or nothing.
context.run_migrations()
