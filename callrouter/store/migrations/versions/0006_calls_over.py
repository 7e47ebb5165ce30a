"""Calls of Twilio's that are over: an old request of one brings nothing back after a restart."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table, unless it is there; `entry` keeps a repeated write from doubling a row."""
    op.create_table(
        "calls_over",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("entry", sa.Text, nullable=False, unique=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("pbx", sa.Text, nullable=False),
        sa.Column("call", sa.Text, nullable=False),
        if_not_exists=True,
    )
    op.create_index("calls_over_at", "calls_over", ["at"], if_not_exists=True)
