"""Agents' states: signed in, pause, wrap-up, idle since, missed offers and calls of the day."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table.

    Times are epoch seconds; null: there is none.
    """
    op.create_table(
        "agents",
        sa.Column("agent", sa.Text, primary_key=True),
        sa.Column("signed_in", sa.Boolean, nullable=False),
        sa.Column("signed_in_at", sa.Double),
        sa.Column("pause_reason", sa.Text),
        sa.Column("paused_at", sa.Double),
        sa.Column("wrap_until", sa.Double),
        sa.Column("wrap_queue", sa.Text, nullable=False),
        sa.Column("idle_since", sa.Double),
        sa.Column("misses", sa.Integer, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("day", sa.Text, nullable=False),
    )
