"""The tables of the record: the name, the rows and the key of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from callrouter.record.call_steps import MemberList, StepItem, pack_steps
from callrouter.record.row_codec import row_values
from callrouter.record.rows import (
    AgentStateRow,
    CallRow,
    ConsultationRow,
    ConversationRow,
    DecisionRow,
    GapRow,
    HoldRow,
    MemberListRow,
    OfferRow,
    RunRow,
    StayRow,
)
from callrouter.store.tables import RecordedTable


@dataclass(frozen=True, slots=True)
class LiveSteps:
    """The steps of one part of a call, to be packed by the writing thread; see `DecisionRow`."""

    call: str
    part: int
    items: Sequence[StepItem]


def _steps(steps: LiveSteps) -> dict[str, Any]:
    return {
        "call": steps.call,
        "part": steps.part,
        "began_at": steps.items[0].notice.at,
        "ended_at": steps.items[-1].notice.at,
        "steps": pack_steps(steps.items),
    }


def _members(members: MemberList) -> dict[str, Any]:
    return {"digest": members.digest, "queue": members.queue, "members": members.text}


CALLS: Final = RecordedTable("calls", CallRow, ("call",), row_values)
STAYS: Final = RecordedTable("stays", StayRow, ("call", "n"), row_values)
OFFERS: Final = RecordedTable("offers", OfferRow, ("offer",), row_values)
CONVERSATIONS: Final = RecordedTable("conversations", ConversationRow, ("call", "n"), row_values)
HOLDS: Final = RecordedTable("holds", HoldRow, ("call", "n"), row_values)
CONSULTATIONS: Final = RecordedTable("consultations", ConsultationRow, ("call", "n"), row_values)
AGENT_STATES: Final = RecordedTable("agent_states", AgentStateRow, ("serial",), row_values)
DECISIONS: Final = RecordedTable("decisions", DecisionRow, ("call", "part"), _steps)
MEMBER_LISTS: Final = RecordedTable("member_lists", MemberListRow, ("digest",), _members, keep=True)
RUNS: Final = RecordedTable("runs", RunRow, ("run",), row_values, keep=True)
RECORD_GAPS: Final = RecordedTable("record_gaps", GapRow, ("run", "n"), row_values, keep=True)

RECORDED_TABLES: Final[tuple[RecordedTable[Any], ...]] = (
    CALLS,
    STAYS,
    OFFERS,
    CONVERSATIONS,
    HOLDS,
    CONSULTATIONS,
    AGENT_STATES,
    DECISIONS,
    MEMBER_LISTS,
    RUNS,
    RECORD_GAPS,
)
