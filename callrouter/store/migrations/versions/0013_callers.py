"""Finds a caller's calls: by the number, while it is kept."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create the index."""
    op.create_index("calls_caller_number_entered_at", "calls", ["caller_number", "entered_at"])
