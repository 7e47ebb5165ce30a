"""The parts of Twilio's REST API that the driver needs, through Twilio's own library."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.response import Response
from twilio.rest import Client

from callrouter.pbx.twilio.hangup_causes import OVER
from callrouter.pbx.twilio.rest.api_requests import (
    ApiOutcome,
    ApiRequest,
    ApiResult,
    CallInProgress,
    EndCall,
    PlaceCall,
    RedirectCall,
    UpdateParticipant,
)
from callrouter.pbx.twilio.rest.http_client import TwilioHttp
from callrouter.pbx.twilio.twiml import LONGEST_TALK, OURS
from callrouter.pbx.twilio.urls import WebhookUrls

logger = logging.getLogger(__name__)

EVENTS: Final = ["initiated", "ringing", "answered", "completed"]
_AT_ONCE: Final = 8
"""Maximum number of parallel requests during a resync. Twilio refuses too many at once."""
_PAGE: Final = 1000
"""Twilio refuses larger pages. Without this, the library requests a page as large as `limit`."""
_MOST: Final = 5000
"""Maximum number of calls or conferences read. No single account has more."""


class ApiUnavailable(Exception):  # noqa: N818 - named for what happened
    """The REST API could not be queried. `str()` says why, for the operator."""


def client_for(http: TwilioHttp, *, account_sid: str, user: str, secret: str) -> Client:
    """Twilio's client, using our HTTP client.

    It gets an environment of its own. Otherwise the library would silently take a region and
    credentials from the environment of the process.
    """
    return Client(user, secret, account_sid, http_client=http, environment={"CALLROUTER": "1"})


class ApiClient:
    """One account.

    Args:
        http: makes the requests.
        account_sid: SID of the account that has the calls.
        user: an API key's SID, or the account's SID.
        secret: the API key's secret, or the account's auth token.
        urls: the URLs that Twilio is given for legs.
    """

    def __init__(
        self, http: TwilioHttp, *, account_sid: str, user: str, secret: str, urls: WebhookUrls
    ) -> None:
        self._client = client_for(http, account_sid=account_sid, user=user, secret=secret)
        self._urls = urls

    async def make(self, ask: ApiRequest) -> ApiResult:
        """Make a request, once. Never raises."""
        match ask:
            case PlaceCall():
                return (await outcome_of(lambda: self._place_call(ask)))[0]
            case RedirectCall():
                move = self._client.calls(ask.sid).update_async
                return (await outcome_of(lambda: move(twiml=ask.twiml)))[0]
            case EndCall():
                move = self._client.calls(ask.sid).update_async
                return (await outcome_of(lambda: move(status="completed")))[0]
            case UpdateParticipant():
                return (await outcome_of(lambda: self._update_participant(ask)))[0]

    async def _update_participant(self, ask: UpdateParticipant) -> Any:
        """Change a participant.

        The API needs the conference's SID; if unknown, look it up by name.
        """
        conference = ask.conference
        if not conference:
            found = await self._client.conferences.list_async(
                friendly_name=ask.room, status="in-progress", limit=1
            )
            if not found:
                raise TwilioRestException(404, ask.room, "no such conference", code=20404)
            conference = found[0].sid
        wanted: dict[str, object] = {}
        if ask.hold is not None:
            wanted["hold"] = ask.hold
        if ask.hold:
            wanted |= {"hold_url": self._urls.to("hold"), "hold_method": "POST"}
        if ask.ends is not None:
            wanted["end_conference_on_exit"] = ask.ends
        seats = self._client.conferences(conference).participants
        return await seats(ask.sid).update_async(**wanted)

    async def _place_call(self, ask: PlaceCall) -> Any:
        return await self._client.calls.create_async(
            to=ask.to,
            from_=ask.caller_id,
            url=self._urls.to("agent", ask.token),
            method="POST",
            status_callback=self._urls.to("offer", ask.token),
            status_callback_event=EVENTS,
            status_callback_method="POST",
            timeout=ask.timeout,
            time_limit=LONGEST_TALK,
        )

    async def has_ended(self, sid: str) -> bool | None:
        """Whether a call has ended; None if Twilio does not say.

        The API lags behind, so a call that it does not know may be a new one.
        """
        answer, found = await outcome_of(self._client.calls(sid).fetch_async)
        if answer.outcome is not ApiOutcome.DONE or not isinstance(found.status, str):
            return None
        return found.status in OVER

    async def calls_in_progress(self, *, ringing: bool = False) -> list[CallInProgress]:
        """All calls in progress with their queues and conferences.

        With `ringing`, phones that are ringing are included.

        Raises:
            ApiUnavailable: the API could not be queried.
        """
        found: list[CallInProgress] = []
        answer, _ = await outcome_of(lambda: self._read_calls(found, ringing=ringing))
        if answer.outcome is not ApiOutcome.DONE:
            raise ApiUnavailable(answer.detail)
        return found

    async def _read_calls(self, found: list[CallInProgress], *, ringing: bool) -> None:
        client, lines, rooms = self._client, {}, {}
        gate = asyncio.Semaphore(_AT_ONCE)

        async def stand_in(line: Any) -> None:
            async with gate:
                members = await client.queues(line.sid).members.list_async(page_size=_PAGE)
                lines.update(
                    {one.call_sid: (line.friendly_name, one.date_enqueued) for one in members}
                )

        async def sit_in(room: Any) -> None:
            async with gate:
                people = await client.conferences(room.sid).participants.list_async()
                rooms.update({one.call_sid: (room.friendly_name, one.label) for one in people})

        calls = await client.calls.list_async(status="in-progress", limit=_MOST, page_size=_PAGE)
        queues = await client.queues.list_async(limit=_MOST, page_size=_PAGE)
        talks = await client.conferences.list_async(
            status="in-progress", limit=_MOST, page_size=_PAGE
        )
        await asyncio.gather(
            *(stand_in(line) for line in queues if (line.friendly_name or "").startswith(OURS)),
            *(sit_in(room) for room in talks if (room.friendly_name or "").startswith(OURS)),
        )
        for status in ("queued", "ringing") if ringing else ():
            there = await client.calls.list_async(status=status, limit=_MOST, page_size=_PAGE)
            found += [replace(_call_in_progress(call, "", "", ""), ringing=True) for call in there]
        for call in calls:
            room, label = rooms.get(call.sid, ("", ""))
            line, since = lines.get(call.sid, ("", None))
            seen = _call_in_progress(call, line.removeprefix(OURS), room, label or "")
            found.append(replace(seen, queued_at=since.timestamp() if since else None))


def _call_in_progress(call: Any, queue: str, conference: str, label: str) -> CallInProgress:
    return CallInProgress(
        sid=call.sid,
        caller_number=call._from or "",
        called_number=call.to or "",
        started_at=call.start_time.timestamp() if call.start_time else None,
        queue=queue,
        conference=conference,
        label=label,
        parent=call.parent_call_sid or "",
    )


async def outcome_of(do: Callable[[], Awaitable[Any]]) -> tuple[ApiResult, Any]:
    """Make a request. Return its outcome and what it created. Never raises."""
    try:
        made = await do()
    except TwilioRestException as error:
        return _refused(int(error.status), int(error.code or 0), error.msg), None
    except aiohttp.ClientConnectorError as error:
        why = f"Twilio cannot be reached ({error.strerror})"
        return ApiResult(outcome=ApiOutcome.NOT_SENT, detail=why), None
    except TimeoutError:
        return ApiResult(outcome=ApiOutcome.UNKNOWN, detail="no answer from Twilio in time"), None
    except (aiohttp.ClientError, TwilioException, json.JSONDecodeError, OSError) as error:
        refused = _refused_list(error) if isinstance(error, TwilioException) else None
        lost = f"the answer was lost ({type(error).__name__})"
        return refused or ApiResult(outcome=ApiOutcome.UNKNOWN, detail=lost), None
    waits = getattr(made, "queue_time", None)
    answer = ApiResult(
        outcome=ApiOutcome.DONE,
        sid=getattr(made, "sid", "") or "",
        queue_time=int(waits) / 1000.0 if waits and str(waits).isdigit() else 0.0,
    )
    return answer, made


def _refused_list(error: TwilioException) -> ApiResult | None:
    """The refusal of a list request; None if the error was something else.

    The library only raises an exception with a text and leaves parsing the response to us.
    """
    response = error.args[1] if len(error.args) > 1 else None
    if not isinstance(response, Response):
        return None
    try:
        body = json.loads(response.text)
        return _refused(response.status_code, int(body["code"]), str(body["message"]))
    except (ValueError, KeyError, TypeError):
        return _refused(response.status_code, 0, "no reason given")


def _refused(status: int, code: int, message: str) -> ApiResult:
    fault = status >= 500
    return ApiResult(
        outcome=ApiOutcome.UNKNOWN if fault else ApiOutcome.REFUSED,
        status=status,
        code=0 if fault else code,
        detail=f"Twilio says {status}, code {code}: {message}",
    )
