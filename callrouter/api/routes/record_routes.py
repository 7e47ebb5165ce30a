"""``/api/records/calls``: ended calls on record, page by page; and what other routes need of the record."""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from callrouter.api.access.auth import identify, not_yours
from callrouter.api.context import SIGHT, backend_of
from callrouter.api.json_answers import answer
from callrouter.api.json_values import moment, seconds
from callrouter.api.problem_json import ApiProblem
from callrouter.api.query_parameters import LONGEST, one_of, read_query, wrong_query
from callrouter.api.record_access import RecordAccess
from callrouter.api.schemas.record_answers import RecordedCallJson, RecordedCallsJson
from callrouter.api.shared_answers import RATES
from callrouter.model.text import in_quotes, mask, phrase, sentence_of
from callrouter.record.number_fates import number_key
from callrouter.record.own_values import read_number_secret
from callrouter.record.record_reader import CallFilter, Cursor, RecordReader
from callrouter.record.rows import CallOutcome, CallRow
from callrouter.store.location import StoreError

_NO_AGENT: Final = "-"
"""No agent has this name."""
CALLS_QUERY: Final = (*("from", "to", "queue", "agent", "number", "outcome", "cursor", "limit"),)
MOST_CALLS: Final = 1000
"""Calls on a page."""
USUAL_CALLS: Final = 100


def add_record_routes(app: web.Application) -> None:
    """Add the route of this module."""
    app.router.add_get("/api/records/calls", recorded_calls)


def record_of(request: web.Request) -> RecordAccess:
    """Return the way to the record.

    Raises:
        ApiProblem: 404, this daemon keeps none.
    """
    record = backend_of(request).record
    if record is None:
        raise ApiProblem(
            404, "no-record", phrase("no-record-here", "this daemon keeps no record of calls")
        )
    return record


def unreadable_call(name: str, error: StoreError) -> ApiProblem:
    """Return the answer for a call that only the record can know, which cannot be read."""
    detail = phrase(
        "call-record-unreadable",
        "call '{name}' is not of this run, and the record can't be read: {error}",
        name=name[:80],
        error=str(error),
    )
    return ApiProblem(503, "no-record", detail)


async def recorded_calls(request: web.Request) -> web.Response:
    """``GET /api/records/calls``: ended calls, the last to end first, page by page.

    A page begins after the last call of the page before, so calls that end in the meantime neither
    move nor repeat any.

    Raises:
        ApiProblem: 403 the caller may not see it, 404 there is no record, 422 the query is wrong, 503
            the database cannot be read.
    """
    record, query = record_of(request), read_query(request, CALLS_QUERY)
    wanted = _filter(request, record, query)
    after = read_cursor(query["cursor"]) if query.get("cursor") else None
    most = read_limit(query.get("limit", ""))

    def look(reader: RecordReader) -> list[CallRow]:
        return reader.ended_calls(_with_codes(reader, wanted), after, most + 1)

    try:
        found = await record.lookups.ask(look)
    except StoreError as error:
        raise ApiProblem(503, "record-away", sentence_of(error)) from error
    masked = request[SIGHT].masked
    page: RecordedCallsJson = {
        "calls": [_call_json(row, masked=masked) for row in found[:most]],
        "next": _cursor_of(found[most - 1]) if len(found) > most else None,
    }
    request.app[RATES].charge(identify(request), most / USUAL_CALLS)
    return answer(page)


def _with_codes(reader: RecordReader, wanted: CallFilter) -> CallFilter:
    """Return a filter that also finds a caller whose number is not kept any more, by its code."""
    if not wanted.numbers:
        return wanted
    with reader.connection() as link:
        secret = read_number_secret(link)
    number = max(wanted.numbers, key=lambda form: form.startswith("+"))
    return wanted if secret is None else replace(wanted, number_key=number_key(secret, number))


