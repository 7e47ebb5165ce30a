"""The tables of the record: the name, the rows and the key of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from callrouter.record.call_steps import MemberList, StepItem, pack_steps
from callrouter.record.row_codec import row_packer
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


def _steps(steps: LiveSteps) -> tuple[Any, ...]:
    began_at, ended_at = steps.items[0].notice.at, steps.items[-1].notice.at
    return (steps.call, steps.part, began_at, ended_at, pack_steps(steps.items))


def _members(members: MemberList) -> tuple[Any, ...]:
    return (members.digest, members.queue, members.text)


CALLS: Final = RecordedTable("calls", CallRow, ("call",), row_packer(CallRow))
STAYS: Final = RecordedTable("stays", StayRow, ("call", "n"), row_packer(StayRow))
OFFERS: Final = RecordedTable("offers", OfferRow, ("offer",), row_packer(OfferRow))
CONVERSATIONS: Final = RecordedTable(
    "conversations", ConversationRow, ("call", "n"), row_packer(ConversationRow)
)
HOLDS: Final = RecordedTable("holds", HoldRow, ("call", "n"), row_packer(HoldRow))
CONSULTATIONS: Final = RecordedTable(
    "consultations", ConsultationRow, ("call", "n"), row_packer(ConsultationRow)
)
AGENT_STATES: Final = RecordedTable(
    "agent_states", AgentStateRow, ("serial",), row_packer(AgentStateRow)
)
DECISIONS: Final = RecordedTable("decisions", DecisionRow, ("call", "part"), _steps)
MEMBER_LISTS: Final = RecordedTable("member_lists", MemberListRow, ("digest",), _members, keep=True)
RUNS: Final = RecordedTable("runs", RunRow, ("run",), row_packer(RunRow), keep=True)
RECORD_GAPS: Final = RecordedTable(
    "record_gaps", GapRow, ("run", "n"), row_packer(GapRow), keep=True
)

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
