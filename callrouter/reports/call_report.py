"""The reports ``calls`` and ``abandoned``: lists of calls, the latest first."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from callrouter.model.text import counted, phrase
from callrouter.record.rows import StayOutcome
from callrouter.record.sql import CALLS, CONVERSATIONS, STAYS
from callrouter.reports.queries import among, rows_of
from callrouter.reports.report import Report, ReportColumn, Row, Shown, Value
from callrouter.reports.report_run import ReportRun, must_not
from callrouter.reports.request import ReportError
from callrouter.reports.stay_figures import seconds

_KEYS_AT_ONCE: Final = 400


def _text(name: str, title: str, drop: int) -> ReportColumn:
    return ReportColumn(name=name, title=title, shown=Shown.TEXT, drop=drop)


def _time(name: str, title: str, drop: int) -> ReportColumn:
    return ReportColumn(name=name, title=title, shown=Shown.TIME, drop=drop)


def _duration(name: str, title: str, drop: int) -> ReportColumn:
    return ReportColumn(name=name, title=title, shown=Shown.DURATION, unit="s", drop=drop)


CALL_COLUMNS: Final = (
    _time("entered_at", "Entered", 0),
    _text("call", "Call", 3),
    _text("queue", "Queue", 0),
    _text("last_queue", "Last queue", 12),
    _text("number", "Number", 1),
    _text("caller_name", "Caller", 8),
    _text("outcome", "Outcome", 0),
    _text("result", "Result", 15),
    _text("agent", "Agent", 0),
    _duration("wait_s", "Wait", 0),
    _duration("talk_s", "Talk", 2),
    _duration("hold_s", "Hold", 9),
    ReportColumn(name="offers", title="Offers", drop=5),
    ReportColumn(name="transfers", title="Transfers", drop=6),
    ReportColumn(name="stays", title="Stays", drop=10),
    _text("ended_by", "Ended by", 7),
    _time("ended_at", "Ended", 11),
    ReportColumn(name="priority", title="Priority", drop=14),
    _text("tag", "Tag", 13),
    _text("called_number", "Called number", 16),
    _text("pbx", "PBX", 17),
)
ABANDONED_COLUMNS: Final = (
    _time("abandoned_at", "Abandoned", 0),
    _text("queue", "Queue", 0),
    _text("number", "Number", 0),
    _text("caller_name", "Caller", 5),
    _duration("wait_s", "Wait", 0),
    ReportColumn(name="position", title="Position", drop=4),
    ReportColumn(name="short", title="Short", shown=Shown.FLAG, drop=2),
    ReportColumn(name="within", title="In time", shown=Shown.FLAG, drop=3),
    ReportColumn(name="calls_since", title="Calls since", drop=6),
    _time("called_back_at", "Spoken to since", 0),
    _text("called_back_by", "By", 0),
    _text("call", "Call", 1),
    _time("entered_at", "Entered", 7),
)


def _ended_late(run: ReportRun, found: Sequence[Any], what: str) -> Sequence[Any]:
    """Return the rows to show, and note that there are more."""
    most = run.request.most
    if len(found) > most:
        text = "These are the last {most_many} {what}; there are more in the period. Choose a shorter one."
        run.notes.append(phrase("note-last-calls", text, most_many=most, what=what))
    return found[:most]


def calls(run: ReportRun) -> Report:
    """Return a row for each call that entered, the latest first.

    With a queue: the calls that were in it at some time. With an agent: those in which the agent had
    a conversation with the caller.
    """
    must_not(run, by=run.request.by)
    at, period = CALLS.c, run.request.period
    chosen = (
        sa.select(*at)
        .where(at.entered_at >= period.from_, at.entered_at < period.to)
        .where(*_in_queues(run.queues()), *_of_agents(run))
        .order_by(at.entered_at.desc(), at.call.desc())
        .limit(run.request.most + 1)
    )
    found = _ended_late(run, rows_of(run.link, chosen), phrase("calls", "calls"))
    live = LiveCalls(run, [call["call"] for call in found if call["ended_at"] is None])
    rows = [live.so_far(_call_row(run, call)) for call in found]
    run.note_limits()
    return run.report("Calls", CALL_COLUMNS, rows)


def _in_queues(queues: Iterable[str] | None) -> list[sa.ColumnElement[bool]]:
    if queues is None:
        return []
    stay = STAYS.c
    inside = sa.select(sa.literal(1)).where(stay.call == CALLS.c.call, *among(stay.queue, queues))
    return [sa.exists(inside)]


def _of_agents(run: ReportRun) -> list[sa.ColumnElement[bool]]:
    """Return the condition on who talked: the agent asked for, and for agents themselves their own."""
    wanted = [run.agents()] if run.request.agent else []
    if run.scope.masked:
        wanted.append(run.site.agents.recorded({run.scope.agent} if run.scope.agent else ()))
    talk = CONVERSATIONS.c
    return [
        sa.exists(
            sa.select(sa.literal(1)).where(talk.call == CALLS.c.call, *among(talk.agent, agents))
        )
        for agents in wanted
    ]


def _call_row(run: ReportRun, call: sa.RowMapping) -> dict[str, Value]:
    site = run.site
    return {
        "entered_at": call["entered_at"],
        "call": call["call"],
        "queue": site.queues.current(call["queue"]),
        "last_queue": site.queues.current(call["last_queue"]),
        "number": run.scope.number(call["caller_number"]),
        "caller_name": call["caller_name"],
        "outcome": call["outcome"],
        "result": call["result"],
        "agent": run.scope.person(site.agents.current(call["agent"])),
        "wait_s": seconds(call["wait_s"]),
        "talk_s": seconds(call["talk_s"]),
        "hold_s": seconds(call["hold_s"]),
        "offers": call["offers"],
        "transfers": call["transfers"],
        "stays": call["stays"],
        "ended_by": call["ended_by"],
        "ended_at": call["ended_at"],
        "priority": call["priority"],
        "tag": call["tag"],
        "called_number": call["called_number"],
        "pbx": call["pbx"],
    }


class LiveCalls:
    """What is true so far of calls that are not over: the record has it when a wait or a talk ends.

    Args:
        run: the report; what is counted goes up to its present time.
        calls: their ids.
    """

    def __init__(self, run: ReportRun, calls: Sequence[str]) -> None:
        self._waits: dict[str, float] = {}
        self._talks: dict[str, float] = {}
        stay, talk, now = STAYS.c, CONVERSATIONS.c, run.site.now
        for ids in _portions(calls):
            waiting = sa.select(stay.call, stay.entered_at, stay.talk_s).where(
                stay.call.in_(ids), stay.left_at.is_(None)
            )
            for call, entered_at, talked in run.link.execute(waiting):
                self._waits[call] = max(0.0, now - entered_at - talked)
            talking = sa.select(talk.call, talk.started_at).where(
                talk.call.in_(ids), talk.ended_at.is_(None)
            )
            for call, started_at in run.link.execute(talking):
                self._talks[call] = max(0.0, now - started_at)

    def so_far(self, row: dict[str, Value]) -> Row:
        """Return a row of ``calls`` with the wait or the talk that goes on, and `outcome` saying which."""
        call = str(row["call"])
        for found, length, outcome in (
            (self._waits, "wait_s", "waiting"),
            (self._talks, "talk_s", "talking"),
        ):
            if call in found:
                row[length] = seconds(float(row[length] or 0.0) + found[call])
                row["outcome"] = outcome
        return row


# ---------------------------------------------------------------- abandoned


def abandoned(run: ReportRun) -> Report:
    """Return a row for each stay that ended because the caller hung up, the latest entry first.

    It says whether the same caller was spoken to since, in any queue, and by which agent.
    """
    must_not(run, by=run.request.by, agent=run.request.agent)
    stay, call, period = STAYS.c, CALLS.c, run.request.period
    chosen = (
        sa.select(
            stay.call, stay.queue, stay.entered_at, stay.left_at, stay.wait_s, stay.position,
            call.caller_number, call.caller_name, call.number_key,
        )
        .select_from(STAYS.outerjoin(CALLS, call.call == stay.call))
        .where(stay.entered_at >= period.from_, stay.entered_at < period.to)
        .where(stay.outcome == StayOutcome.ABANDONED.value, *among(stay.queue, run.queues()))
        .order_by(stay.entered_at.desc(), stay.call.desc(), stay.n.desc())
        .limit(run.request.most + 1)
    )  # fmt: skip
    abandoned = phrase("abandoned-calls", "abandoned calls")
    found = _ended_late(run, rows_of(run.link, chosen), abandoned)
    since = Since(run.link, found)
    rows: list[Row] = []
    for number, each in enumerate(found):
        run.progress(number / len(found))
        queue = run.site.queues.current(each["queue"])
        target = run.site.target(queue)
        caller = caller_of(each)
        back = since.conversation(caller, each["left_at"])
        rows.append(
            {
                "abandoned_at": each["left_at"],
                "queue": queue,
                "number": run.scope.number(each["caller_number"] or ""),
                "caller_name": each["caller_name"],
                "wait_s": seconds(each["wait_s"]),
                "position": each["position"] or None,
                "short": each["wait_s"] < target.short,
                "within": each["wait_s"] <= target.within,
                "calls_since": since.calls(caller, each["left_at"]),
                "called_back_at": None if back is None else back[0],
                "called_back_by": back and run.scope.person(run.site.agents.current(back[1])),
                "call": each["call"],
                "entered_at": each["entered_at"],
            }
        )
    run.note_limits()
    return run.report("Abandoned calls", ABANDONED_COLUMNS, rows, total=_abandoned_total(rows))


def _abandoned_total(rows: Sequence[Row]) -> dict[str, Value]:
    return {
        "queue": counted(f"{len(rows):,}", "call"),
        "called_back_by": f"{sum(row['called_back_at'] is not None for row in rows):,} spoken to",
    }


def caller_of(row: sa.RowMapping) -> str:
    """Return what a caller is found by: the number, or its code once the number is replaced."""
    return row["number_key"] or row["caller_number"] or ""


class Since:
    """What callers did after they had hung up: further calls, and conversations with agents.

    Args:
        link: the open database.
        found: rows with `caller_number`, `number_key` and `left_at`.
    """

    def __init__(self, link: sa.Connection, found: Sequence[sa.RowMapping]) -> None:
        numbers: dict[str, float] = {}
        codes: dict[str, float] = {}
        for row in found:
            first, caller = codes if row["number_key"] else numbers, caller_of(row)
            if caller:
                first[caller] = min(first.get(caller, row["left_at"]), row["left_at"])
        self._calls: dict[str, list[float]] = defaultdict(list)
        self._talks: dict[str, list[tuple[float, str]]] = defaultdict(list)
        self._find(link, CALLS.c.number_key, codes)
        self._find(link, CALLS.c.caller_number, numbers)

    def _find(
        self, link: sa.Connection, column: sa.ColumnClause[Any], first: Mapping[str, float]
    ) -> None:
        """Read the calls of these callers since they had hung up first."""
        call, talk = CALLS.c, CONVERSATIONS.c
        for keys in _portions(sorted(first)):
            earliest = min(first[key] for key in keys)
            called = sa.select(column, call.entered_at).where(
                column.in_(keys), call.entered_at > earliest
            )
            for key, at in link.execute(called.order_by(call.entered_at)):
                self._calls[key].append(at)
            talked = (
                sa.select(column, talk.started_at, talk.agent)
                .select_from(CALLS.join(CONVERSATIONS, talk.call == call.call))
                .where(column.in_(keys), talk.started_at > earliest)
                .order_by(talk.started_at)
            )
            for key, at, agent in link.execute(talked):
                self._talks[key].append((at, agent))

    def calls(self, key: str | None, at: float) -> int | None:
        """Return how many calls this caller has made since; None: the caller is not known."""
        if not key:
            return None
        later = self._calls[key]
        return len(later) - bisect_right(later, at)

    def conversation(self, key: str | None, at: float) -> tuple[float, str] | None:
        """Return the caller's first conversation since: when it began, and the agent."""
        talks = self._talks[key] if key else []
        place = bisect_right(talks, at, key=lambda talk: talk[0])
        return talks[place] if place < len(talks) else None


def _portions(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        yield keys[start : start + _KEYS_AT_ONCE]


def no_such_call(call: str) -> ReportError:
    """Return the error for a call that is not on record, or not for the asker."""
    if not call:
        text = "report call needs the id of a call; `callrouter report calls` lists them"
        return ReportError(phrase("report-needs-call", text))
    return ReportError(
        phrase(
            "call-not-on-record",
            "there is no call {call} on record (`callrouter report calls` lists them; "
            "how long calls are kept is in history: keep)",
            call=repr(call[:100]),
        )
    )
