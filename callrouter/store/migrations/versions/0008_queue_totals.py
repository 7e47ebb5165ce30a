"""Agents: calls and talk time of the day by queue, by which policies rank."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column.

    Agents stored before begin the day without any.
    """
    op.add_column("agents", sa.Column("queue_totals", sa.Text, nullable=False, server_default="{}"))
