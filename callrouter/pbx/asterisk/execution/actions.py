"""Translates the core's commands into AMI actions. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from callrouter.model.commands import DialOutside, Leave, Result, Ring, StopReason
from callrouter.model.phone_numbers import E164, Numbering
from callrouter.model.routing_table import HangUp, ToDialplan
from callrouter.model.text import mask
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import Action
from callrouter.pbx.asterisk.sanitize import clean_name, clean_number, variable
from callrouter.pbx.asterisk.tracking.channels import CallerChannel, LegChannel
from callrouter.settings import AsteriskSettings

MOST_LETTERS = 12
"""Letters of a queue's name that are spelled to a mobile. Each takes half a second."""

SPARE = 10.0
"""Seconds for which Asterisk lets a phone ring beyond the time at which the router stops it.

A phone reaches this limit only if the router has died. Without it, Asterisk's default of 30 s would
cut longer ring times short.
"""


def dial_string(dial_number: str, number: str) -> str:
    """The dial string for an outside number (E.164), according to `dial_number` (see `spelling`).

    This is the last check before dialling. ``&``, ``@``, ``/``, ``,`` and other characters would
    ring a different or an additional destination, so nothing but digits passes, however the number
    got here.

    Raises:
        ValueError: `number` is not an E.164 number, or this PBX cannot dial outside numbers.
    """
    if not E164.fullmatch(number):
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
"""The placeholder for the number.

For national numbers it contains the home country code, the prefix of national numbers and the
prefix of international numbers.
"""


def spelling(dial_number: str, number_format: str, home: Numbering) -> str:
    """A `dial_number` whose placeholder states the number format that the carrier wants.

    Args:
        dial_number: as configured, with ``{number}``.
        number_format: ``e164`` (no +), ``plus``, ``00``, or ``national`` (numbers of `home` as they
            are dialled there).
        home: the home country. Needed for ``national``.
    """
    place = {
        "plus": "+{number}",
        "00": "00{number}",
        "national": f"{{number|{home.code}|{home.trunk}|{home.abroad_digits}}}",
    }.get(number_format, "{number}")
    return dial_number.replace("{number}", place)


def outbound_routes(settings: AsteriskSettings) -> list[str]:
    """The outbound routes in order of preference, each as `spelling` returns it."""
    given = [settings.dial_number, *settings.dial_numbers] if settings.dial_number else []
    return [spelling(text, settings.number_format, settings.home) for text in given]


@dataclass(frozen=True, slots=True)
class ShownNumber:
    """The caller ID for outside phones: the caller's, or with `always` the business's number.

    If the caller has no number, the business's number is shown, if there is one.
    """

    caller_id: str = ""
    always: bool = False


def originate(
    ring: Ring,
    dial_number: str,
    *,
    shown: ShownNumber = ShownNumber(),
    language: str = "",
    contact: str = "",
    uid: str = "",
    epoch: int = 0,
) -> dict[str, str | list[str]]:
    """The action that rings one device.

    Args:
        ring: the command.
        dial_number: how outside numbers are dialled.
        shown: the caller ID for outside phones.
        language: language of the prompts for the agent.
        contact: one of several phones at the endpoint. In that case `uid` is the id of its channel.
        uid: channel id; "" for the default id of the leg.
        epoch: epoch of the router that orders it; 0 without a cluster.
    """
    uid = uid or contract.leg_id(ring.offer, ring.device)
    channel = contact or ring.endpoint or dial_string(dial_number, ring.number)
    # A route through the dialplan may end in the bare phone, once its own channels are optimised
    # away. The phone inherits the variables that identify the leg.
    kept = "__" if channel.startswith(contract.ROUTE) else ""
    name, number = clean_name(ring.caller_name), clean_number(ring.caller_number)
    if ring.number and shown.caller_id and (shown.always or not number):
        number = shown.caller_id
    return {
        "Action": "Originate",
        "ActionID": uid,
        "Channel": channel,
        "ChannelId": uid,
        **({"OtherChannelId": contract.far_half_id(ring.offer, ring.device)} if kept else {}),
        "Context": contract.OFFER,
        "Exten": "mobile" if ring.confirm else contract.DESK,
        "Priority": "1",
        "Timeout": str(int((ring.ring_for + SPARE) * 1000)),
        "CallerID": f'"{name or number or "anonymous"}" <{number}>',
        "Async": "true",
        "Variable": [
            variable(f"{kept}CALLROUTER_OFFER", ring.offer),
            variable(f"{kept}CALLROUTER_DEVICE", ring.device),
            variable(f"{kept}CALLROUTER_FOR_AGENT", ring.agent),
            variable(f"{kept}CALLROUTER_FOR_CALL", ring.call),
            *((variable(f"{kept}{contract.ORDER_EPOCH}", str(epoch)),) if epoch else ()),
            *(_prompt(ring, language) if ring.confirm else ()),
            *(_headers(ring) if ring.alert_info or ring.auto_answer else ()),
        ],
    }


_AUTO_ANSWER: Final = (
    ("Call-Info", "<sip:callrouter.invalid>;answer-after=0"),
    ("Alert-Info", "<http://callrouter.invalid>;info=alert-autoanswer;delay=0"),
    ("Answer-Mode", "Auto"),
)
"""Headers that make phones answer automatically: Snom, Grandstream, Linphone; Yealink and others;
RFC 5373.
"""


