"""Our HTTP client below Twilio's library, against a server of our own on loopback.

It shows what is sent and what we make of the answers; the answers' texts are those of Twilio's
documentation.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from callrouter.pbx.twilio.rest.api_client import ApiClient, ApiUnavailable
from callrouter.pbx.twilio.rest.api_requests import (
    ApiOutcome,
    EndCall,
    PlaceCall,
    RedirectCall,
    UpdateParticipant,
)
from callrouter.pbx.twilio.rest.http_client import TwilioHttp
from callrouter.pbx.twilio.webhook import WebhookUrls
from tests.twilio import openapi

ACCOUNT = "AC" + "a" * 32
CALL = "CA" + "c" * 32
LINKS = WebhookUrls("https://calls.example.com", "cloud")
PLACE = PlaceCall(token="tok", to="+447700900123", caller_id="+442079460000", timeout=15)

ApiResult = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Seen:
    def __init__(self) -> None:
        self.requests: list[tuple[str, str, list[tuple[str, str]], str]] = []


@asynccontextmanager
async def twilio(answer: ApiResult, within: float = 5.0) -> AsyncIterator[tuple[ApiClient, Seen]]:
    seen = Seen()

    async def take(request: web.Request) -> web.StreamResponse:
        fields = [(name, str(value)) for name, value in (await request.post()).items()]
        openapi.look_at(request.method, request.path_qs, fields)
        seen.requests.append(
            (request.method, request.path_qs, fields, request.headers["Authorization"])
        )
        return await answer(request)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", take)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        http = TwilioHttp(session, within=within, api_url=str(server.make_url("/")))
        yield (
            ApiClient(http, account_sid=ACCOUNT, user="SK1", secret="s3cret", urls=LINKS),
            seen,
        )


def says(status: int, body: Any, headers: dict[str, str] | None = None) -> ApiResult:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return answer


def refusal(status: int, code: int, message: str) -> ApiResult:
    return says(status, {"code": code, "message": message, "status": status, "more_info": ""})


async def test_a_phone_is_called_with_what_the_leg_needs_and_nothing_secret() -> None:
    async with twilio(says(201, {"sid": CALL, "status": "queued", "queue_time": "1500"})) as (rest, seen):  # fmt: skip
        answer = await rest.make(PLACE)
    assert (answer.outcome, answer.sid, answer.queue_time) == (ApiOutcome.DONE, CALL, 1.5)
    [(method, path, fields, authorization)] = seen.requests
    assert (method, path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json")
    assert authorization == "Basic " + base64.b64encode(b"SK1:s3cret").decode()
    assert fields == [
        ("To", "+447700900123"),
        ("From", "+442079460000"),
        ("Method", "POST"),
        ("StatusCallback", "https://calls.example.com/twilio/cloud/offer?o=tok"),
        ("StatusCallbackEvent", "initiated"),
        ("StatusCallbackEvent", "ringing"),
        ("StatusCallbackEvent", "answered"),
        ("StatusCallbackEvent", "completed"),
        ("StatusCallbackMethod", "POST"),
        ("Timeout", "15"),
        ("TimeLimit", "14400"),
        ("Url", "https://calls.example.com/twilio/cloud/agent?o=tok"),
    ]
    for name, value in fields:
        assert name in {"To", "From"} or "+44" not in value


async def test_a_call_is_moved_and_ended() -> None:
    async with twilio(says(200, {"sid": CALL})) as (rest, seen):
        assert (
            await rest.make(RedirectCall(sid=CALL, twiml="<Response/>"))
        ).outcome is ApiOutcome.DONE
        assert (await rest.make(EndCall(sid=CALL))).outcome is ApiOutcome.DONE
    assert [(path, fields) for _, path, fields, _ in seen.requests] == [
        (f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{CALL}.json", [("Twiml", "<Response/>")]),
        (f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{CALL}.json", [("Status", "completed")]),
    ]


async def test_hold_and_who_ends_a_conference() -> None:
    room, conference = f"callrouter-{CALL}-b-1", "CF" + "e" * 32
    seat = f"/2010-04-01/Accounts/{ACCOUNT}/Conferences/{conference}/Participants/{CALL}.json"
    async with twilio(says(200, {"call_sid": CALL})) as (rest, seen):
        for hold, ends in ((True, None), (False, None), (None, False)):
            ask = UpdateParticipant(
                conference_name=room, conference_sid=conference, sid=CALL, hold=hold, ends=ends
            )
            assert (await rest.make(ask)).outcome is ApiOutcome.DONE
    music = [("HoldUrl", "https://calls.example.com/twilio/cloud/hold"), ("HoldMethod", "POST")]
    assert [(path, sorted(fields)) for _, path, fields, _ in seen.requests] == [
        (seat, sorted([("Hold", "true"), *music])),
        (seat, [("Hold", "false")]),
        (seat, [("EndConferenceOnExit", "false")]),
    ]


@pytest.mark.parametrize("there", [True, False])
async def test_a_conference_whose_sid_nobody_told_is_looked_up_by_its_name(there: bool) -> None:
    room, conference = f"callrouter-{CALL}-b-1", "CF" + "e" * 32

    async def answer(request: web.Request) -> web.StreamResponse:
        found = [{"sid": conference, "friendly_name": room}] if there else []
        if request.method == "GET":
            return web.json_response({"conferences": found, "next_page_uri": None})
        return web.json_response({"call_sid": CALL})

    async with twilio(answer) as (rest, seen):
        said = await rest.make(
            UpdateParticipant(conference_name=room, conference_sid="", sid=CALL, hold=True)
        )
    assert (said.outcome, said.call_ended) == (
        (ApiOutcome.DONE, False) if there else (ApiOutcome.REFUSED, True)
    )
    assert len(seen.requests) == (2 if there else 1)
    assert f"FriendlyName={room}" in seen.requests[0][1]


@pytest.mark.parametrize(
    ("status", "code", "outcome", "gone", "harmless"),
    [
        (400, 21220, ApiOutcome.REFUSED, True, False),
        (404, 20404, ApiOutcome.REFUSED, True, False),
        (429, 20429, ApiOutcome.REFUSED, False, True),
        (401, 20003, ApiOutcome.REFUSED, False, False),
        (400, 21211, ApiOutcome.REFUSED, False, False),
        (500, 20500, ApiOutcome.UNKNOWN, False, False),
        (503, 20503, ApiOutcome.UNKNOWN, False, False),
    ],
)
async def test_refusals(
    status: int, code: int, outcome: ApiOutcome, gone: bool, harmless: bool
) -> None:
    async with twilio(refusal(status, code, "Call is not in-progress.")) as (rest, seen):
        answer = await rest.make(RedirectCall(sid=CALL, twiml="<Response/>"))
    assert (answer.outcome, answer.call_ended, answer.safe_to_repeat) == (outcome, gone, harmless)
    assert str(status) in answer.detail
    assert "s3cret" not in answer.detail
    assert len(seen.requests) == 1, "nothing is repeated behind our back"


async def test_an_answer_that_does_not_come_leaves_open_what_was_done() -> None:
    async def slow(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with twilio(slow, within=0.05) as (rest, seen):
        answer = await rest.make(PLACE)
    assert answer.outcome is ApiOutcome.UNKNOWN
    assert not answer.safe_to_repeat
    assert len(seen.requests) == 1


async def test_an_answer_that_is_no_json_or_breaks_off() -> None:
    async def page(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=502, text="<html>Bad gateway</html>")

    async def torn(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async def odd(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=201, text="<html>")

    for answer in (page, torn, odd):
        async with twilio(answer) as (rest, _):
            assert (await rest.make(PLACE)).outcome is ApiOutcome.UNKNOWN


async def test_nobody_there_means_that_nothing_was_done() -> None:
    async with aiohttp.ClientSession() as session:
        http = TwilioHttp(session, api_url="http://127.0.0.1:1")
        rest = ApiClient(http, account_sid=ACCOUNT, user="SK1", secret="s3cret", urls=LINKS)
        answer = await rest.make(PLACE)
        assert answer.outcome is ApiOutcome.NOT_SENT
        assert answer.safe_to_repeat
        assert "cannot be reached" in answer.detail
        with pytest.raises(ApiUnavailable, match="cannot be reached"):
            await rest.calls_in_progress()


async def test_credentials_and_regions_of_the_process_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC" + "f" * 32)
    async with twilio(says(200, {"sid": CALL})) as (rest, seen):
        await rest.make(EndCall(sid=CALL))
    assert seen.requests[0][1] == f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{CALL}.json"


async def test_headers_of_an_answer_are_kept() -> None:
    answer = says(429, {"code": 20429}, {"Twilio-Concurrent-Requests": "101"})
    async with TestServer(_app(answer)) as server, aiohttp.ClientSession() as session:
        http = TwilioHttp(session, api_url=str(server.make_url("/")))
        response = await http.request("GET", "https://api.twilio.com/x", params={"a": [1, True]})
    assert response.status_code == 429
    assert response.headers["Twilio-Concurrent-Requests"] == "101"


def _app(answer: ApiResult) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    return app


async def test_what_goes_on_is_looked_at() -> None:
    waiting, talking, agent, other = (f"CA{n}" + "0" * 31 for n in range(4))
    line, room = "QU" + "1" * 32, "CF" + "1" * 32

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response(pages[request.path.rsplit(f"{ACCOUNT}/", 1)[1]])

    call = {"direction": "inbound", "to": "+442079460000", "start_time": "Tue, 31 Aug 2010 20:36:28 +0000"}  # fmt: skip
    pages = {
        "Calls.json": _page(
            "calls",
            [{**call, "sid": sid, "from": "+33123456789"} for sid in (waiting, talking, agent, other)],
        ),
        "Queues.json": _page("queues", [{"sid": line, "friendly_name": "callrouter-sales"}, {"sid": "QU" + "2" * 32, "friendly_name": "theirs"}]),
        f"Queues/{line}/Members.json": _page("queue_members", [{"call_sid": waiting, "date_enqueued": "Tue, 31 Aug 2010 20:40:00 +0000"}]),
        "Conferences.json": _page("conferences", [{"sid": room, "friendly_name": "callrouter-r"}, {"sid": "CF" + "2" * 32, "friendly_name": None}]),
        f"Conferences/{room}/Participants.json": _page("participants", [{"call_sid": talking, "label": None}, {"call_sid": agent, "label": "alice|desk"}]),
    }  # fmt: skip
    async with twilio(answer) as (rest, seen):
        found = {one.sid: one for one in await rest.calls_in_progress()}
    assert (found[waiting].queue, found[waiting].conference) == ("sales", "")
    assert found[waiting].caller_number == "+33123456789"
    assert found[waiting].started_at == 1283286988.0
    assert found[waiting].queued_at == 1283287200.0
    assert (found[talking].conference, found[talking].label) == ("callrouter-r", "")
    assert found[agent].label == "alice|desk"
    assert (found[other].queue, found[other].conference) == ("", "")
    for _, path, _, _ in seen.requests:  # Twilio's OpenAPI document: 1 to 1000
        assert 1 <= int(parse_qs(urlsplit(path).query).get("PageSize", ["50"])[0]) <= 1000


def _page(name: str, items: list[Any]) -> dict[str, Any]:
    return {name: items, "page": 0, "page_size": 50, "next_page_uri": None}
