"""Mobiles registered by agents, the audit of every step, and the verification calls."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _journal(name: str, *columns: sa.Column[str]) -> None:
    """Create a journal; the unique `entry` makes a repeated write harmless."""
    op.create_table(
        name,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("entry", sa.Text, nullable=False, unique=True),
        sa.Column("at", sa.Double, nullable=False),
        *columns,
    )
    op.create_index(f"{name}_at", name, ["at"])
    op.create_index(f"{name}_agent", name, ["agent", "id"])


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "mobiles",
        sa.Column("agent", sa.Text, primary_key=True),
        sa.Column("device", sa.Text, primary_key=True),
        _text("number"),
        _text("state"),
        sa.Column("ring_after", sa.Double, nullable=False),
        _text("hours"),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("added_at", sa.Double, nullable=False),
        _text("added_by"),
        _text("via"),
        sa.Column("verified_at", sa.Double),
        _text("approved_by"),
    )
    _journal("audit", *map(_text, ("agent", "device", "who", "via", "what", "number", "detail")))
    _journal("dialled", *map(_text, ("agent", "number", "country")))
