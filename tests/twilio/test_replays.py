"""Requests that Twilio signed once, sent again: after the call, after a restart, and cut in other places."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web

from callrouter.model.ivr import PhoneEvent
from callrouter.pbx.twilio import account_state
from callrouter.pbx.twilio.webhooks import replays
from callrouter.pbx.twilio.webhooks.forms import WebhookRefused
from callrouter.pbx.twilio.webhooks.signature import check_fields
from tests.twilio.test_http import CALLER, Twilio, place, until
from tests.twilio.world import NUMBER

CODE: dict[str, Any] = {"To": "sip:*45@acme.sip.twilio.com", "From": "sip:ann@acme.sip.twilio.com"}


class Knows(Twilio):
    """Twilio that also answers what has become of one call."""

    def __init__(self, status: str) -> None:
        super().__init__()
        self.status = status
        self.asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        if request.method == "GET" and request.path.endswith(f"/Calls/{CALLER}.json"):
            self.asked += 1
            return web.json_response({"sid": CALLER, "status": self.status})
        return await super().answer(request)


def knowing(monkeypatch: pytest.MonkeyPatch, status: str) -> Knows:
    made = Knows(status)
    monkeypatch.setattr(replays, "_HOLD_FOR", 10.0)  # a slow machine answers late
    monkeypatch.setattr("tests.twilio.test_http.Twilio", lambda: made)
    return made


@pytest.mark.parametrize("status", ["completed", "busy", "no-answer", "failed", "canceled"])
@pytest.mark.parametrize("part", ["voice", "wait", "dial-done"])
async def test_a_call_that_is_over_makes_no_caller(
    monkeypatch: pytest.MonkeyPatch, part: str, status: str
) -> None:
    twilio = knowing(monkeypatch, status)
    async with place(resync_every=3600.0) as at:
        await until(lambda: at.pbx.health().up)
        for _ in range(3):
            code, document = await at.post(part, From="+33123456789", To=NUMBER)
            assert (code, "<Enqueue" in document) == (200, False)
        assert at.runtime.router.floor.calls == {}
        assert at.pbx.health().counts["replayed"] == 1
    assert twilio.asked == 1, "Twilio is asked once"


async def test_a_code_that_is_sent_again_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    knowing(monkeypatch, "completed")
    async with place(resync_every=3600.0) as at:
        await until(lambda: at.pbx.health().up)
        heard: list[PhoneEvent] = []
        at.pbx.report_phone_events(heard.append)
        status, document = await at.post("code", **CODE)
        assert (status, "<Gather" in document) == (200, False)
        assert heard == []


async def test_a_live_call_is_asked_about_once_and_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    twilio = knowing(monkeypatch, "in-progress")
    async with place(resync_every=3600.0) as at:
        await until(lambda: at.pbx.health().up)
        for part in ("voice", "wait", "wait", "voice"):
            await at.post(part, From="+33123456789", To=NUMBER)
        assert len(at.runtime.router.floor.calls) == 1
    assert twilio.asked == 1


async def test_a_late_answer_takes_a_ghost_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    twilio = knowing(monkeypatch, "completed")
    monkeypatch.setattr(replays, "_HOLD_FOR", 0.3)  # far below the time that a request may take
    go_on = asyncio.Event()
    answer = twilio.answer

    async def slow(request: web.Request) -> web.Response:
        if request.path.endswith(f"/Calls/{CALLER}.json"):
            await go_on.wait()
        return await answer(request)

    monkeypatch.setattr(twilio, "answer", slow)
    async with place(resync_every=3600.0) as at:
        await until(lambda: at.pbx.health().up)
        _, document = await at.post("voice", From="+33123456789", To=NUMBER)
        assert "<Enqueue" in document, "a caller does not wait for it"
        assert len(at.runtime.router.floor.calls) == 1
        go_on.set()
        await until(lambda: at.runtime.router.floor.calls == {})
        _, document = await at.post("voice", From="+33123456789", To=NUMBER)
        assert "<Enqueue" not in document


async def test_what_was_over_is_known_after_a_restart() -> None:
    kept: list[tuple[str, float]] = []
    async with place() as at:
        at.pbx.remember(lambda sid, when: kept.append((sid, when)))
        await at.post("voice", From="+33123456789", To=NUMBER)
        await at.post("caller-status", CallStatus="completed")
        await at.post("caller-status", CallStatus="completed")
    assert [sid for sid, _ in kept] == [CALLER]
    async with place() as at:
        at.pbx.recall(kept)
        for part in ("voice", "wait"):
            _, document = await at.post(part, From="+33123456789", To=NUMBER)
            assert "<Enqueue" not in document
        assert at.runtime.router.floor.calls == {}
        assert at.pbx.health().counts["stale"] == 2


async def test_what_is_over_is_remembered_by_age(monkeypatch: pytest.MonkeyPatch) -> None:
    async with place() as at:
        books = at.pbx.control.account
        start = books.now
        for n in range(30):
            books.set_time(start + n * 3600.0)
            books.mark_ended(f"CA{n:032x}")
        assert len(books.ended_calls) == 30, "no number of later calls pushes one out"
        books.set_time(start + account_state.ENDED_KEPT_FOR + 3600.0)
        books.mark_ended(CALLER)
        assert len(books.ended_calls) == 30
        assert f"CA{0:032x}" not in books.ended_calls
        monkeypatch.setattr(account_state, "_MOST_ENDED", 5)
        books.mark_ended("CA" + "9" * 32)
        assert len(books.ended_calls) == 5


BASE = {"AccountSid": "AC" + "a" * 32, "CallSid": CALLER, "Direction": "inbound"}


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("voice", {**BASE, "CallStatusringingCalled": "+442079460000"}),
        ("voice", {**BASE, "C": "allStatusringing"}),
        ("voice", {**BASE, "CallStatus+": "ringing"}),
        ("voice", {**BASE, "ApiVersion": "2010-04-01CallStatuscompleted"}),
        ("voice", {**BASE, "CallStatus": "ringing", "CallerZipFrom": "+33123456789"}),
        ("voice", {**BASE, "CallerName": "AnnFrom+33123456789"}),
        ("accept", {**BASE, "CallStatus": "in-progress", "CallerState": "LondonDigits1"}),
        ("accept", {**BASE, "CallStatus": "in-progress", "CallerStateDigits": "1"}),
        ("accept", {**BASE, "CallStatus": "in-progress", "CallerStateDigits": ""}),
        ("keyed", {**BASE, "Digit": "s123"}),
        ("left", {**BASE, "QueuePosition": "1QueueResulthangup"}),
        ("offer", {**BASE, "CallStatus": "failed", "Reason": "xSipResponseCode486"}),
        ("dial-done", {**BASE, "DialBridged": "falseDialCallStatuscompleted"}),
        ("conference", {"ConferenceSid": "CF1Sequence", "FriendlyNamecallrouter": "-x"}),
        ("voice", {"ParentCallSidx": "CA" + "1" * 32, "x": "CallSidCA" + "1" * 32}),
        ("voice", {**BASE, "": "x"}),
        ("voice", {**BASE, "a b": "x"}),
        ("voice", {**BASE, "From\n": "x"}),
        ("voice", {**BASE, "N" * 42: "x"}),
        ("voice", {**BASE, "To": "+4" * 500}),
    ],
)
def test_fields_that_hide_others_are_refused(part: str, fields: dict[str, str]) -> None:
    with pytest.raises(WebhookRefused) as caught:
        check_fields(part, fields)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("voice", {**BASE, "CallStatus": "ringing", "From": "+33123456789", "To": NUMBER}),
        ("voice", {**BASE, "CallerName": "Digits", "StirVerstat": "TN-Validation-Passed-A"}),
        ("voice", {**BASE, "CallerName": "Digits Ltd, To Go From CallStatus"}),
        ("voice", {**BASE, "SipHeader_X-Account.Number": "12 From here", "ForwardedFrom": "+331"}),
        ("voice", {**BASE, "SomethingNew": "that Twilio adds without notice", "Version2": "x"}),
        ("accept", {**BASE, "Digits": "", "FinishedOnKey": "#", "msg": "Gather End"}),
        ("accept", {**BASE, "CallStatus": "in-progress", "SpeechResult": "one"}),
        ("offer", {**BASE, "ParentCallSid": CALLER, "CallbackSource": "call-progress-events"}),
        ("dial-done", {**BASE, "DialCallStatus": "completed", "DialCallSid": CALLER}),
        ("conference", {"FriendlyName": "x", "CallSidEndingConference": CALLER}),
    ],
)
def test_fields_as_twilio_sends_them_are_taken(part: str, fields: dict[str, str]) -> None:
    check_fields(part, fields)


async def test_another_cut_of_the_signed_text_changes_nothing() -> None:
    """The signature is the same, and Twilio's; the fields are not."""
    async with place(resync_every=3600.0) as at:
        said: dict[str, Any] = {"From": "+33123456789", "To": NUMBER, "CallStatus": "ringing"}
        cut: dict[str, Any] = {
            "CallSid": CALLER + "CallStatus" + "ringing",
            "From": "+33123456789",
            "To": NUMBER,
        }
        status, _ = await at.post("voice", **cut)
        assert status == 400
        cut = {"CallStatus": "ringingFrom+33123456789", "To": NUMBER}
        status, _ = await at.post("voice", **cut)
        assert status == 400
        assert at.runtime.router.floor.calls == {}
        status, _ = await at.post("voice", **said)
        assert status == 200


@pytest.mark.parametrize(
    "value",
    ["SipDomain" * 6000, "SipDomaina" * 6000, "From+" * 9000, "Digits" * 9000, "CallSidCA0" * 6000],
)
def test_looking_for_hidden_fields_takes_little_time(value: str) -> None:
    began = time.process_time()
    with suppress(WebhookRefused):
        check_fields("accept", {"AddOns": value})
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("name", ["Called", "Caller", "CallerName", "From", "FriendlyName", "To"])
def test_a_value_that_is_too_long_is_refused(name: str) -> None:
    check_fields("status", {name: "1" * 512})
    with pytest.raises(WebhookRefused, match="too long"):
        check_fields("status", {name: "1" * 513})
