"""The configuration of a pool, if it is in the database: its versions and the contents of their files."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Create the tables if missing. Only PostgreSQL keeps a configuration; SQLite has them empty."""
    large = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "config_versions",
        sa.Column("number", large, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed", sa.Boolean, nullable=False),
        sa.Column("change", sa.Text, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "config_files",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
