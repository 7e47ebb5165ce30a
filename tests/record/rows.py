"""Rows of the record for tests: sensible values, of which a test names those that matter to it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from callrouter.record import sql
from callrouter.record.record_tables import RECORDED_TABLES
from callrouter.record.row_codec import row_values
from callrouter.record.rows import (
    AgentStateRow,
    CallOutcome,
    CallRow,
    ConversationKind,
    ConversationRow,
    HowIn,
    OfferResult,
    OfferRow,
    StayOutcome,
    StayRow,
)
from callrouter.store.database import Database, server_at
from callrouter.store.location import Place


def call_row(call: str, entered_at: float, **changed: Any) -> CallRow:
    values: dict[str, Any] = {
        "call": call, "pbx": "office", "entered_at": entered_at, "ended_at": entered_at + 60,
        "caller_number": "441632960000", "caller_name": "", "called_number": "", "tag": "",
        "priority": 50, "queue": "support", "last_queue": "support",
        "outcome": CallOutcome.ANSWERED, "result": "answered", "agent": "ann",
        "wait_s": 10.0, "talk_s": 50.0, "hold_s": 0.0, "stays": 1, "offers": 1, "conversations": 1,
        "transfers": 0, "ended_by": "caller", "ended_by_name": "", "number_key": "",
    }  # fmt: skip
    return CallRow(**{**values, **changed})


def stay_row(call: str, n: int, entered_at: float, **changed: Any) -> StayRow:
    values: dict[str, Any] = {
        "call": call, "n": n, "queue": "support", "entered_at": entered_at,
        "left_at": entered_at + 10, "outcome": StayOutcome.ANSWERED, "wait_s": 10.0,
        "first_position": 1, "position": 1, "priority": 50, "agent": "ann",
        "answered_at": entered_at + 10, "talk_s": 50.0, "hold_s": 0.0, "how_in": HowIn.NEW,
        "target": "", "by": "", "offers": 1, "requeues": 0,
    }  # fmt: skip
    return StayRow(**{**values, **changed})


def offer_row(offer: str, call: str, made_at: float, **changed: Any) -> OfferRow:
    values: dict[str, Any] = {
        "offer": offer, "call": call, "stay": 0, "queue": "support", "agent": "ann", "taker": "ann",
        "device": "desk", "policy": "longest-idle", "level": 1, "idle_s": 5.0, "made_at": made_at,
        "rang_at": made_at + 0.1, "accepted_at": made_at + 4, "ended_at": made_at + 4.1,
        "result": OfferResult.ACCEPTED, "rang_s": 4.1,
    }  # fmt: skip
    return OfferRow(**{**values, **changed})


def conversation_row(call: str, n: int, started_at: float, **changed: Any) -> ConversationRow:
    values: dict[str, Any] = {
        "call": call, "n": n, "stay": 0, "queue": "support", "agent": "ann", "offer": "",
        "kind": ConversationKind.FIRST, "started_at": started_at, "ended_at": None, "talk_s": None,
        "hold_s": 0.0, "wrap_up_s": None, "ended_by": None, "to": "", "by": "",
    }  # fmt: skip
    return ConversationRow(**{**values, **changed})


def state_row(serial: int, agent: str, at: float, **changed: Any) -> AgentStateRow:
    values: dict[str, Any] = {
        "serial": serial, "agent": agent, "at": at, "until": None, "status": "available",
        "state": "available", "reason": "", "by": "",
    }  # fmt: skip
    return AgentStateRow(**{**values, **changed})


def fill(place: Place, *rows: object) -> None:
    """Make the database, if there is none, and write rows into it."""
    server = server_at(place, lambda: 0.0)
    Database(server).close()
    link = server.open()
    with link.begin():
        for row in rows:
            (table,) = (item for item in RECORDED_TABLES if item.row is type(row))
            link.execute(sa.insert(sql.SQL_TABLES[table]), row_values(row))
    link.close()
