"""``/api/audit``: who did what, the last act first, page by page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from callrouter.api.access.auth import identify
from callrouter.api.context import SIGHT
from callrouter.api.json_answers import answer
from callrouter.api.json_values import moment, phrase_json
from callrouter.api.problem_json import ApiProblem
from callrouter.api.query_parameters import read_query
from callrouter.api.routes.record_routes import read_limit, read_span, record_of
from callrouter.api.schemas.act_answers import ActJson, ActsJson
from callrouter.api.schemas.vocabulary import PhraseJson
from callrouter.api.shared_answers import RATES
from callrouter.audit.act_reader import ActFilter, read_acts
from callrouter.audit.act_rows import PHRASES, ActRow
from callrouter.model.text import Phrase, sentence_of, stored_phrase
from callrouter.record.record_reader import RecordReader
from callrouter.store.location import StoreError

AUDIT_QUERY: Final = ("from", "to", "who", "target", "cursor", "limit")
USUAL_ACTS: Final = 100


def add_audit_routes(app: web.Application) -> None:
    """Add the route of this module."""
    app.router.add_get("/api/audit", audited)


async def audited(request: web.Request) -> web.Response:
    """``GET /api/audit``: what the caller may see of the audit.

    An admin sees everything. A supervisor sees acts on the agents and queues that they see, an agent
    those on the agent, and both their own at the page. An agent is not told the addresses of others.

    Raises:
        ApiProblem: 404 there is no record, 422 the query is wrong, 503 the database cannot be read.
    """
    record, query = record_of(request), read_query(request, AUDIT_QUERY)
    wanted = _filter(request, query)
    most = read_limit(query.get("limit", ""))

    def look(reader: RecordReader) -> list[ActRow]:
        with reader.connection() as link:
            return read_acts(link, wanted, most + 1)

    try:
        found = await record.lookups.ask(look)
    except StoreError as error:
        raise ApiProblem(503, "record-away", sentence_of(error)) from error
    caller = identify(request)
    own = caller.name if caller.role == "agent" else None
    page: ActsJson = {
        "acts": [_act_json(row, own) for row in found[:most]],
        "next": str(found[most - 1].serial) if len(found) > most else None,
    }
    request.app[RATES].charge(caller, most / USUAL_ACTS)
    return answer(page)


def _filter(request: web.Request, query: dict[str, str]) -> ActFilter:
    """Return which acts are wanted, of those that the caller may see.

    Raises:
        ApiProblem: 422.
    """
    caller, sight, zone = (
        identify(request),
        request[SIGHT],
        record_of(request).settings().table.zone,
    )
    begin, end = read_span(query, zone)
    everything = caller.role == "admin"
    agents, queues = sight.agents, sight.queues
    if caller.role == "agent":
        queues = frozenset()
    return ActFilter(
        begin=begin,
        end=end,
        who=query.get("who", ""),
        target=query.get("target", ""),
        everything=everything,
        agents=agents,
        queues=queues,
        own=caller.name if caller.session else "",
        before=_cursor(query.get("cursor", "")),
    )


def _cursor(text: str) -> int | None:
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 19 and int(text) < 2**63:
        return int(text)
    raise ApiProblem(422, "wrong-query", "'cursor' must be what 'next' of the page before says")


def _act_json(row: ActRow, own: str | None) -> ActJson:
    """Return an act as it is shown.

    Args:
        row: the act.
        own: the agent who asks, who is not told the addresses of other people; None: another caller asks.
    """
    values = json.loads(row.details)
    phrases = values.pop(PHRASES, None)
    texts = {str(name): str(value) for name, value in values.items()}
    return {
        "id": str(row.serial),
        "at": moment(row.at),
        "who": row.who,
        "role": row.role,
        "via": row.via.value,
        "from": row.source if own is None or row.who in {own, ""} else None,
        "act": row.act,
        "agent": row.agent or None,
        "queue": row.queue or None,
        "call": row.call or None,
        "target": row.target or None,
        "values": texts,
        "values_phrases": _phrases(texts, phrases),
        "outcome": row.outcome.value,
        "kind": row.kind or None,
    }


def _phrases(texts: Mapping[str, str], stored: object) -> dict[str, PhraseJson]:
    """Return the codes of those values that were stored with one."""
    found = stored if isinstance(stored, dict) else {}
    said = {name: stored_phrase(text, found.get(name)) for name, text in texts.items()}
    return {name: phrase_json(text) for name, text in said.items() if isinstance(text, Phrase)}
