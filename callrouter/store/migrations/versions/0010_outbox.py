"""The outbox: events that are not delivered yet, the calls they are about, and alarms that are on."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the tables. Rows are few, and all of them are read at the start."""
    op.create_table(
        "outbox",
        sa.Column("event", sa.Text, primary_key=True),
        sa.Column("destination", sa.Text, primary_key=True),
        sa.Column("serial", sa.BigInteger, nullable=False),
        sa.Column("order_key", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due", sa.Double, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "open_calls",
        sa.Column("call", sa.Text, primary_key=True),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("entered_at", sa.Double, nullable=False),
        sa.Column("queued_at", sa.Double, nullable=False),
        sa.Column("connected_at", sa.Double, nullable=True),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("agent_before", sa.Text, nullable=False),
        sa.Column("wait_s", sa.Double, nullable=False),
        sa.Column("talk_s", sa.Double, nullable=False),
        sa.Column("offers", sa.Integer, nullable=False),
        sa.Column("transfers", sa.Integer, nullable=False),
    )
    op.create_table(
        "alerts",
        sa.Column("alert", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("since", sa.Double, nullable=True),
        sa.Column("raised", sa.Boolean, nullable=False),
        sa.Column("began", sa.Double, nullable=False),
        sa.Column("told", sa.Boolean, nullable=False),
    )
