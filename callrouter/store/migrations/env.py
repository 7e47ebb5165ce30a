"""Run by alembic: brings the database that `callrouter.store.glance` hands over to a version."""

from alembic import context

from callrouter.store.glance import VERSION_TABLE

context.configure(
    connection=context.config.attributes["link"],
    version_table=VERSION_TABLE,
)
# Within the transaction of whoever called: all of it, or nothing.
context.run_migrations()