def _filter(request: web.Request, record: RecordAccess, query: dict[str, str]) -> CallFilter:
    """Return which calls are wanted, of those that the caller may see.

    Raises:
        ApiProblem: 403 or 422.
    """
    sight, queue, agent = request[SIGHT], query.get("queue", ""), query.get("agent", "")
    if queue and not sight.sees_queue(queue):
        raise not_yours(request)
    if agent and not sight.sees_agent(agent):
        raise not_yours(request)
    if sight.masked and "number" in query:
        raise ApiProblem(403, "not-allowed", "'number' is for those who see whole numbers")
    settings, number = record.settings(), query.get("number", "")
    # A + in a query stands for a space.
    number = f"+{number[1:]}" if number.startswith(" ") else number
    begin, end = read_span(query, settings.table.zone)
    outcome = query.get("outcome", "")
    if outcome:
        one_of("outcome", outcome, [item.value for item in CallOutcome])
    return CallFilter(
        begin=begin,
        end=end,
        queues={queue} if queue else sight.queues,
        agent=agent,
        last_agent=(sight.agent or _NO_AGENT) if sight.masked else "",
        numbers={number, settings.table.numbering.form(number)} - {""} if number else (),
        outcome=CallOutcome(outcome) if outcome else None,
    )


def read_span(query: dict[str, str], zone: Any) -> tuple[float | None, float | None]:
    """Return ``from`` and ``to`` of a query in epoch seconds; None: the query has none.

    Args:
        query: the query.
        zone: of times without an offset.

    Raises:
        ApiProblem: 422.
    """
    begin, end = (_read_time(query, name, zone) for name in ("from", "to"))
    if begin is not None and end is not None and end <= begin:
        raise wrong_query(phrase("to-after-from", "'to' must be later than 'from'"))
    return begin, end


def _read_time(query: dict[str, str], name: str, zone: Any) -> float | None:
    """Return a time of a query in epoch seconds; None: the query has none.

    Args:
        query: the query.
        name: of its parameter.
        zone: the time zone of a time that names none.

    Raises:
        ApiProblem: 422, it is none.
    """
    text = query.get(name, "").replace(" ", "+")  # 2026-11-27T09:00:00+01:00, not escaped
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo is not None else when.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        raise wrong_query(
            f"'{name}' must be a date or a time, such as 2026-11-27 or 2026-11-27T09:00, not "
            f"{in_quotes(text)}"
        ) from None


def read_limit(text: str) -> int:
    """Return how many rows are wanted: `USUAL_CALLS` if `text` is empty.

    Raises:
        ApiProblem: 422, it is no number, or too large a one.
    """
    if not text:
        return USUAL_CALLS
    if text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST_CALLS:
        return int(text)
    raise wrong_query(f"'limit' must be a whole number from 1 to {MOST_CALLS}")


def _cursor_of(row: CallRow) -> str:
    """Return the cursor of the calls after one."""
    place = json.dumps([row.ended_at, row.call]).encode()
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def _is_id(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST and "\0" not in value


def read_cursor(text: str) -> Cursor:
    """Return the place that a cursor stands for.

    It grants nothing: what is shown from there on is decided again for each request.

    Raises:
        ApiProblem: 422, it is none of ours.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        ended_at, call = json.loads(base64.b64decode(padded, b"-_", validate=True))
        good = isinstance(ended_at, int | float) and not isinstance(ended_at, bool)
        if good and math.isfinite(ended_at) and _is_id(call):
            call.encode()
            return Cursor(float(ended_at), call)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        pass
    raise wrong_query("'cursor' must be what 'next' of the page before says")


def _call_json(row: CallRow, *, masked: bool) -> RecordedCallJson:
    return {
        "id": row.call,
        "pbx": row.pbx,
        "entered_at": moment(row.entered_at),
        "ended_at": moment(row.ended_at or row.entered_at),
        "caller_number": mask(row.caller_number) if masked else row.caller_number,
        "caller_name": "" if masked else row.caller_name,
        "called_number": row.called_number,
        "tag": row.tag,
        "priority": row.priority,
        "queue": row.queue,
        "last_queue": row.last_queue,
        "outcome": (row.outcome or CallOutcome.LOST).value,
        "result": row.result,
        "agent": row.agent or None,
        "wait_s": seconds(row.wait_s),
        "talk_s": seconds(row.talk_s),
        "hold_s": seconds(row.hold_s),
        "offers": row.offers,
        "transfers": row.transfers,
        "ended_by": row.ended_by,
    }
