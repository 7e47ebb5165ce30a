"""Locks after wrong PINs: a restart opens none of them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table, unless it is there."""
    op.create_table(
        "lockouts",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("locks", sa.Integer, nullable=False),
        if_not_exists=True,
    )
