"""The parts of Twilio's REST API that the driver needs, through Twilio's own library."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
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
from callrouter.pbx.twilio.twiml import LONGEST_TALK, OUR_PREFIX
from callrouter.pbx.twilio.webhook import WebhookUrls

logger = logging.getLogger(__name__)

EVENTS: Final = ["initiated", "ringing", "answered", "completed"]
_MOST_PARALLEL: Final = 8
"""Maximum number of parallel requests during a resync. Twilio refuses too many at once."""
_PAGE: Final = 1000
"""Twilio refuses larger pages. Without this, the library requests a page as large as `limit`."""
_MOST_ROWS: Final = 5000
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

    async def make(self, request: ApiRequest) -> ApiResult:
        """Make a request, once. Never raises."""
        match request:
            case PlaceCall():
                return (await outcome_of(lambda: self._place_call(request)))[0]
            case RedirectCall():
                move = self._client.calls(request.sid).update_async
                return (await outcome_of(lambda: move(twiml=request.twiml)))[0]
            case EndCall():
                move = self._client.calls(request.sid).update_async
                return (await outcome_of(lambda: move(status="completed")))[0]
            case UpdateParticipant():
                return (await outcome_of(lambda: self._update_participant(request)))[0]

    async def _update_participant(self, request: UpdateParticipant) -> Any:
        """Change a participant.

        The API needs the conference's SID; if unknown, look it up by name.

        Raises:
            TwilioRestException: the conference or the participant is gone (`hangup_causes.GONE`),
                or Twilio refused.
        """
        sid = request.conference_sid
        if not sid:
            name = request.conference_name
            found = await self._client.conferences.list_async(
                friendly_name=name, status="in-progress", limit=1
            )
            if not found:
                raise TwilioRestException(404, name, "no such conference", code=20404)
            sid = found[0].sid
        wanted: dict[str, object] = {}
        if request.hold is not None:
            wanted["hold"] = request.hold
        if request.hold:
            wanted |= {"hold_url": self._urls.to("hold"), "hold_method": "POST"}
        if request.ends is not None:
            wanted["end_conference_on_exit"] = request.ends
        participants = self._client.conferences(sid).participants
        return await participants(request.sid).update_async(**wanted)

    async def _place_call(self, request: PlaceCall) -> Any:
        return await self._client.calls.create_async(
            to=request.to,
            from_=request.caller_id,
            url=self._urls.to("agent", request.token),
            method="POST",
            status_callback=self._urls.to("offer", request.token),
            status_callback_event=EVENTS,
            status_callback_method="POST",
            timeout=request.timeout,
            time_limit=LONGEST_TALK,
        )

    async def has_ended(self, sid: str) -> bool | None:
        """Whether a call has ended; None if Twilio does not say. Never raises.

        The API lags behind, so a call that it does not know may be a new one.
        """
        result, found = await outcome_of(self._client.calls(sid).fetch_async)
        if result.outcome is not ApiOutcome.DONE or not isinstance(found.status, str):
            return None
        return found.status in OVER

    async def calls_in_progress(self, *, ringing: bool = False) -> list[CallInProgress]:
        """All calls in progress with their queues and conferences.

        The lists are read one after the other and are not of one moment, so a call may be missing
        from its queue or conference because it has just moved.

        Args:
            ringing: whether phones that are still ringing are included.

        Raises:
            ApiUnavailable: the API could not be queried.
        """
        found: list[CallInProgress] = []
        result, _ = await outcome_of(lambda: self._read_calls(found, ringing=ringing))
        if result.outcome is not ApiOutcome.DONE:
            raise ApiUnavailable(result.detail)
        return found

    async def _read_calls(self, found: list[CallInProgress], *, ringing: bool) -> None:
        """Append all calls to `found`."""
        calls = await self._list_calls("in-progress")
        queues, conferences = await self._members_by_call()
        for status in ("queued", "ringing") if ringing else ():
            found += [
                replace(_call_in_progress(call), ringing=True)
                for call in await self._list_calls(status)
            ]
        for call in calls:
            queue, since = queues.get(call.sid, ("", None))
            conference, label = conferences.get(call.sid, ("", ""))
            found.append(
                replace(
                    _call_in_progress(call),
                    queue=queue.removeprefix(OUR_PREFIX),
                    queued_at=since.timestamp() if since else None,
                    conference=conference,
                    label=label,
                )
            )

    async def _list_calls(self, status: str) -> list[Any]:
        found: list[Any] = await self._client.calls.list_async(
            status=status, limit=_MOST_ROWS, page_size=_PAGE
        )
        return found

    async def _members_by_call(
        self,
    ) -> tuple[dict[str, tuple[str, datetime | None]], dict[str, tuple[str, str]]]:
        """The members of our queues and the participants of our conferences, by CallSid.

        Returns:
            The name of the queue and the time of entry, and the name of the conference and the
            participant's label.
        """
        client, gate = self._client, asyncio.Semaphore(_MOST_PARALLEL)
        queued: dict[str, tuple[str, datetime | None]] = {}
        joined: dict[str, tuple[str, str]] = {}

        async def read_queue(queue: Any) -> None:
            async with gate:
                members = await client.queues(queue.sid).members.list_async(page_size=_PAGE)
                queued.update(
                    {one.call_sid: (queue.friendly_name, one.date_enqueued) for one in members}
                )

        async def read_conference(conference: Any) -> None:
            async with gate:
                participants = await client.conferences(conference.sid).participants.list_async()
                joined.update(
                    {
                        one.call_sid: (conference.friendly_name, one.label or "")
                        for one in participants
                    }
                )

        queues = await client.queues.list_async(limit=_MOST_ROWS, page_size=_PAGE)
        conferences = await client.conferences.list_async(
            status="in-progress", limit=_MOST_ROWS, page_size=_PAGE
        )
        await asyncio.gather(
            *(read_queue(queue) for queue in queues if _is_ours(queue)),
            *(read_conference(conference) for conference in conferences if _is_ours(conference)),
        )
        return queued, joined


def _is_ours(named: Any) -> bool:
    """Whether a queue or conference is one of ours. The account may have others."""
    return (named.friendly_name or "").startswith(OUR_PREFIX)


def _call_in_progress(call: Any) -> CallInProgress:
    return CallInProgress(
        sid=call.sid,
        caller_number=call._from or "",
        called_number=call.to or "",
        started_at=call.start_time.timestamp() if call.start_time else None,
        parent=call.parent_call_sid or "",
    )


async def outcome_of(do: Callable[[], Awaitable[Any]]) -> tuple[ApiResult, Any]:
    """Make a request, once. Never raises.

    What matters is whether the request may have been carried out. Only a failure to connect proves
    that it was not. A timeout, a broken connection or an answer that cannot be read leave it open,
    and so does a fault of Twilio's (5xx).

    Returns:
        The outcome, and what Twilio's library returned; None if it raised.
    """
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
    result = ApiResult(
        outcome=ApiOutcome.DONE,
        sid=getattr(made, "sid", "") or "",
        queue_time=int(waits) / 1000.0 if waits and str(waits).isdigit() else 0.0,
    )
    return result, made


def _refused_list(error: TwilioException) -> ApiResult | None:
    """The refusal of a request for a list; None if the error was something else.

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
