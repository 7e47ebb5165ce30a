"""The check of requests catches what it is there for; and every kind of request passes it.

Each request of each story goes through it as well: `Peer.take`, and the servers of the tests over HTTP.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from callrouter.pbx.twilio.rest.api_requests import (
    ApiRequest,
    EndCall,
    PlaceCall,
    RedirectCall,
    UpdateParticipant,
)
from tests.twilio import openapi, wire

needed = pytest.mark.skipif(not openapi.there(), reason=openapi.missing())

ACCOUNT = "AC" + "a" * 32
CALL = "CA" + "c" * 32
CALLS = f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
ONE = f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{CALL}.json"
PLACE = [
    ("To", "+447700900123"),
    ("From", "+442079460000"),
    ("Url", "https://calls.example.com/twilio/cloud/agent?o=tok"),
    ("StatusCallbackEvent", "initiated"),
    ("StatusCallbackEvent", "ringing"),
    ("Timeout", "15"),
]
Pairs = list[tuple[str, str]]


def without(name: str, pairs: Pairs = PLACE) -> Pairs:
    return [pair for pair in pairs if pair[0] != name]


@needed
def test_a_request_as_it_should_be() -> None:
    assert openapi.faults("POST", CALLS, PLACE) == []
    assert openapi.faults("POST", ONE, [("Status", "completed")]) == []
    assert openapi.faults("GET", f"{CALLS}?Status=in-progress&PageSize=1000", []) == []


@needed
@pytest.mark.parametrize(
    ("method", "path", "fields", "says"),
    [
        ("POST", CALLS, without("To"), "'To' is a required property"),
        ("POST", CALLS, [*without("Timeout"), ("Timeout", "soon")], "soon"),
        ("POST", CALLS.replace("AC", "BC"), PLACE, "AccountSid"),
        ("POST", CALLS.replace("Calls", "Cals"), PLACE, "there is no such thing"),
        ("DELETE", CALLS, [], "there is no such thing"),
        ("POST", ONE, [("Status", "complete")], "'complete' is not one of"),
        ("GET", f"{CALLS}?Status=on", [], "'on' is not one of"),
        ("GET", f"{CALLS}?PageSize=1001", [], "1001"),
        # What the validator lets through.
        ("POST", CALLS, [*PLACE, ("Timout", "15")], "Timout is no field"),
        ("GET", f"{CALLS}?Stats=busy", [], "Stats is no field"),
        ("POST", CALLS, [*without("To"), ("To", "")], "To is empty"),
        ("POST", CALLS, [*PLACE, ("Timeout", "20")], "Timeout is there twice"),
        ("POST", CALLS, [*PLACE, ("StatusCallbackEvent", "ringing")], "there twice"),
        (
            "POST",
            CALLS,
            [*without("StatusCallbackEvent"), ("StatusCallbackEvent", "initiated answered")],
            "is no event",
        ),
        ("POST", ONE, [("Twiml", "<Response><Dial url='x'/></Response>")], "<Dial url>"),
        ("POST", ONE, [("Twiml", f"<Response><Say>{'a' * 4000}</Say></Response>")], "too long"),
    ],
)
def test_what_is_wrong_is_said(method: str, path: str, fields: Pairs, says: str) -> None:
    found = openapi.faults(method, path, fields)
    assert len(found) >= 1
    assert says in " ".join(found)


ASKS: list[ApiRequest] = [
    PlaceCall(token="t", to="+447700900123", caller_id="+442079460000", timeout=15),
    PlaceCall(token="t", to="sip:ann@acme.sip.twilio.com", caller_id="+442079460000", timeout=5),
    PlaceCall(token="t", to="client:ann", caller_id="+442079460000", timeout=600),
    RedirectCall(sid=CALL, twiml="<Response><Hangup/></Response>"),
    EndCall(sid=CALL),
    UpdateParticipant(conference_name="callrouter-x", conference_sid="", sid=CALL, hold=True),
    UpdateParticipant(
        conference_name="callrouter-x", conference_sid="CF" + "c" * 32, sid=CALL, ends=False
    ),
]


def test_each_kind_is_among_them() -> None:
    assert {type(ask) for ask in ASKS} == set(get_args(ApiRequest))


@needed
@pytest.mark.parametrize("ask", ASKS)
def test_every_kind_of_request_is_one_of_the_documents(ask: ApiRequest) -> None:
    wire.check(ask)


@needed
@pytest.mark.parametrize(
    "ask",
    [
        PlaceCall(token="t", to="", caller_id="+442079460000", timeout=15),
        RedirectCall(sid="CA1", twiml="<Response/>"),
        RedirectCall(sid=CALL, twiml="<Response><Record/><Conference/></Response>"),
    ],
)
def test_an_order_that_is_no_request_is_caught_in_any_story(ask: ApiRequest) -> None:
    with pytest.raises(AssertionError):
        wire.check(ask)


@needed
def test_an_answer_is_held_against_the_document_too() -> None:
    status, body = openapi.example("POST", CALLS)
    assert (status, body["status"]) == (201, "completed")
    assert openapi.answer_faults("POST", CALLS, PLACE, status, body) == []
    assert openapi.answer_faults("POST", CALLS, PLACE, status, {**body, "sid": "CA1"}) != []


# ---------------------------------------------------------------- having it


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has no document yet, and no program but what the test puts there."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(programs))
    return programs


def npm(programs: Path, does: str) -> None:
    file = programs / "npm"
    file.write_text(f"#!/bin/sh\n{does}\n")
    file.chmod(0o755)


def test_without_npm_it_is_said_what_is_skipped(elsewhere: Path) -> None:
    assert openapi.fetch().startswith("SKIPPED: there is no npm on this machine")
    assert "python -m tests.twilio.openapi" in openapi.missing()


def test_an_npm_that_cannot_is_no_reason_to_go_on(elsewhere: Path) -> None:
    npm(elsewhere, "echo no network >&2; exit 1")
    with pytest.raises(SystemExit, match=r"npm cannot fetch .*: no network"):
        openapi.fetch()


def test_another_package_than_was_pinned_is_not_taken(elsewhere: Path) -> None:
    npm(elsewhere, 'for place; do :; done; echo other > "$place/x.tgz"')
    with pytest.raises(SystemExit, match="not what was pinned"):
        openapi.fetch()
    assert openapi.missing()


def test_a_document_that_was_changed_is_not_used(elsewhere: Path) -> None:
    openapi.folder().mkdir(parents=True)
    for name in openapi.FILES:
        (openapi.folder() / name).write_text("{}")
    assert "is not what it should be" in openapi.missing()