def _headers(ring: Ring) -> Iterator[str]:
    """SIP headers of the INVITE.

    Only PJSIP can add headers, and only on a direct call to a phone.
    """
    if ring.endpoint.startswith(contract.ROUTE):
        if ring.alert_info:  # FreePBX's extensions turn this variable into a header
            yield variable("__ALERT_INFO", ring.alert_info)
        return
    if not ring.endpoint.startswith("PJSIP/"):
        return
    wanted = [("Alert-Info", ring.alert_info)] if ring.alert_info else []
    # Each header is inserted before the existing ones, so the queue's own ends up first in the
    # INVITE.
    for name, value in [*(_AUTO_ANSWER if ring.auto_answer else ()), *wanted]:
        yield variable(f"PJSIP_HEADER(add,{name})", value)


def _prompt(ring: Ring, language: str) -> Iterator[str]:
    """Variables for naming the queue to a mobile: a recording if there is one, else letters."""
    yield variable("CALLROUTER_NAMED", f"{contract.RECORDINGS}/{ring.queue}")
    yield variable("CALLROUTER_SPELLED", "&".join(spelled(ring.queue)))
    yield variable("CALLROUTER_LANGUAGE", language)
    yield variable("CALLROUTER_ASK_FOR", str(round(ring.accept_within)))


def spelled(queue: str) -> Iterator[str]:
    """The sounds that spell a queue's name. A long name is cut after `MOST_LETTERS`."""
    for character in queue[:MOST_LETTERS]:
        if character.isdigit():
            yield f"digits/{character}"
        elif character.isalpha():
            yield f"letters/{character}"
        else:
            yield "letters/dash"


_CAUSES = {
    StopReason.ANSWERED_ELSEWHERE: contract.ANSWERED_ELSEWHERE,
    StopReason.WITHDRAWN: contract.ANSWERED_ELSEWHERE,
    StopReason.TIME_UP: contract.NO_ANSWER,
    StopReason.CALLER_GONE: contract.NORMAL,
}


def stop(leg: LegChannel) -> Action:
    """Hang up a leg, with the cause that decides what its phone shows.

    An agent who picked up for a caller who has just hung up hears a tone first.
    """
    reason = leg.stop or StopReason.WITHDRAWN
    if reason is StopReason.CALLER_GONE and leg.up:
        return redirect(leg.uid, contract.OFFER, "gone")
    return hang_up(leg.uid, reason)


def hang_up(uid: str, why: StopReason) -> Action:
    """Hang up a channel."""
    return {"Action": "Hangup", "Channel": uid, "Cause": _CAUSES[why]}


def setvar(uid: str, name: str, value: str) -> Action:
    """Set a channel variable, or a global variable if `uid` is empty.

    Asterisk takes the value literally, whatever it contains.
    """
    action = {"Action": "Setvar", "Variable": name, "Value": value}
    return action | {"Channel": uid} if uid else action


def getvar(uid: str, name: str) -> Action:
    """Read a channel variable, or a global variable or function if `uid` is empty."""
    channel = {"Channel": uid} if uid else {}
    return {"Action": "Getvar", **channel, "Variable": name}


def redirect(uid: str, context: str, extension: str, priority: str = "1") -> Action:
    """Send a channel to a place in the dialplan. `priority` may be a label."""
    return {
        "Action": "Redirect",
        "Channel": uid,
        "Context": context,
        "Exten": extension,
        "Priority": priority,
    }


def connect(caller: CallerChannel, leg: str, epoch: int = 0) -> Iterator[Action]:
    """Make the caller's channel bridge itself with a leg.

    Args:
        caller: the caller.
        leg: the id of the leg's channel.
        epoch: epoch of the router that orders it; 0 without a cluster, or if the dialplan knows none.
    """
    yield setvar(caller.uid, "CALLROUTER_LEG", leg)
    yield _redirect_in_epoch(caller, contract.CONNECT, epoch)


def dial_outside(
    caller: CallerChannel, command: DialOutside, dial_strings: Sequence[str], shown: ShownNumber
) -> Iterator[Action]:
    """Tell a caller's channel what [callrouter-outside] dials, and how the caller comes back.

    What is dialled is of the configuration and of digits alone (`dial_string`).

    Args:
        caller: the caller.
        command: the order.
        dial_strings: what Dial gets, one for each outbound route.
        shown: the number that outside phones show.
    """
    has_number = bool(clean_number(caller.arrived.caller_number))
    at_once = shown.caller_id and (shown.always or not has_number)
    skills = "&".join(f"{name}={level}" for name, level in caller.arrived.skills.items())
    for name, value in (
        ("GIVER", command.agent),
        ("OUTSIDE", command.number),
        ("DIAL_FOR", str(round(command.ring_for))),
        ("SHOWN", shown.caller_id if at_once else ""),
        ("OWN", "" if at_once else shown.caller_id),
        ("TAG", caller.arrived.tag),
        ("SKILLS", skills),
        ("DIAL", "&".join(dial_strings)),
    ):
        yield setvar(caller.uid, f"CALLROUTER_{name}", value)


def redirect_outside(caller: CallerChannel, epoch: int) -> Action:
    """Send a caller to [callrouter-outside]. `epoch` is as for `connect`."""
    return _redirect_in_epoch(caller, contract.OUTSIDE, epoch)


def _redirect_in_epoch(caller: CallerChannel, context: str, epoch: int) -> Action:
    """Send a caller to a context that obeys only the newest epoch, if orders name one."""
    if not epoch:
        return redirect(caller.uid, context, caller.queue)
    place = contract.order_extension(epoch, caller.queue)
    return redirect(caller.uid, context, place, contract.ORDERED)


def leave(uid: str, queue: str, command: Leave) -> Iterator[Action]:
    """Send the caller where the command says, by way of the dialplan.

    The most frequent case, a call that returns to the dialplan after a conversation, takes one
    action.
    """
    if command.result is Result.ANSWERED and command.target is None:
        yield redirect(uid, contract.LEAVE, queue, contract.ANSWERED)
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
    yield redirect(uid, contract.LEAVE, queue)
