"""Agents: pending requests, who changed them and when, devices switched off, recent messages."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns.

    For agents stored before: nothing pending, no device switched off, no messages.
    """
    for name, default in (("pending", ""), ("changed_by", "")):
        op.add_column("agents", sa.Column(name, sa.Text, nullable=False, server_default=default))
    op.add_column("agents", sa.Column("changed_at", sa.Double))
    for name, default in (("devices_off", "{}"), ("messages", "[]")):
        op.add_column("agents", sa.Column(name, sa.Text, nullable=False, server_default=default))
