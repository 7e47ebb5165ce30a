"""The driver's gates: what may reach a dial string, a list of sounds, or the router."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from callrouter.model.events import LegEnd
from callrouter.model.ivr import (
    CallNumber,
    Code,
    CodeDialled,
    DigitsKeyed,
    NumberFailed,
    PersonLeft,
    PhoneEvent,
    Say,
)
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.ami.wire import guard
from callrouter.pbx.asterisk.dialogues import MAX_STRANGERS, AsteriskDialogues, language
from callrouter.pbx.asterisk.execution.action_writer import ActionWriter
from tests.feature_codes.channels import Channels


class Sent:
    """Takes note of what would be written, after the guard that everything passes."""

    def __init__(self) -> None:
        self.actions: list[Mapping[str, Any]] = []
        self.complaints: list[str] = []
        self.channels = Channels()

    def send(self, *actions: Mapping[str, Any]) -> None:
        self.actions += [guard(action) for action in actions]

    def write(self, steps: Sequence[tuple[Mapping[str, Any], Any]]) -> None:
        self.send(*self.channels.answer(steps))

    def complain(self, text: str, hint: str = "") -> None:
        self.complaints.append(text)


class Desk:
    def __init__(self, dial_number: str = "PJSIP/{number}@carrier", own: str = "") -> None:
        self.sent, self.heard = Sent(), list[PhoneEvent]()
        writer = cast("ActionWriter", self.sent)
        self.people = AsteriskDialogues(
            "office", writer, dial_number, "", is_own=lambda name: name == own
        )
        self.people.listen(self.heard.append)

    def event(self, name: str, **headers: str) -> None:
        lines = (f"{key}: {value}" for key, value in {"Event": name, **headers}.items())
        message = AmiMessage("\r\n".join(lines).encode())
        self.sent.channels.sends(message)
        self.people.handle(message)

    def dial(self, uid: str = "1.1", code: str = "*45", **headers: str) -> None:
        given = {"Channel": "PJSIP/1001-0000002a", "Number": "1001", **headers}
        self.event("UserEvent", UserEvent="CallrouterCode", Uniqueid=uid, Code=code, **given)

    def said(self) -> dict[str, str]:
        return {a["Variable"]: a["Value"] for a in self.sent.actions if a["Action"] == "Setvar"}


def test_who_dials_is_told_by_the_channel_alone() -> None:
    desk = Desk()
    desk.dial(Number="+44;Code: *46")
    assert desk.heard == [
        CodeDialled(
            pbx="office",
            channel="1.1",
            code=Code.SIGN_IN_OUT,
            endpoint="PJSIP/1001",
            caller_number="+4446",
        )
    ]


@pytest.mark.parametrize("code", ["", "*44", "45", "*455", "*4 5", "${X}"])
def test_other_codes_are_none(code: str) -> None:
    desk = Desk()
    desk.dial(code=code)
    assert desk.heard == []


def test_an_event_of_a_channel_that_stands_elsewhere_does_nothing() -> None:
    desk = Desk()
    desk.sent.channels.context = "from-trunk"
    desk.dial()
    assert desk.heard == []
    desk.sent.channels.context = "callrouter-person"
    desk.dial()
    desk.sent.channels.context = "from-trunk"
    desk.event("UserEvent", UserEvent="CallrouterKeyed", Uniqueid="1.1", Digits="1")
    assert len(desk.heard) == 1


def test_an_event_of_which_the_channel_knows_nothing_does_nothing() -> None:
    desk = Desk()
    lines = "UserEvent: CallrouterCode\r\nUniqueid: 1.1\r\nChannel: PJSIP/1001-1\r\nCode: *45"
    desk.people.handle(AmiMessage(f"Event: UserEvent\r\n{lines}".encode()))
    assert desk.heard == []


def test_digits_are_digits_and_of_people_we_know() -> None:
    desk = Desk()
    desk.event("UserEvent", UserEvent="CallrouterKeyed", Uniqueid="1.1", Digits="1")
    assert desk.heard == []
    desk.dial()
    desk.event("UserEvent", UserEvent="CallrouterKeyed", Uniqueid="1.1", Digits="1a&'2#" + "9" * 99)
    assert desk.heard[1] == DigitsKeyed(pbx="office", channel="1.1", digits="12#" + "9" * 37)


@pytest.mark.parametrize(
    "name", ["../etc", "a&b", "a,b", "${X}", "a|b", "", "/x", "x/", "A", "a\r\nB", "é"]
)
def test_only_names_of_sounds_are_played(name: str) -> None:
    desk = Desk()
    desk.dial()
    desk.people.say(Say(pbx="office", channel="1.1", sounds=("beep", name, "digits/1"), read=4))
    assert desk.said()["CALLROUTER_SAY"] == "beep&digits/1"
    assert desk.sent.complaints


def test_a_very_long_list_of_sounds_is_cut_between_two() -> None:
    desk = Desk()
    desk.dial()
    desk.people.say(Say(pbx="office", channel="1.1", sounds=("vm-password",) * 200))
    said = desk.said()["CALLROUTER_SAY"]
    assert 850 < len(said) <= 900
    assert set(said.split("&")) == {"vm-password"}


def test_nothing_is_said_to_a_channel_that_is_gone() -> None:
    desk = Desk()
    desk.dial()
    desk.event("Hangup", Uniqueid="1.1", Cause="16")
    desk.people.say(Say(pbx="office", channel="1.1", sounds=("beep",)))
    desk.people.say(Say(pbx="office", channel="some-caller", sounds=("beep",)))
    assert desk.heard[1:] == [PersonLeft(pbx="office", channel="1.1")]
    assert desk.sent.actions == []


def test_a_flood_of_people_is_bounded() -> None:
    desk = Desk()
    for n in range(MAX_STRANGERS + 50):
        desk.dial(uid=f"1.{n}")
    assert len(desk.heard) == MAX_STRANGERS


def test_strangers_leave_agents_phones_their_share() -> None:
    desk = Desk(own="PJSIP/1001")
    for n in range(MAX_STRANGERS + 50):
        desk.dial(uid=f"1.{n}", Channel=f"PJSIP/trunk-{n:08x}")
    assert len(desk.heard) == MAX_STRANGERS
    desk.dial(uid="2.1")
    assert len(desk.heard) == MAX_STRANGERS + 1


def test_a_conversation_is_ended_after_two_minutes() -> None:
    desk = Desk()
    desk.dial(uid="1.1")
    for _ in range(60):
        desk.people.advance(1.0)
    desk.dial(uid="1.2")
    for _ in range(59):
        desk.people.advance(1.0)
    assert len(desk.heard) == 2
    desk.people.advance(1.0)
    assert desk.heard[2:] == [PersonLeft(pbx="office", channel="1.1")]
    assert desk.sent.actions == [{"Action": "Hangup", "Channel": "1.1", "Cause": "16"}]
    for _ in range(60):
        desk.people.advance(1.0)
    assert desk.heard[3:] == [PersonLeft(pbx="office", channel="1.2")]


def test_who_is_on_no_channel_that_asterisk_has_has_left() -> None:
    desk = Desk()
    desk.dial(uid="1.1")
    desk.dial(uid="1.2")
    desk.people.compare({"1.2", "7.7"})
    assert desk.heard[2:] == [PersonLeft(pbx="office", channel="1.1")]
    assert desk.people.channels() == {"1.2"}


@pytest.mark.parametrize(
    "number",
    [
        "447700900123",
        "+44&PJSIP/1001",
        "+44@evil",
        "+4477${X}",
        "+44 7700",
        "+",
        "",
        "+044",
        "+44;x",
    ],
)
async def test_nothing_but_digits_is_dialled(number: str) -> None:
    desk = Desk()
    desk.people.call_number(CallNumber(pbx="office", ref="verify-1", number=number))
    await asyncio.sleep(0)
    assert desk.sent.actions == []
    assert desk.heard == [NumberFailed(pbx="office", ref="verify-1", why=LegEnd.FAILED)]


async def test_without_dial_number_nothing_is_dialled() -> None:
    desk = Desk(dial_number="")
    desk.people.call_number(CallNumber(pbx="office", ref="verify-1", number="+447700900123"))
    await asyncio.sleep(0)
    assert desk.sent.actions == []


async def test_a_lost_link_ends_everything_once() -> None:
    desk = Desk()
    desk.dial()
    desk.people.call_number(CallNumber(pbx="office", ref="verify-1", number="+447700900123"))
    [call] = desk.sent.actions
    assert call["Channel"] == "PJSIP/447700900123@carrier"
    desk.people.link_lost()
    ended = [
        PersonLeft(pbx="office", channel="1.1"),
        NumberFailed(pbx="office", ref="verify-1", why=LegEnd.FAILED),
    ]
    assert desk.heard[1:] == ended
    # Its end, and somebody picking it up after all, change nothing: the latter is hung up.
    desk.event("UserEvent", UserEvent="CallrouterNumber", Uniqueid="crn-verify-1")
    assert desk.sent.actions[-1]["Action"] == "Hangup"
    desk.event("Hangup", Uniqueid="crn-verify-1", Cause="16")
    desk.event("OriginateResponse", ActionID="crn-verify-1", Response="Failure")
    assert desk.heard[1:] == ended


async def test_a_number_that_is_not_there_fails_once() -> None:
    desk = Desk()
    desk.people.call_number(CallNumber(pbx="office", ref="verify-1", number="+447700900123"))
    desk.event("Hangup", Uniqueid="crn-verify-1", Cause="17", TechCause="486")
    desk.event("OriginateResponse", ActionID="crn-verify-1", Response="Failure", Reason="5")
    await asyncio.sleep(0)
    assert desk.heard == [NumberFailed(pbx="office", ref="verify-1", why=LegEnd.BUSY)]


@pytest.mark.parametrize(
    ("text", "is_"), [("en", "en"), ("de_AT", "de_AT"), ("../x", ""), ("en&x", ""), ("e", "")]
)
def test_languages_are_names_of_folders(text: str, is_: str) -> None:
    assert language(text) == is_
