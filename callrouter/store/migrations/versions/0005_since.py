"""Agents: the displayed state, and since when."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns.

    For agents stored before, the state shown is not known (empty).
    """
    op.add_column("agents", sa.Column("shown", sa.Text, nullable=False, server_default=""))
    op.add_column("agents", sa.Column("since", sa.Double))
