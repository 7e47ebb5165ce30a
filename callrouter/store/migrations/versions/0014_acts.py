"""The audit: who did what, when and from where, with the outcome."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_TEXTS = ("who", "role", "via", "source", "act", "agent", "queue", "call", "target", "details")
_END = ("outcome", "kind")


def upgrade() -> None:
    """Create the table if missing, and the indexes for a person, a target and a time."""
    # In SQLite only INTEGER makes the key the row's own number, without an index beside the table.
    large = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "acts",
        sa.Column("serial", large, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in (*_TEXTS, *_END)),
        if_not_exists=True,
    )
    op.create_index("acts_at", "acts", ["at"], if_not_exists=True)
    for name in ("who", "agent", "queue", "call", "target"):
        op.create_index(f"acts_{name}", "acts", [name, "serial"], if_not_exists=True)
