"""Of agents: what speaks against ringing their devices, and until when those are left alone."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column."""
    op.add_column("agents", sa.Column("strikes", sa.Text, nullable=False, server_default="{}"))
