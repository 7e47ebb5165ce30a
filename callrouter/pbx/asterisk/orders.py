"""The core's commands as AMI actions. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from callrouter.logs import mask
from callrouter.model.commands import Leave, Result, Ring, StopReason
from callrouter.model.numbers import Numbering
from callrouter.model.table import HangUp, ToDialplan
from callrouter.pbx.asterisk import words
from callrouter.pbx.asterisk.channels import Caller, LegChannel
from callrouter.pbx.asterisk.text import clean_name, clean_number, variable
from callrouter.settings import AsteriskSettings

Action = Mapping[str, str | list[str]]

MOST_LETTERS = 12
"""Letters of a queue's name that are spelled to a mobile; each takes half a second."""

SPARE = 10.0
"""Seconds that Asterisk lets a phone ring on after the router should have stopped it.

Only a router that died leaves a phone to this limit; Asterisk's own default of 30 s would cut longer
ring times short.
"""


_DIALLED: Final = re.compile(r"\+[1-9][0-9]{5,14}")


def dial_string(dial_number: str, number: str) -> str:
    """What Asterisk dials for an outside number (E.164), as `dial_number` says (see `spelling`).

    The last gate: ``&``, ``@``, ``/``, ``,`` and others would ring something else or besides, so nothing
    but digits gets past here, whoever let it come so far.

    Raises:
        ValueError: `number` is no E.164 number, or this PBX dials none.
    """
    if not _DIALLED.fullmatch(number):
        raise ValueError(f"{mask(number)} is not a number to be dialled")
    found = _PLACE.search(dial_number)
    if found is None:
        raise ValueError("this PBX has no dial_number, so it dials no outside numbers")
    digits = number.removeprefix("+")
    if found[1] is not None:
        code, trunk, abroad = found[1], found[2], found[3]
        home = bool(code) and digits.startswith(code)
        digits = trunk + digits[len(code) :] if home else abroad + digits
    return dial_number[: found.start()] + digits + dial_number[found.end() :]


_PLACE: Final = re.compile(r"\{number(?:\|([0-9]*)\|([0-9]*)\|([0-9]*))?\}")
"""Where the number goes; behind it, for national numbers, the home country's code, what stands before a national
number, and what before a foreign one."""


def spelling(dial_number: str, number_format: str, home: Numbering) -> str:
    """A `dial_number` that says in itself how the carrier wants numbers to be written.

    Args:
        dial_number: as configured, with ``{number}``.
        number_format: ``e164`` (no +), ``plus``, ``00``, or ``national``: numbers of `home` as they are dialled there.
        home: the home country; needed for ``national``.
    """
    place = {
        "plus": "+{number}",
        "00": "00{number}",
        "national": f"{{number|{home.code}|{home.trunk}|{home.abroad_digits}}}",
    }.get(number_format, "{number}")
    return dial_number.replace("{number}", place)


def ways(settings: AsteriskSettings) -> list[str]:
    """How outside numbers are dialled, each as `spelling` gives it, the first one first."""
    given = [settings.dial_number, *settings.dial_numbers] if settings.dial_number else []
    return [spelling(text, settings.number_format, settings.home) for text in given]


@dataclass(frozen=True, slots=True)
class Shown:
    """What number outside phones are shown: the caller's own, or with `always` the business's.

    A caller without a number is shown as the business too, if that has one.
    """

    caller_id: str = ""
    always: bool = False


ROUTE: Final = "Local/"
"""How a channel begins that leads through the dialplan."""


def originate(
    ring: Ring,
    dial_number: str,
    *,
    shown: Shown = Shown(),
    language: str = "",
    contact: str = "",
    uid: str = "",
) -> dict[str, str | list[str]]:
    """Ring one device.

    Args:
        ring: the command.
        dial_number: how outside numbers are dialled.
        shown: what number outside phones are shown.
        language: what is spoken to the agent.
        contact: one of several phones at the endpoint; then `uid` is the id of its channel.
        uid: empty for the id of the leg.
    """
    uid = uid or words.leg_id(ring.offer, ring.device)
    channel = contact or ring.endpoint or dial_string(dial_number, ring.number)
    # A way through the dialplan may end in the bare phone, once its own channels are optimised away; what
    # it is the leg of, the phone inherits.
    kept = "__" if channel.startswith(ROUTE) else ""
    name, number = clean_name(ring.caller_name), clean_number(ring.caller_number)
    if ring.number and shown.caller_id and (shown.always or not number):
        number = shown.caller_id
    return {
        "Action": "Originate",
        "ActionID": uid,
        "Channel": channel,
        "ChannelId": uid,
        **({"OtherChannelId": words.far_half_id(ring.offer, ring.device)} if kept else {}),
        "Context": words.OFFER,
        "Exten": "mobile" if ring.confirm else words.DESK,
        "Priority": "1",
        "Timeout": str(int((ring.ring_for + SPARE) * 1000)),
        "CallerID": f'"{name or number or "anonymous"}" <{number}>',
        "Async": "true",
        "Variable": [
            variable(f"{kept}CALLROUTER_OFFER", ring.offer),
            variable(f"{kept}CALLROUTER_DEVICE", ring.device),
            variable(f"{kept}CALLROUTER_FOR_AGENT", ring.agent),
            variable(f"{kept}CALLROUTER_FOR_CALL", ring.call),
            *(_prompt(ring, language) if ring.confirm else ()),
            *(_headers(ring) if ring.alert_info or ring.auto_answer else ()),
        ],
    }


