"""The record: calls, stays, offers, conversations, agents' states, decisions, and what is missing."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def _text(name: str, **how: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, **how)


def _whole(name: str, **how: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=False, **how)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Double, nullable=False)


def _later(name: str, kind: Any = sa.Double) -> sa.Column[Any]:
    """Return a column that is null until it has come about."""
    return sa.Column(name, kind, nullable=True)


def _index(table: str, *columns: str) -> None:
    op.create_index(f"{table}_{'_'.join(columns)}", table, list(columns))


def upgrade() -> None:
    """Create the tables, and the indexes that reports need."""
    _calls()
    _offers_and_conversations()
    _agents()
    _decisions()
    op.create_table(
        "runs",
        _text("run", primary_key=True),
        _number("started_at"), _number("alive_at"), _later("stopped_at"),
    )  # fmt: skip
    op.create_table(
        "record_gaps",
        _text("run", primary_key=True), _whole("n", primary_key=True),
        _text("kind"), _number("began_at"), _number("ended_at"), _text("table_name"), _whole("rows_lost"),
    )  # fmt: skip


def _calls() -> None:
    op.create_table(
        "calls",
        _text("call", primary_key=True),
        _text("pbx"), _number("entered_at"), _later("ended_at"),
        _text("caller_number"), _text("caller_name"), _text("called_number"), _text("tag"),
        _whole("priority"), _text("queue"), _text("last_queue"),
        _later("outcome", sa.Text), _text("result"), _text("agent"),
        _number("wait_s"), _number("talk_s"), _number("hold_s"),
        _whole("stays"), _whole("offers"), _whole("conversations"), _whole("transfers"),
        _text("ended_by"), _text("ended_by_name"), _text("number_key"),
    )  # fmt: skip
    _index("calls", "entered_at")
    _index("calls", "ended_at")
    _index("calls", "last_queue", "entered_at")
    _index("calls", "agent", "entered_at")
    _index("calls", "number_key", "entered_at")
    op.create_table(
        "stays",
        _text("call", primary_key=True), _whole("n", primary_key=True),
        _text("queue"), _number("entered_at"), _later("left_at"), _later("outcome", sa.Text),
        _later("wait_s"), _whole("first_position"), _whole("position"), _whole("priority"),
        _text("agent"), _later("answered_at"), _number("talk_s"), _number("hold_s"),
        _text("how_in"), _text("target"), _text("by"), _whole("offers"), _whole("requeues"),
    )  # fmt: skip
    _index("stays", "entered_at")
    # All that the figures of queues need, so that a month of a million stays is counted in two seconds.
    op.create_index(
        "stays_figures",
        "stays",
        [
            "queue", "outcome", "entered_at", "wait_s", "first_position", "how_in", "talk_s", "hold_s",
        ],
    )  # fmt: skip


def _offers_and_conversations() -> None:
    op.create_table(
        "offers",
        _text("offer", primary_key=True),
        _text("call"), _whole("stay"), _text("queue"), _text("agent"), _text("taker"), _text("device"),
        _text("policy"), _whole("level"), _number("idle_s"), _number("made_at"), _later("rang_at"),
        _later("accepted_at"), _later("ended_at"), _later("result", sa.Text), _later("rang_s"),
    )  # fmt: skip
    _index("offers", "call")
    _index("offers", "made_at")
    _index("offers", "queue", "made_at")
    _index("offers", "agent", "made_at")
    op.create_table(
        "conversations",
        _text("call", primary_key=True), _whole("n", primary_key=True),
        _whole("stay"), _text("queue"), _text("agent"), _text("offer"), _text("kind"),
        _number("started_at"), _later("ended_at"), _later("talk_s"), _number("hold_s"),
        _later("wrap_up_s"), _later("ended_by", sa.Text), _text("to"), _text("by"),
    )  # fmt: skip
    _index("conversations", "started_at")
    _index("conversations", "queue", "started_at")
    _index("conversations", "agent", "started_at")
    op.create_table(
        "holds",
        _text("call", primary_key=True), _whole("n", primary_key=True),
        _whole("conversation"), _text("agent"), _number("began_at"), _later("ended_at"), _text("by"),
    )  # fmt: skip
    _index("holds", "began_at")
    op.create_table(
        "consultations",
        _text("call", primary_key=True), _whole("n", primary_key=True),
        _whole("conversation"), _text("queue"), _text("agent"), _text("colleague"),
        _number("asked_at"), _later("talked_at"), _later("ended_at"), _text("outcome"),
    )  # fmt: skip
    _index("consultations", "asked_at")
    _index("consultations", "colleague", "asked_at")


def _agents() -> None:
    # In SQLite only INTEGER makes the key the row's own number, without an index beside the table.
    large = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "agent_states",
        sa.Column("serial", large, primary_key=True, autoincrement=False),
        _text("agent"), _number("at"), _later("until"),
        _text("status"), _text("state"), _text("reason"), _text("by"),
    )  # fmt: skip
    _index("agent_states", "at")
    _index("agent_states", "agent", "at")


def _decisions() -> None:
    op.create_table(
        "decisions",
        _text("call", primary_key=True), _whole("part", primary_key=True),
        _number("began_at"), _number("ended_at"), sa.Column("steps", sa.LargeBinary, nullable=False),
    )  # fmt: skip
    _index("decisions", "ended_at")
    op.create_table(
        "member_lists",
        _text("digest", primary_key=True), _text("queue"), _text("members"),
    )  # fmt: skip
