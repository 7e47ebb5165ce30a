"""The tables of the record: the name, the rows and the key of each."""

from __future__ import annotations

from typing import Any, Final

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

CALLS: Final = RecordedTable("calls", CallRow, ("call",))
STAYS: Final = RecordedTable("stays", StayRow, ("call", "n"))
OFFERS: Final = RecordedTable("offers", OfferRow, ("offer",))
CONVERSATIONS: Final = RecordedTable("conversations", ConversationRow, ("call", "n"))
HOLDS: Final = RecordedTable("holds", HoldRow, ("call", "n"))
CONSULTATIONS: Final = RecordedTable("consultations", ConsultationRow, ("call", "n"))
AGENT_STATES: Final = RecordedTable("agent_states", AgentStateRow, ("serial",))
DECISIONS: Final = RecordedTable("decisions", DecisionRow, ("call", "part"))
MEMBER_LISTS: Final = RecordedTable("member_lists", MemberListRow, ("digest",))
RUNS: Final = RecordedTable("runs", RunRow, ("run",))
RECORD_GAPS: Final = RecordedTable("record_gaps", GapRow, ("run", "n"))

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
