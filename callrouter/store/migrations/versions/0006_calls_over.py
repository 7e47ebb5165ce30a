"""Ended Twilio calls: after a restart, a late request must not revive one."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table if missing; the unique `entry` makes a repeated write harmless."""
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
