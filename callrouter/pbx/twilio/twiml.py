"""The documents that Twilio is given to run. All are made with the library's classes, which escape.

The library takes any attribute under any name, so `tests/twilio/test_twiml.py` holds each document
against the elements and attributes that the library itself knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from twilio.twiml.voice_response import Dial, Enqueue, Gather, VoiceResponse

from callrouter.model.commands import Announce
from callrouter.pbx.twilio.links import Links

_made_once = lru_cache(maxsize=256)
"""For documents that are asked for again and again: to make one takes a fifth of a webhook's time."""

OURS = "callrouter-"
"""What the names of our queues and conferences begin with: the account may have others."""

ASK_FOR = 8
"""Seconds for which a phone waits for key 1 after the question, before it is asked again."""

LONGEST_TALK = 4 * 3600
"""Seconds after which Twilio ends a leg in any case, so that one that is forgotten costs no fortune."""

HOLD_THE_LINE = "Please hold the line. You will be connected to the next free agent."
TAKEN = "This call has been taken by another agent. Thank you."
GONE = "The caller has hung up. Thank you."
NOT_NOW = "We cannot take your call at the moment. Please try again later."
WHICH_CODE = "Key in the code, such as star 4 5."
NO_SUCH_CODE = "There is no such code. Goodbye."
NOT_NOW_HERE = "That is not possible at the moment. Please try again later."
NOTHING_HERE = "There is no call for you here. Goodbye."
_ONE_MOMENT = 15
_QUIET = 20
"""Seconds of silence after `HOLD_THE_LINE`. Each new turn shows that the caller is still there."""


def wait_here(links: Links, place: str, turn: str) -> str:
    """Let a caller wait in Twilio's queue of that name, from where a restarted daemon takes them up.

    What that one must know is in `place`, the queue's name, and in `turn`, which each turn of music tells
    (`callrouter.pbx.twilio.parties.place_of` and `turn_of`).
    """
    response = VoiceResponse()
    response.append(
        Enqueue(
            name=OURS + place,
            wait_url=links.to("wait", turn),
            wait_url_method="POST",
            action=links.to("left"),
            method="POST",
        )
    )
    return str(response)


@_made_once
def music(url: str, news: Announce | None = None) -> str:
    """One turn of waiting: the news, then a piece of audio, or without one a sentence and silence."""
    response = VoiceResponse()
    if news is not None:
        response.say(spoken(news))
    if url:
        response.play(url)
    else:
        response.say(HOLD_THE_LINE)
        response.pause(length=_QUIET)
    return str(response)


def ring_together(links: Links, token: str, phones: Sequence[tuple[str, str]], seconds: int) -> str:
    """Ring several phones at once, each by its address and with its token; the caller hears ringing.

    A phone that is picked up asks ``agent`` what to do before it is connected.
    """
    response = VoiceResponse()
    dial = Dial(
        answer_on_bridge=True,
        timeout=seconds,
        time_limit=LONGEST_TALK,
        action=links.to("dial-done", token),
        method="POST",
    )
    for name, own in phones:
        technology, _, rest = name.partition(":")
        ring = dial.sip if technology == "sip" else dial.client
        ring(
            name if technology == "sip" else rest,
            url=links.to("agent", own),
            method="POST",
            status_callback=links.to("offer", own),
            status_callback_event="initiated ringing answered completed",
            status_callback_method="POST",
        )
    response.append(dial)
    return str(response)


@_made_once
def on_hold(links: Links, url: str) -> str:
    """A turn of what a caller on hold hears. Twilio does not ask again by itself."""
    response = VoiceResponse()
    if url:
        response.play(url)
    else:
        response.pause(length=_QUIET)
    response.redirect(links.to("hold"), method="POST")
    return str(response)


def spoken(news: Announce) -> str:
    """An announcement in words."""
    place = "You are next." if news.position == 1 else f"You are number {news.position} in line."
    minutes = "about one minute" if news.minutes == 1 else f"about {news.minutes} minutes"
    parts = [place] if news.position else []
    if news.minutes:
        parts.append(f"It will take {minutes}.")
    return " ".join(parts)


@_made_once
def leave_queue() -> str:
    """Let a waiting caller out: Twilio then asks ``left`` what to do."""
    response = VoiceResponse()
    response.leave()
    return str(response)


def press_one(links: Links, token: str, queue: str) -> str:
    """Ask who picked up for key 1. Silence is told too (an empty ``Digits``), then it hangs up."""
    response = VoiceResponse()
    gather = Gather(
        input="dtmf",
        num_digits=1,
        timeout=ASK_FOR,
        finish_on_key="",  # else # would be silence
        action_on_empty_result=True,
        action=links.to("accept", token),
        method="POST",
    )
    gather.say(f"Call for {queue}. Press 1 to take it, or 2 to decline.")
    response.append(gather)
    response.hangup()
    return str(response)


def talk(
    links: Links, conference: str, label: str = "", token: str = "", *, ends: bool = True
) -> str:
    """Join a conference: an agent with `label` and the leg's token, the caller without.

    The conference ends when they leave it, unless `ends` is False. No sound is played to who comes first, and the small
    jitter buffer is used: the default one delays speech by up to a second.
    """
    response = VoiceResponse()
    dial = Dial(action=links.to("agent-done" if token else "caller-done", token), method="POST")
    named = {"participant_label": label} if label else {}
    dial.conference(
        conference,
        beep="false",
        jitter_buffer_size="small",
        start_conference_on_enter=True,
        end_conference_on_exit=ends,
        wait_url="",
        status_callback=links.to("conference"),
        status_callback_event="start end",
        status_callback_method="POST",
        **named,
    )
    response.append(dial)
    return str(response)


def send_to(number: str, caller_id: str) -> str:
    """Connect a caller with an outside number, and end the call after that."""
    response = VoiceResponse()
    dial = Dial(caller_id=caller_id, timeout=60, time_limit=LONGEST_TALK)
    dial.number(number)
    response.append(dial)
    response.hangup()
    return str(response)


def ask(link: str, texts: Sequence[str], digits: int, seconds: int) -> str:
    """Say something, and ask `link` with up to so many digits; none in time is told as well (empty).

    The pound key ends them. Keys that are pressed meanwhile count.
    """
    response = VoiceResponse()
    gather = Gather(
        input="dtmf",
        num_digits=digits,
        timeout=seconds,
        finish_on_key="#",
        action_on_empty_result=True,
        action=link,
        method="POST",
    )
    _say(gather, texts)
    response.append(gather)
    response.hangup()
    return str(response)


def last_words(texts: Sequence[str]) -> str:
    """Say something, then hang up."""
    response = VoiceResponse()
    _say(response, texts)
    response.hangup()
    return str(response)


def _say(where: VoiceResponse | Gather, texts: Sequence[str]) -> None:
    for number, text in enumerate(texts):
        if number:
            where.pause(length=1)
        where.say(text)


def one_moment() -> str:
    """Be silent until another document comes, by a request; an apology if none does."""
    response = VoiceResponse()
    response.pause(length=_ONE_MOMENT)
    response.say(NOT_NOW_HERE)
    response.hangup()
    return str(response)


def goodbye(text: str = "") -> str:
    """Say something, or nothing, and hang up."""
    response = VoiceResponse()
    if text:
        response.say(text)
    response.hangup()
    return str(response)


@_made_once
def nothing() -> str:
    """Do nothing: for answers that Twilio does not run."""
    return str(VoiceResponse())
