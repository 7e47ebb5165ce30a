"""Which calls a figure is made of: ``report calls --figure queues.answered`` lists exactly these.

A figure counts stays, offers or conversations, so the list has a row for each of those, with its call.
Each entry here is the definition of a figure once more, as a condition on rows; the tests hold that as many
rows are found as the figure says, and that means, sums and shares follow from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from callrouter.model.text import in_quotes, phrase
from callrouter.record.rows import HowIn, OfferResult, StayOutcome
from callrouter.record.sql import CALLS, CONVERSATIONS, OFFERS, STAYS
from callrouter.reports.agent_report import RESULTS, TRANSFERS, WORK
from callrouter.reports.fairness_report import FAIRNESS_COLUMNS
from callrouter.reports.queries import ELSEWHERE, among, per_queue, rows_of
from callrouter.reports.queue_report import FIGURES
from callrouter.reports.report import Report, ReportColumn, Row, Shown
from callrouter.reports.report_run import ReportRun, must_not
from callrouter.reports.request import ReportError, Site
from callrouter.reports.stay_figures import LEFT_BY, REFUSED, seconds

Condition: TypeAlias = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class FigureCalls:
    """The rows that make a figure.

    Attributes:
        table: where they are; `at`: the column of the time by which they count.
        which: returns the condition on them.
        good: for a share, returns the condition on those that count as good; None: it is no share.
    """

    table: sa.TableClause
    at: sa.ColumnClause[Any]
    which: Callable[[Site], Condition]
    good: Callable[[Site], Condition] | None = None


def _within(site: Site) -> Condition:
    return STAYS.c.wait_s <= per_queue(site.queues, site.target, lambda target: target.within)


def _short(site: Site) -> Condition:
    return STAYS.c.wait_s < per_queue(site.queues, site.target, lambda target: target.short)


def _outcome(outcome: StayOutcome, _: Site) -> Condition:
    return sa.and_(STAYS.c.outcome == outcome.value, _let_in(_))


def _let_in(_: Site) -> Condition:
    refused = [item.value for item in REFUSED]
    stay = STAYS.c
    return sa.or_(stay.outcome.is_(None), stay.first_position != 0, stay.outcome.not_in(refused))


def _refused(site: Site) -> Condition:
    return sa.not_(_let_in(site))


def _left(site: Site) -> Condition:
    return sa.and_(STAYS.c.outcome.in_([item.value for item in LEFT_BY]), _let_in(site))


_answered: Final = partial(_outcome, StayOutcome.ANSWERED)
_abandoned: Final = partial(_outcome, StayOutcome.ABANDONED)


def _ended(site: Site) -> Condition:
    return sa.or_(_answered(site), _abandoned(site))


def _in_time(site: Site) -> Condition:
    return sa.and_(_answered(site), _within(site))


def _stays(
    which: Callable[[Site], Condition], good: Callable[[Site], Condition] | None = None
) -> FigureCalls:
    return FigureCalls(STAYS, STAYS.c.entered_at, which, good)


def _spent(column: sa.ColumnClause[Any], site: Site) -> Condition:
    return sa.and_(_let_in(site), column > 0)


def _per_answer(column: sa.ColumnClause[Any], site: Site) -> Condition:
    return sa.or_(_answered(site), _spent(column, site))


_ANSWERED: Final = _stays(_answered)
_ABANDONED: Final = _stays(_abandoned)
QUEUE_FIGURES: Final[Mapping[str, FigureCalls]] = {
    "entered": _stays(_let_in),
    "answered": _ANSWERED,
    "abandoned": _ABANDONED,
    "left": _stays(_left),
    "waiting": _stays(lambda _: STAYS.c.outcome.is_(None)),
    "refused": _stays(_refused),
    "service_level.strict": _stays(_ended, _in_time),
    "service_level.abandons_ignored": _stays(
        lambda site: sa.or_(_answered(site), sa.and_(_abandoned(site), sa.not_(_within(site)))),
        _in_time,
    ),
    "service_level.abandons_positive": _stays(_ended, _within),
    "service_level.answered_only": _stays(_answered, _in_time),
    "service_level.short_credit": _stays(
        _ended, lambda site: sa.or_(_in_time(site), sa.and_(_abandoned(site), _short(site)))
    ),
    **{f"wait_s.{name}": _ANSWERED for name in ("mean", "median", "p90", "max")},
    **{f"abandoned_wait_s.{name}": _ABANDONED for name in ("mean", "median", "p90", "max")},
    "abandoned_share": _stays(_let_in, _abandoned),
    "abandoned_within": _stays(lambda site: sa.and_(_abandoned(site), _within(site))),
    "abandoned_short": _stays(lambda site: sa.and_(_abandoned(site), _short(site))),
    "from_elsewhere": _stays(
        lambda site: sa.and_(_let_in(site), STAYS.c.how_in.in_([item.value for item in ELSEWHERE]))
    ),
    "re_entries": _stays(
        lambda site: sa.and_(_let_in(site), STAYS.c.how_in == HowIn.RE_ENTRY.value)
    ),
    **{f"left_by.{item.value}": _stays(partial(_outcome, item)) for item in LEFT_BY},
    "talk_s.mean": _stays(partial(_per_answer, STAYS.c.talk_s)),
    "talk_s.total": _stays(partial(_spent, STAYS.c.talk_s)),
    "hold_s.mean": _stays(partial(_per_answer, STAYS.c.hold_s)),
}
"""Figures of ``queues`` and ``hours``, by their columns."""


def _with_result(name: str) -> Callable[[Site], Condition]:
    column = OFFERS.c.result
    if name == "withdrawn":
        named = [item.value for results in RESULTS.values() for item in results]
        return lambda _: sa.and_(column.is_not(None), column.not_in(named))
    results = [item.value for item in RESULTS[name]]
    return lambda _: column.in_(results)


def _own_to_take(_: Site) -> Condition:
    names = ("answered", "missed", "declined", "not_accepted")
    return OFFERS.c.result.in_([item.value for name in names for item in RESULTS[name]])


def _offers(
    which: Callable[[Site], Condition], good: Callable[[Site], Condition] | None = None
) -> FigureCalls:
    return FigureCalls(OFFERS, OFFERS.c.made_at, which, good)


def _talks(which: Callable[[Site], Condition]) -> FigureCalls:
    return FigureCalls(CONVERSATIONS, CONVERSATIONS.c.started_at, which)


def _every(_: Site) -> Condition:
    return sa.true()


def _over(_: Site) -> Condition:
    return CONVERSATIONS.c.talk_s.is_not(None)


AGENT_FIGURES: Final[Mapping[str, FigureCalls]] = {
    "offers": _offers(_every),
    **{name: _offers(_with_result(name)) for name in (*RESULTS, "withdrawn")},
    "ringing": _offers(lambda _: OFFERS.c.result.is_(None)),
    "answered_share": _offers(_own_to_take, _with_result("answered")),
    "conversations": _talks(_every),
    **{f"talk_s.{name}": _talks(_over) for name in ("total", "mean", "max")},
    "handle_s.mean": _talks(lambda site: sa.or_(_over(site), CONVERSATIONS.c.wrap_up_s > 0)),
    "hold_s.total": _talks(lambda _: CONVERSATIONS.c.hold_s > 0),
    "wrap_up_s.total": _talks(lambda _: CONVERSATIONS.c.wrap_up_s > 0),
    "transfers": _talks(lambda _: CONVERSATIONS.c.ended_by.in_([item.value for item in TRANSFERS])),
}
"""Figures of ``agents``, by their columns."""
FAIRNESS_FIGURES: Final[Mapping[str, FigureCalls]] = {
    "offers": _offers(_every),
    "answered": _offers(lambda _: OFFERS.c.result == OfferResult.ACCEPTED.value),
    "talk_s": _talks(_over),
}
FIGURE_CALLS: Final[Mapping[str, Mapping[str, FigureCalls]]] = {
    "queues": QUEUE_FIGURES,
    "hours": QUEUE_FIGURES,
    "agents": AGENT_FIGURES,
    "fairness": FAIRNESS_FIGURES,
}
"""By report and column."""


def has_calls(what: str, column: str) -> bool:
    """Return whether the calls that make a figure can be listed."""
    return column in FIGURE_CALLS.get(what, {})


# ---------------------------------------------------------------- the list


def _text(name: str, title: str, drop: int) -> ReportColumn:
    return ReportColumn(name=name, title=title, shown=Shown.TEXT, drop=drop)


def _duration(name: str, title: str, drop: int) -> ReportColumn:
    return ReportColumn(name=name, title=title, shown=Shown.DURATION, unit="s", drop=drop)


_LENGTHS: Final[Mapping[str, ReportColumn]] = {
    "wait_s": _duration("wait_s", "Wait", 0),
    "rang_s": _duration("rang_s", "Rang", 0),
    "talk_s": _duration("talk_s", "Talk", 2),
    "hold_s": _duration("hold_s", "Hold", 9),
    "wrap_up_s": _duration("wrap_up_s", "Wrap-up", 10),
}
_OUTCOMES: Final = {STAYS: "outcome", OFFERS: "result", CONVERSATIONS: "ended_by"}
_FIRST: Final = (
    ReportColumn(name="at", title="When", shown=Shown.TIME),
    _text("call", "Call", 3),
    _text("queue", "Queue", 0),
    _text("number", "Number", 1),
    _text("caller_name", "Caller", 8),
    _text("outcome", "Outcome", 0),
    _text("agent", "Agent", 0),
)
_GOOD: Final = ReportColumn(name="good", title="Counts", shown=Shown.FLAG)


def calls_of_figure(run: ReportRun) -> Report:
    """Return a row for each stay, offer or conversation that makes a figure, the latest first.

    Raises:
        ReportError: there is no such figure, no calls make it, or the asker may not see them.
    """
    must_not(run, by=run.request.by)
    figure = _figure(run.request.figure)
    if run.scope.masked and figure.table is STAYS:
        text = "agents can list the calls of their own figures, those of report agents"
        raise ReportError(phrase("own-figures-only", text))
    columns, call, period = figure.table.c, CALLS.c, run.request.period
    where = (
        figure.at >= period.from_, figure.at < period.to, figure.which(run.site),
        *among(columns.queue, run.queues()), *_agents(run, figure),
    )  # fmt: skip
    good = sa.null() if figure.good is None else sa.case((figure.good(run.site), 1), else_=0)
    lengths = [column for name, column in _LENGTHS.items() if name in columns]
    chosen = (
        sa.select(
            figure.at.label("at"), columns.call, columns.queue, columns.agent, call.caller_number,
            call.caller_name, columns[_OUTCOMES[figure.table]].label("outcome"),
            *(columns[column.name] for column in lengths), good.label("good"),
        )
        .select_from(figure.table.outerjoin(CALLS, call.call == columns.call))
        .where(*where)
        .order_by(figure.at.desc(), columns.call.desc(), sa.desc(_key(figure)))
        .limit(run.request.most)
    )  # fmt: skip
    found = rows_of(run.link, chosen)
    number = (
        run.link.scalar(sa.select(sa.func.count()).select_from(figure.table).where(*where)) or 0
    )
    run.notes.append(_how_many(figure, number, run.request.figure))
    if number > len(found):
        text = "The last {most_many} of them are listed. Choose a shorter period."
        run.notes.append(phrase("note-last-listed", text, most_many=len(found)))
    run.note_limits()
    shown = (*_FIRST, *lengths, *((_GOOD,) if figure.good else ()))
    rows = [_row(run, each, lengths) for each in found]
    return run.report(figure_title(run.request.figure), shown, rows)


def _how_many(figure: FigureCalls, number: int, name: str) -> str:
    """Say of how many stays, offers or conversations a figure is."""
    if not number:
        counted = {
            STAYS: phrase("no-stays", "no stays"),
            OFFERS: phrase("no-offers", "no offers"),
            CONVERSATIONS: phrase("no-conversations", "no conversations"),
        }[figure.table]
    else:
        counted = {
            STAYS: phrase("stays", "{count} stay", "{count} stays", count=number),
            OFFERS: phrase("offers", "{count} offer", "{count} offers", count=number),
            CONVERSATIONS: phrase(
                "conversations", "{count} conversation", "{count} conversations", count=number
            ),
        }[figure.table]
    return phrase("note-in-figure", "{counted} in {figure}.", counted=counted, figure=name)


def figure_title(name: str) -> str:
    """Return the title of the column of a figure: ``Abandoned`` of ``queues.abandoned``."""
    what, _, figure = name.partition(".")
    columns = {"agents": WORK, "fairness": FAIRNESS_COLUMNS}.get(what, FIGURES)
    return next((column.title for column in columns if column.name == figure), name)


def _figure(name: str) -> FigureCalls:
    """Return the rows that make a figure.

    Raises:
        ReportError: there is no such figure, or no calls make it.
    """
    what, _, column = name.partition(".")
    figures = FIGURE_CALLS.get(what)
    if figures is not None and column in figures:
        return figures[column]
    known = [f"{report}.{figure}" for report, all_ in FIGURE_CALLS.items() for figure in all_]
    close = get_close_matches(name[:100], known, n=1)
    hint = (
        f"did you mean {in_quotes(close[0])}?"
        if close
        else "queues.answered, for example, is right"
    )
    raise ReportError(f"no calls make the figure {in_quotes(name)}; {hint}")


def _agents(run: ReportRun, figure: FigureCalls) -> list[Condition]:
    """Return the condition on agents: for stays, whoever had the caller matters only if asked for."""
    chosen = run.agents()
    if figure.table is STAYS and not run.request.agent:
        return []
    return among(figure.table.c.agent, chosen)


def _key(figure: FigureCalls) -> sa.ColumnClause[Any]:
    return figure.table.c["offer" if figure.table is OFFERS else "n"]


def _row(run: ReportRun, each: sa.RowMapping, lengths: list[ReportColumn]) -> Row:
    site = run.site
    return {
        "at": each["at"],
        "call": each["call"],
        "queue": site.queues.current(each["queue"]),
        "number": run.scope.number(each["caller_number"] or ""),
        "caller_name": None if run.scope.masked else each["caller_name"],
        "outcome": each["outcome"],
        "agent": run.scope.person(site.agents.current(each["agent"])),
        **{column.name: seconds(each[column.name]) for column in lengths},
        "good": None if each["good"] is None else bool(each["good"]),
    }
