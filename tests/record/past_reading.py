"""Calls explained by the record instead of the log, from the rows of a `Recording`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from callrouter.api.calllog.call_log import CallLog
from callrouter.api.calllog.past_calls import PastCalls
from callrouter.api.explain import why_call
from callrouter.api.schemas.why_answers import WhyJson
from callrouter.core.floor import Floor
from callrouter.record.call_steps import pack_steps
from callrouter.record.record_reader import CallStory
from callrouter.record.record_tables import AGENT_STATES, CALLS
from callrouter.record.rows import DecisionRow
from tests.record.recording import Recording


class RowsOf:
    """Answers as a `RecordReader` does."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        recording.write()

    def story(self, call: str) -> CallStory | None:
        recording = self._recording
        row = recording.rows.get(CALLS, {}).get((call,))
        if row is None:
            return None
        parts = [
            item for table in recording.rows.values() for key, item in table.items()
            if type(item).__name__ == "LiveSteps" and key[0] == call
        ]  # fmt: skip
        return CallStory(
            call=row, stays=recording.stays(call), offers=recording.offers(call),
            conversations=recording.conversations(call), holds=recording.holds(call),
            consultations=recording.consultations(call),
            decisions=[
                DecisionRow(
                    call=call, part=item.part, began_at=0.0, ended_at=0.0,
                    steps=pack_steps(item.items),
                )
                for item in sorted(parts, key=lambda item: item.part)
            ],
        )  # fmt: skip

    def member_lists(self, digests: set[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for table in self._recording.rows.values():
            for item in table.values():
                if type(item).__name__ == "MemberList" and item.digest in digests:
                    found[item.digest] = item.text
        return found

    def agent_states(self, _begin: float, _end: float, agents: set[str]) -> list[Any]:
        rows = [row for row in self._recording.all(AGENT_STATES) if row.agent in agents]
        return sorted(rows, key=lambda row: row.serial)


class Asked:
    """A `ReadingThread` without a thread."""

    def __init__(self, reader: object) -> None:
        self._reader = reader

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        return question(self._reader)


def explained(recording: Recording, floor: Floor, call: str, now: float) -> WhyJson:
    """The answer of ``why`` as a router gives it that was restarted and has an empty log."""

    async def answer() -> WhyJson:
        past: Any = PastCalls(Asked(RowsOf(recording)), floor, CallLog(floor))  # type: ignore[arg-type]
        found = await past.read(call)
        assert found is not None
        return await why_call.explain_call(found.standings, floor, found.call, now)

    return asyncio.run(answer())
