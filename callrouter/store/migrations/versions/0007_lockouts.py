"""Lockouts after wrong PINs: a restart lifts none of them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the table if missing."""
    op.create_table(
        "lockouts",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("locks", sa.Integer, nullable=False),
        if_not_exists=True,
    )