_AUTO_ANSWER: Final = (
    ("Call-Info", "<sip:callrouter.invalid>;answer-after=0"),
    ("Alert-Info", "<http://callrouter.invalid>;info=alert-autoanswer;delay=0"),
    ("Answer-Mode", "Auto"),
)
"""What has phones answer by themselves: Snom, Grandstream, Linphone; Yealink and others; RFC 5373."""


def _headers(ring: Ring) -> Iterator[str]:
    """SIP headers of the INVITE. Only PJSIP has a way to add some; a route's far end is out of reach."""
    if ring.endpoint.startswith(ROUTE):
        if ring.alert_info:  # what FreePBX's extensions make a header of
            yield variable("__ALERT_INFO", ring.alert_info)
        return
    if not ring.endpoint.startswith("PJSIP/"):
        return
    wanted = [("Alert-Info", ring.alert_info)] if ring.alert_info else []
    # Each is put before those that are there already, so that the queue's own comes first in the INVITE.
    for name, value in [*(_AUTO_ANSWER if ring.auto_answer else ()), *wanted]:
        yield variable(f"PJSIP_HEADER(add,{name})", value)


def _prompt(ring: Ring, language: str) -> Iterator[str]:
    """What a mobile needs to name the queue: a recording of its own, or else its letters."""
    yield variable("CALLROUTER_NAMED", f"{words.RECORDINGS}/{ring.queue}")
    yield variable("CALLROUTER_SPELLED", "&".join(spelled(ring.queue)))
    yield variable("CALLROUTER_LANGUAGE", language)
    yield variable("CALLROUTER_ASK_FOR", str(round(ring.accept_within)))


def spelled(queue: str) -> Iterator[str]:
    """A queue's name as sounds, letter by letter; of a long one as much as it takes to know it."""
    for character in queue[:MOST_LETTERS]:
        if character.isdigit():
            yield f"digits/{character}"
        elif character.isalpha():
            yield f"letters/{character}"
        else:
            yield "letters/dash"


_CAUSES = {
    StopReason.ANSWERED_ELSEWHERE: words.ANSWERED_ELSEWHERE,
    StopReason.WITHDRAWN: words.ANSWERED_ELSEWHERE,
    StopReason.TIME_UP: words.NO_ANSWER,
    StopReason.CALLER_GONE: words.NORMAL,
}


def stop(leg: LegChannel) -> Action:
    """End a leg, with the cause that decides what its phone shows.

    An agent who picked up for a caller who has just gone is told by a tone.
    """
    reason = leg.stop or StopReason.WITHDRAWN
    if reason is StopReason.CALLER_GONE and leg.up:
        return redirect(leg.uid, words.OFFER, "gone")
    return hang_up(leg.uid, reason)


def hang_up(uid: str, why: StopReason) -> Action:
    """End a channel."""
    return {"Action": "Hangup", "Channel": uid, "Cause": _CAUSES[why]}


def setvar(uid: str, name: str, value: str) -> Action:
    """Set a variable of a channel, or a global one where `uid` is empty.

    Asterisk takes the value literally, whatever is in it.
    """
    action = {"Action": "Setvar", "Variable": name, "Value": value}
    return action | {"Channel": uid} if uid else action


def getvar(uid: str, name: str) -> Action:
    """Ask for a variable of a channel."""
    return {"Action": "Getvar", "Channel": uid, "Variable": name}


def redirect(uid: str, context: str, extension: str, priority: str = "1") -> Action:
    """Send a channel to a place in the dialplan; `priority` may be a label."""
    return {
        "Action": "Redirect",
        "Channel": uid,
        "Context": context,
        "Exten": extension,
        "Priority": priority,
    }


def connect(caller: Caller, leg: LegChannel) -> Iterator[Action]:
    """Let the caller bridge itself with a leg."""
    yield setvar(caller.uid, "CALLROUTER_LEG", leg.uid)
    yield redirect(caller.uid, words.CONNECT, caller.queue)


def leave(uid: str, queue: str, command: Leave) -> Iterator[Action]:
    """Let the caller go where the command says, by way of the dialplan.

    What nearly every call comes to, back the way it came after a talk, is a single action.
    """
    if command.result is Result.ANSWERED and command.target is None:
        yield redirect(uid, words.LEAVE, queue, words.ANSWERED)
        return
    match command.target:
        case ToDialplan(context, extension, priority):
            target = f"{context},{extension},{priority}"
        case HangUp():
            target = "hangup"
        case _:
            target = ""
    yield setvar(uid, "CALLROUTER_RESULT", command.result.value)
    yield setvar(uid, "CALLROUTER_TARGET", target)
    yield redirect(uid, words.LEAVE, queue)
