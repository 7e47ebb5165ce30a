"""Agents: the failures of their devices, and the end of each cooldown."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column.

    Agents stored before have no failures. In `AgentRow` the field is called `failure_streaks`.
    """
    op.add_column("agents", sa.Column("strikes", sa.Text, nullable=False, server_default="{}"))
