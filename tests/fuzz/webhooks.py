"""Twilio's webhooks over HTTP: forged, odd, huge and repeated ones, and odd ones with a right signature.

An input is requests, each ended by 0x1e: a line of ``HOW PATH`` (how it is signed: ``s`` as Twilio does,
``f`` with another token, ``u`` not at all, ``j`` as Twilio signs JSON), then the body. ``$TOKEN`` stands
for that of the leg which was placed last, ``$ROOM`` for the conference of the caller.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, quote
from xml.etree import ElementTree as ET

from multidict import MultiDict
from twilio.request_validator import RequestValidator
from yarl import URL

from callrouter.core.invariants import check
from callrouter.model.events import SignedIn
from tests.fuzz.quiet import quiet
from tests.twilio.known import faults
from tests.twilio.peer import ACCOUNT
from tests.twilio.test_http import AGENT, CALLER, PUBLIC, Place, place, until
from tests.twilio.world import NUMBER, PBX

_ANSWERS = frozenset({200, 400, 401, 403, 404, 405, 408, 413, 415})
_LONGEST = 8_000
"""Characters of a document: however much comes in."""


async def _take(data: bytes) -> None:
    async with place(resync_every=3600.0) as at:
        await until(lambda: at.pbx.health().up)
        at.runtime.post(SignedIn(agent="ann"))
        for request in filter(None, data.split(b"\x1e")[:40]):
            await _ask(at, request)
            assert check(at.runtime.router.floor) == []
        assert at.runtime.faults == 0
        # Nothing is dialled but whom the configuration names.
        assert {form.get("To") for form in at.twilio.posts("Calls.json")} <= {"+447700900001"}


async def _ask(at: Place, request: bytes) -> None:
    head, _, body = request.partition(b"\n")
    placed = at.twilio.posts("Calls.json")
    token = re.sub(r".*o=", "", placed[-1]["Url"]) if placed else "none"
    callers = list(at.pbx.control.account.callers.values())
    room = callers[-1].conference_name if callers else "none"
    body = body.replace(b"$ROOM", quote(room).encode())
    way = head[2:].replace(b"$TOKEN", token.encode()).decode("latin-1")
    path = f"/twilio/{PBX}/" + quote(way, safe="?=&%-._~")
    answered = at.pbx.control.handlers.answer
    reached: list[str] = []

    def answer(part: str, *rest: Any) -> str:
        reached.append(part)
        return answered(part, *rest)

    how = head[:1].decode("latin-1")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if how == "j":
        headers["Content-Type"] = "application/json"
        path += f"{'&' if '?' in path else '?'}bodySHA256={hashlib.sha256(body).hexdigest()}"
    if how != "u":
        headers["X-Twilio-Signature"] = _signature(path, body, how)
    url = at._server.make_url("/").join(URL(path, encoded=True))
    with patch.object(at.pbx.control.handlers, "answer", answer):
        async with at.session.post(url, data=body, headers=headers) as response:
            status, document = response.status, await response.text()
    assert status in _ANSWERS, (status, document)
    assert len(document) < _LONGEST
    if response.content_type == "text/xml":
        ET.fromstring(document)
        assert faults(document) == []
    if how in "uf":
        assert status != 200
        assert reached == [], "who is not Twilio changes nothing"


def _signature(path: str, body: bytes, how: str) -> str:
    """What Twilio would put there; of what is no text, anything."""
    validator = RequestValidator("t0p" if how != "f" else "another")
    if how == "j":
        return str(validator.compute_signature(PUBLIC + path, {}))
    try:
        fields = MultiDict(parse_qsl(body.rstrip().decode(), keep_blank_values=True))
        return str(validator.compute_signature(PUBLIC + path, fields))
    except (ValueError, UnicodeError):
        return "AAAA"


@asynccontextmanager
async def opened() -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
    """Nothing is kept between two inputs."""

    async def knock(data: bytes) -> None:
        with quiet(logging.ERROR, secrets=("t0p", "33123456789")):
            await _take(data)

    yield knock


def _request(how: str, path: str, **fields: str) -> bytes:
    form = {"AccountSid": ACCOUNT, "CallSid": CALLER, **fields}
    body = "&".join(f"{key}={quote(value, safe='$')}" for key, value in form.items())
    return f"{how} {path}\n{body}\x1e".encode()


_VOICE = _request(
    "s", "voice", From="+33123456789", To=NUMBER, CallerName="Bob", CallStatus="ringing"
)
SEEDS = [
    _VOICE,
    _request("s", "wait", QueueTime="3", From="+33123456789", To=NUMBER, QueuePosition="1"),
    _request("s", "left", QueueResult="hangup", CallStatus="completed"),
    _request("s", "left", QueueResult="redirected-from-bridged"),
    _VOICE + _request("s", "offer?o=$TOKEN", CallSid=AGENT, CallStatus="ringing"),
    _request("s", "agent?o=$TOKEN", CallSid=AGENT, CallStatus="in-progress"),
    _VOICE + _request("s", "accept?o=$TOKEN", CallSid=AGENT, Digits="1"),
    _request("s", "accept?o=$TOKEN", CallSid=AGENT, Digits="2"),
    _request("s", "offer?o=$TOKEN", CallSid=AGENT, CallStatus="failed", SipResponseCode="486"),
    _request("s", "agent-done?o=$TOKEN", CallSid=AGENT, CallStatus="in-progress"),
    _request("s", "caller-done", CallStatus="in-progress"),
    _request("s", "caller-status", CallStatus="completed"),
    _request("s", "conference", FriendlyName="$ROOM", StatusCallbackEvent="conference-start"),
    _request(
        "s",
        "conference",
        FriendlyName="$ROOM",
        StatusCallbackEvent="conference-end",
        CallSidEndingConference=CALLER,
    ),
    _VOICE + _request("s", "caller-status", CallStatus="completed") + _VOICE,
    _request("s", "voice", CallStatusringingFrom="+33123456789", To=NUMBER),
    _request("s", "accept?o=$TOKEN", CallSid=AGENT, CallerStateDigits="1"),
    _request("s", "code", To="sip:*45@acme.sip.twilio.com", SipUsername="ann"),
    _request("f", "voice", From="+33123456789", To=NUMBER),
    _request("u", "accept?o=$TOKEN", CallSid=AGENT, Digits="1"),
    b'j voice\n{"CallSid": "CA1", "To": "+442079460000"}\x1e',
]
