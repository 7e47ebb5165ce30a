"""``/api/reports/{what}``: what is on record, as figures."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Final

from aiohttp import web

from callrouter.api.access.auth import identify
from callrouter.api.context import SIGHT, backend_of
from callrouter.api.json_answers import encoded
from callrouter.api.problem_json import ApiProblem
from callrouter.api.query_parameters import LONGEST, one_of, read_query, wrong_query
from callrouter.api.record_access import RecordAccess, scope_of
from callrouter.api.routes.record_routes import record_of
from callrouter.api.shared_answers import MOST_REPORTS, RATES, REPORTS
from callrouter.api.watched_reports import WATCHED, send
from callrouter.model.text import in_quotes, listed, phrase, sentence_of
from callrouter.record.record_reader import RecordReader
from callrouter.reports.periods import PeriodError, read_period
from callrouter.reports.request import ReportError, ReportRequest, Site
from callrouter.store.location import StoreError

REPORT_QUERY: Final = ("period", "by", "queue", "agent", "call", "figure", "format")
FORMATS: Final = ("json", "csv", "xlsx", "png")
_COST: Final = 25.0
"""A report costs its caller as much as so many requests."""


def add_report_routes(app: web.Application) -> None:
    """Add the route of this module."""
    app.router.add_get("/api/reports/{what}", report)


async def report(request: web.Request) -> web.StreamResponse:
    """``GET /api/reports/{what}``: a report as JSON, or as a file.

    Reports are made one at a time in a thread, and once for all who ask for the same; files that are
    drawn or packed are made by a process of their own. A report that no client waits for any more is given up.

    Raises:
        ApiProblem: 404 there is no such report, or no record; 422 the query is wrong or the report
            cannot be had in this format; 501 a library for the format is not installed; 503 too many
            reports wait, or the database cannot be read.
    """
    record, what, query = (
        record_of(request),
        request.match_info["what"],
        read_query(request, REPORT_QUERY),
    )
    form = one_of("format", query.get("format", "json"), FORMATS)
    _check_can(form)
    wanted = _wanted(request, record, what, query)
    scope = scope_of(request[SIGHT])
    reports = request.app[REPORTS]
    key = (wanted, scope, form)
    if not reports.is_coming(key):
        _charge(request)
    now = backend_of(request).clock.now()
    watched = request.app[WATCHED].of(key, reports)

    def make(reader: RecordReader) -> bytes:
        watched.tell(0.0)
        site = Site.of(record.settings(), now)
        return _made(reader, wanted, site, scope=scope, form=form, progress=watched.tell)

    async def asked() -> bytes:
        try:
            return await record.reports.ask(make)
        except (ReportError, PeriodError) as error:
            raise wrong_query(sentence_of(error)) from error
        except StoreError as error:
            raise ApiProblem(503, "record-away", sentence_of(error)) from error

    content, lines = await watched.wait(
        request, reports.begin(key, asked), says_how_far=form == "json"
    )
    whole = _file(content, what, form) if form != "json" else encoded(content)
    return await send(content, lines, whole)


def _charge(request: web.Request) -> None:
    """Let the caller pay for a report that is to be made.

    Raises:
        ApiProblem: 503 too many reports wait, 429 the caller has asked for too much.
    """
    if request.app[REPORTS].waiting >= MOST_REPORTS:
        detail = phrase(
            "reports-wait",
            "{most} reports wait to be made; try again in a minute",
            most=MOST_REPORTS,
        )
        raise ApiProblem(503, "too-many-reports", detail, {"Retry-After": "60"})
    request.app[RATES].charge(identify(request), _COST)


def _wanted(
    request: web.Request, record: RecordAccess, what: str, query: dict[str, str]
) -> ReportRequest:
    """Return what is asked for.

    Raises:
        ApiProblem: 404 there is no such report, 422 the period makes no sense.
    """
    from callrouter.reports.catalog import WHATS  # noqa: PLC0415 - loads all reports

    if what not in WHATS:
        close = get_close_matches(what[:LONGEST], WHATS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are {listed(WHATS)}"
        raise ApiProblem(404, "unknown-report", f"there is no report {in_quotes(what)}; {hint}")
    if (what == "call") != ("call" in query):
        raise wrong_query("'call' is the id of the call for the report 'call', and only for it")
    zone = record.settings().table.zone
    try:
        period = read_period(query.get("period", ""), backend_of(request).clock.now(), zone)
    except PeriodError as error:
        raise wrong_query(sentence_of(error)) from error
    return ReportRequest(
        what=what,
        period=period,
        by=query.get("by", ""),
        queue=query.get("queue", ""),
        agent=query.get("agent", ""),
        call=query.get("call", ""),
        figure=query.get("figure", ""),
    )


def _check_can(form: str) -> None:
    from callrouter.reports.formats.file_formats import FILE_FORMATS  # noqa: PLC0415 - only here

    if form in FILE_FORMATS and (lack := FILE_FORMATS[form].lacks()):
        raise ApiProblem(501, "format-not-installed", lack)


def _made(
    reader: RecordReader,
    wanted: ReportRequest,
    site: Site,
    *,
    scope: Any,
    form: str,
    progress: Callable[[float], None],
) -> bytes:
    """Return a report in a format. Runs in the thread that reads the record.

    Raises:
        ReportError: it cannot be made, or not in this format.
    """
    from callrouter.reports.catalog import make  # noqa: PLC0415 - loads all reports
    from callrouter.reports.formats import file_process, report_csv, report_json  # noqa: PLC0415

    with reader.connection() as link:
        found = make(wanted, site, scope, link, progress)
    if form == "json":
        return report_json.encode_report(found)
    if form == "csv":
        return report_csv.to_csv(found).encode("utf-8", "replace")
    try:
        return file_process.make_file(report_json.encode_report(found), form)
    except file_process.FileNotMadeError as error:
        raise ReportError(sentence_of(error)) from error


def _file(content: bytes, what: str, form: str) -> web.Response:
    from callrouter.reports.formats.file_formats import FILE_FORMATS  # noqa: PLC0415 - only here

    shown = "inline" if form == "png" else "attachment"
    return web.Response(
        body=content,
        content_type=FILE_FORMATS[form].media,
        charset="utf-8" if form == "csv" else None,
        headers={"Content-Disposition": f'{shown}; filename="{what}.{form}"'},
    )
