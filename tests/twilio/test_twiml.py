"""The documents: only what Twilio's library knows, only what fits its context, nothing but data as text."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.model.commands import Announce
from callrouter.pbx.twilio import twiml
from callrouter.pbx.twilio.webhook import PARTS, WebhookUrls
from tests.twilio.known import TABLE, faults

LINKS = WebhookUrls("https://calls.example.com/", "cloud")
NEWS = Announce(pbx="cloud", call="c", position=3, minutes=1)
DOCUMENTS = {
    "wait": twiml.wait_in_queue(LINKS, "support.7", "support.7.1800000000"),
    "music": twiml.music("https://example.com/m.mp3"),
    "silence": twiml.music(""),
    "news": twiml.music("https://example.com/m.mp3", NEWS),
    "out": twiml.leave_queue(),
    "ask": twiml.ask_for_key_1(LINKS, "tok", "Support"),
    "agent": twiml.join_conference(LINKS, "callrouter-x", "alice|desk", "tok"),
    "colleague": twiml.join_conference(LINKS, "callrouter-x", "bob|desk", "tok", ends=False),
    "hold": twiml.on_hold(LINKS, "https://example.com/m.mp3"),
    "quiet hold": twiml.on_hold(LINKS, ""),
    "caller": twiml.join_conference(LINKS, "callrouter-x"),
    "elsewhere": twiml.dial_number("+442079460000", "+442079460001"),
    "bye": twiml.goodbye("Bye."),
    "end": twiml.goodbye(),
    "nothing": twiml.nothing(),
}


def test_the_table_catches_what_the_library_lets_through() -> None:
    assert len(TABLE) > 50
    assert faults("<Response><Dial url='x'><Say>a</Say></Dial></Response>") == [
        "<Dial url>",
        "<Say> in <Dial>",
    ]
    assert faults("<Response><Gather><Dial/></Gather></Response>") == ["<Dial> in <Gather>"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_use_only_what_the_library_knows(name: str) -> None:
    assert faults(DOCUMENTS[name]) == []


@pytest.mark.parametrize("name", ["music", "silence", "news", "out", "hold", "quiet hold"])
def test_a_waiting_caller_gets_only_what_a_wait_document_may_have(name: str) -> None:
    allowed = {"Play", "Say", "Pause", "Hangup", "Redirect", "Leave", "Gather"}
    assert {node.tag for node in ET.fromstring(DOCUMENTS[name])} <= allowed


@pytest.mark.parametrize("name", DOCUMENTS)
def test_urls_are_absolute_and_documents_short_enough_to_be_sent(name: str) -> None:
    assert len(DOCUMENTS[name]) < 4000
    for node in ET.fromstring(DOCUMENTS[name]).iter():
        for key, value in node.attrib.items():
            if key in {"action", "waitUrl", "statusCallback"} and value:
                assert value.startswith("https://calls.example.com/twilio/cloud/")
                assert value.split("?")[0].rsplit("/", 1)[1] in PARTS


def test_who_leaves_ends_the_talk_and_the_answer_needs_key_1() -> None:
    for name in ("agent", "caller"):
        room = ET.fromstring(DOCUMENTS[name]).find("Dial/Conference")
        assert room is not None
        assert room.get("endConferenceOnExit") == room.get("startConferenceOnEnter") == "true"
        assert room.get("jitterBufferSize") == "small"
    room = ET.fromstring(DOCUMENTS["colleague"]).find("Dial/Conference")
    assert room is not None
    assert room.get("endConferenceOnExit") == "false"
    ask = ET.fromstring(DOCUMENTS["ask"])
    assert [node.tag for node in ask] == ["Gather", "Hangup"]
    assert ask[0].get("numDigits") == "1"
    assert ask[0].get("actionOnEmptyResult") == "true"


@pytest.mark.parametrize(
    ("position", "minutes", "said"),
    [
        (1, 0, "You are next."),
        (4, 0, "You are number 4 in line."),
        (0, 1, "It will take about one minute."),
        (12, 7, "You are number 12 in line. It will take about 7 minutes."),
    ],
)
def test_announcements_in_words(position: int, minutes: int, said: str) -> None:
    news = Announce(pbx="cloud", call="c", position=position, minutes=minutes)
    assert twiml.announcement_text(news) == said


# What XML can carry at all; Twilio's names come from people.
_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="￾￿"))


@given(_NAMES)
def test_a_name_is_text_and_never_a_verb(name: str) -> None:
    document = ET.fromstring(twiml.ask_for_key_1(LINKS, "tok", name))
    said = document.find("Gather/Say")
    assert said is not None
    assert said.text == f"Call for {name}. Press 1 to take it, or 2 to decline."
    assert len(document[0]) == 1
    assert faults(twiml.join_conference(LINKS, "callrouter-x", name, "tok")) == []
