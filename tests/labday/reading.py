"""Holds every report against what the phones saw."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from tests.labday.compare import Differences, moment
from tests.labday.second import Period, Phones, inside

Rows = Sequence[Mapping[str, Any]]
Ask = Callable[..., Awaitable[Rows]]
"""Returns the rows of a report: ``await ask("queues", period, by="1h")``."""

_UNSEEN: Final = frozenset({"accepted", "held", "retrieved", "wrap-up ended"})
"""Steps of a call that cannot be told at the phones, or only together with others."""


def windows(period: Period, step: float) -> list[tuple[float | None, Period]]:
    """Return the intervals of a period with their beginnings; without a step: the whole."""
    if not step:
        return [(None, period)]
    count = round((period[1] - period[0]) / step)
    starts = [period[0] + number * step for number in range(count)]
    return [(start, (start, start + step)) for start in starts]


def _begins(row: Mapping[str, Any]) -> float | None:
    value = row.get("interval")
    return moment(value) if isinstance(value, str) else value


class Reading:
    """Asks for reports, and notes where they differ.

    Args:
        phones: what was seen.
        ask: makes a report.
        call_of: the number of the visit that a call is, by the number and the id on record.
    """

    def __init__(
        self, phones: Phones, ask: Ask, call_of: Callable[[Mapping[str, Any]], str]
    ) -> None:
        self.phones, self.found = phones, Differences()
        self._ask, self._call_of = ask, call_of
        self._agents = sorted({one[1] for one in phones.day.duty})

    async def divided(self, period: Period, by: str, step: float) -> None:
        """Compare the reports that can be divided into intervals; by nothing: with the whole."""
        seen, found, parts = self.phones, self.found, windows(period, step)
        rows = {
            (_begins(row), row["queue"]): row for row in await self._ask("queues", period, by=by)
        }
        for start, part in parts:
            for queue in seen.rules.members:
                figures = seen.queue(queue, part)
                if not by or figures["entered"] != seen.nothing:
                    where = f"queues {by} {start} {queue}"
                    found.row(where, rows.pop((start, queue), None), figures)
        found.same(f"queues {by}: other rows", sorted(rows, key=str), [])
        if by:
            hours = {_begins(row): row for row in await self._ask("hours", period, by=by)}
            for start, part in parts:
                figures = {**seen.queue("", part), "agents": seen.staffed(part)}
                found.row(f"hours {by} {start}", hours.pop(start, None), figures)
            found.same(f"hours {by}: other rows", list(hours), [])
        rows = {
            (_begins(row), row["agent"]): row for row in await self._ask("agents", period, by=by)
        }
        for start, part in parts:
            for agent in self._agents:
                figures = {**seen.agent(agent, part), **seen.time(agent, part)}
                row = rows.pop((start, agent), None)
                if row is not None or seen.was_there(figures):
                    found.row(f"agents {by} {start} {agent}", row, figures)
        found.same(f"agents {by}: other rows", sorted(rows, key=str), [])
        pauses = {
            (_begins(row), row["agent"], row["reason"]): row
            for row in await self._ask("pauses", period, by=by)
        }
        for start, part in parts:
            for (agent, reason), figures in seen.pauses(part).items():
                where = f"pauses {by} {start} {agent} {reason}"
                found.row(where, pauses.pop((start, agent, reason), None), figures)
        found.same(f"pauses {by}: other rows", sorted(pauses, key=str), [])

    async def lists(self, period: Period) -> None:
        """Compare the lists of calls, and fairness."""
        seen, found = self.phones, self.found
        rows = {self._call_of(row): row for row in await self._ask("calls", period)}
        for visit in seen.day.visits:
            if inside(visit.moves[0][0], period):
                found.row(f"calls {visit.number}", rows.pop(visit.number, None), seen.call(visit))
        found.same("calls: other rows", list(rows), [])
        gone = {
            (self._call_of(row), row["queue"]): row for row in await self._ask("abandoned", period)
        }
        for key, figures in seen.abandoned(period).items():
            found.row(f"abandoned {key}", gone.pop(key, None), figures)
        found.same("abandoned: other rows", list(gone), [])
        for row in await self._ask("fairness", period):
            queue, agent = row["queue"], row["agent"]
            found.row(f"fairness {queue} {agent}", row, seen.fairness(queue, agent, period))

    async def stories(self, ids: Mapping[str, str], every: int = 1) -> None:
        """Compare the story of each call, by the number of its visit; or of one in so many."""
        for number in sorted(ids)[::every]:
            visit = self.phones.visits[number]
            rows = await self._ask("call", None, call=ids[number])
            said = sorted(
                (row["what"], row["agent"] or "", _at(row["at"]))
                for row in rows
                if row["what"] not in _UNSEEN
            )
            seen = sorted((what, agent, at) for at, what, agent in self.phones.story(visit))
            where = f"call {number}"
            self.found.same(where, [one[:2] for one in said], [one[:2] for one in seen])
            for (what, agent, at), (_, _, saw) in zip(said, seen, strict=False):
                self.found.compared += 1
                if abs(at - saw) > 2 * self.phones.gauge.limit:
                    self.found.found.append(f"{where}: {what} {agent} at {at:.3f}, seen {saw:.3f}")


def _at(value: str | float) -> float:
    return moment(value) if isinstance(value, str) else value
