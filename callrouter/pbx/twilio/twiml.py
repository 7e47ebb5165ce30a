"""The TwiML documents, built with the library's classes, which escape text.

The library accepts any attribute under any name. So `tests/twilio/test_twiml.py` checks each
document against the elements and attributes that the library itself knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from twilio.twiml.voice_response import Dial, Enqueue, Gather, VoiceResponse

from callrouter.model.commands import Announce
from callrouter.pbx.twilio.webhook import WebhookUrls

_cached = lru_cache(maxsize=256)
"""Caches documents that are requested again and again.

Building one takes a fifth of a webhook's time.
"""

OUR_PREFIX = "callrouter-"
"""Prefix of the names of our queues and conferences. The account may have others."""

KEY_WITHIN = 8
"""Seconds to wait for key 1 after the question, before the question is repeated."""

LONGEST_TALK = 4 * 3600
"""Seconds after which Twilio ends any leg, so that a forgotten one cannot cost a fortune."""

HOLD_THE_LINE = "Please hold the line. You will be connected to the next free agent."
TAKEN = "This call has been taken by another agent. Thank you."
GONE = "The caller has hung up. Thank you."
NOT_NOW = "We cannot take your call at the moment. Please try again later."
WHICH_CODE = "Key in the code, such as star 4 5."
NO_SUCH_CODE = "There is no such code. Goodbye."
NOT_NOW_HERE = "That is not possible at the moment. Please try again later."
NOTHING_HERE = "There is no call for you here. Goodbye."
_REPLY_WITHIN = 15
_SILENCE = 20
"""Seconds of silence after `HOLD_THE_LINE`. Each new turn shows that the caller is still there."""


def wait_in_queue(urls: WebhookUrls, place: str, turn: str) -> str:
    """Keep a caller in a Twilio queue, from which a restarted daemon takes them over.

    What the daemon must know then is in `place`, the queue's name, and in `turn`, which each turn
    of music reports (`callrouter.pbx.twilio.calls_and_legs.encode_queue_name` and `encode_turn`).
    """
    response = VoiceResponse()
    response.append(
        Enqueue(
            name=OUR_PREFIX + place,
            wait_url=urls.to("wait", turn),
            wait_url_method="POST",
            action=urls.to("left"),
            method="POST",
        )
    )
    return str(response)


@_cached
def music(url: str, announcement: Announce | None = None) -> str:
    """One turn of waiting: an announcement, then audio, or without audio a sentence and silence."""
    response = VoiceResponse()
    if announcement is not None:
        response.say(announcement_text(announcement))
    if url:
        response.play(url)
    else:
        response.say(HOLD_THE_LINE)
        response.pause(length=_SILENCE)
    return str(response)


def ring_together(
    urls: WebhookUrls, token: str, phones: Sequence[tuple[str, str]], seconds: int
) -> str:
    """Ring several phones at once. The caller hears ringing.

    A phone that is picked up requests ``agent`` before it is connected.

    Args:
        urls: the URLs of our webhooks.
        token: what reports the end of the ``<Dial>`` as a whole.
        phones: the address of each phone and the token of its leg.
        seconds: how long they ring.
    """
    response = VoiceResponse()
    dial = Dial(
        answer_on_bridge=True,
        timeout=seconds,
        time_limit=LONGEST_TALK,
        action=urls.to("dial-done", token),
        method="POST",
    )
    for name, own in phones:
        technology, _, rest = name.partition(":")
        ring = dial.sip if technology == "sip" else dial.client
        ring(
            name if technology == "sip" else rest,
            url=urls.to("agent", own),
            method="POST",
            status_callback=urls.to("offer", own),
            status_callback_event="initiated ringing answered completed",
            status_callback_method="POST",
        )
    response.append(dial)
    return str(response)


@_cached
def on_hold(urls: WebhookUrls, url: str) -> str:
    """One turn of what a caller on hold hears.

    It ends with a redirect, since Twilio does not repeat it.
    """
    response = VoiceResponse()
    if url:
        response.play(url)
    else:
        response.pause(length=_SILENCE)
    response.redirect(urls.to("hold"), method="POST")
    return str(response)


def announcement_text(announcement: Announce) -> str:
    """The text of an announcement."""
    place = (
        "You are next."
        if announcement.position == 1
        else f"You are number {announcement.position} in line."
    )
    minutes = (
        "about one minute" if announcement.minutes == 1 else f"about {announcement.minutes} minutes"
    )
    parts = [place] if announcement.position else []
    if announcement.minutes:
        parts.append(f"It will take {minutes}.")
    return " ".join(parts)


@_cached
def leave_queue() -> str:
    """Make a waiting caller leave the queue. Twilio then requests ``left``."""
    response = VoiceResponse()
    response.leave()
    return str(response)


def ask_for_key_1(urls: WebhookUrls, token: str, queue: str) -> str:
    """Ask for key 1. Silence is reported too, as an empty ``Digits``; then hang up."""
    response = VoiceResponse()
    gather = Gather(
        input="dtmf",
        num_digits=1,
        timeout=KEY_WITHIN,
        finish_on_key="",  # otherwise # would look like silence
        action_on_empty_result=True,
        action=urls.to("accept", token),
        method="POST",
    )
    gather.say(f"Call for {queue}. Press 1 to take it, or 2 to decline.")
    response.append(gather)
    response.hangup()
    return str(response)


def join_conference(
    urls: WebhookUrls, conference: str, label: str = "", token: str = "", *, ends: bool = True
) -> str:
    """Join a conference.

    The first party hears no sound. The small jitter buffer is used because the default one delays
    speech by up to a second.

    Args:
        urls: the URLs of our webhooks.
        conference: its name.
        label: names an agent's participant, which a restarted daemon reads; "" for the caller.
        token: the one-shot token of an agent's leg; "" for the caller.
        ends: whether the conference ends when the party leaves it.
    """
    response = VoiceResponse()
    dial = Dial(action=urls.to("agent-done" if token else "caller-done", token), method="POST")
    named = {"participant_label": label} if label else {}
    dial.conference(
        conference,
        beep="false",
        jitter_buffer_size="small",
        start_conference_on_enter=True,
        end_conference_on_exit=ends,
        wait_url="",
        status_callback=urls.to("conference"),
        status_callback_event="start end",
        status_callback_method="POST",
        **named,
    )
    response.append(dial)
    return str(response)


def dial_number(number: str, caller_id: str) -> str:
    """Connect a caller to an outside number, and end the call afterwards."""
    response = VoiceResponse()
    dial = Dial(caller_id=caller_id, timeout=60, time_limit=LONGEST_TALK)
    dial.number(number)
    response.append(dial)
    response.hangup()
    return str(response)


def ask_for_digits(link: str, texts: Sequence[str], digits: int, seconds: int) -> str:
    """Speak, and send the keys that are pressed. If none is pressed in time, that is sent too.

    The pound key ends the input. Keys that are pressed during the text count.

    Args:
        link: the URL that receives them.
        texts: what is said before.
        digits: the largest number of keys.
        seconds: how long each key is waited for.
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


def say_and_hang_up(texts: Sequence[str]) -> str:
    """Speak, then hang up."""
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
    """Stay silent until a request provides another document. Apologise if none does."""
    response = VoiceResponse()
    response.pause(length=_REPLY_WITHIN)
    response.say(NOT_NOW_HERE)
    response.hangup()
    return str(response)


def goodbye(text: str = "") -> str:
    """Speak if there is a text, then hang up."""
    response = VoiceResponse()
    if text:
        response.say(text)
    response.hangup()
    return str(response)


@_cached
def nothing() -> str:
    """Do nothing. For answers that Twilio does not run."""
    return str(VoiceResponse())
