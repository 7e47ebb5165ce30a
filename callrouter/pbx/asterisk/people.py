"""Talking to people at phones: codes that they dial, digits that they key in, numbers called to prove.

The dialplan's part is the context ``callrouter-person``. A channel there waits for the next thing to say
or ask, a few seconds at most; so nothing is lost with a router, or with the link to it, but a call of
seconds. Everything that a person keyed in, or that a trunk claims, is taken as hostile.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from callrouter.model.events import LegEnd
from callrouter.model.phoning import (
    CallNumber,
    Code,
    CodeDialled,
    DigitsKeyed,
    NumberAnswered,
    NumberFailed,
    PersonLeft,
    PhoneEvent,
    Say,
)
from callrouter.pbx.asterisk import orders, words
from callrouter.pbx.asterisk.errors import AmiError, AmiRejected, AmiTimeout
from callrouter.pbx.asterisk.outbox import Outbox
from callrouter.pbx.asterisk.wire import AmiMessage

NUMBER = "crn-"
"""What the channel ids of numbers that we call start with. No leg's does."""

MOST = 1000
"""Channels at once; who comes then hears that it is not available."""

_SOUND = re.compile(r"[a-z0-9][a-z0-9_-]*(?:/[a-z0-9][a-z0-9_-]*)*", re.ASCII)
_SOUNDS_BYTES = 900
_REF = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[_-][A-Za-z0-9]{1,8}){0,3}|", re.ASCII)
_NOT_KEYS = re.compile(r"[^0-9*#]", re.ASCII)
_NOT_NUMBER = re.compile(r"[^0-9+]", re.ASCII)
_CODES = {code.value: code for code in Code}

_SPARE = 5.0
"""Seconds within which Asterisk has said how a call to a number ended, after its time was up."""


@dataclass(slots=True, eq=False)
class _Called:
    """A number that is being called."""

    ref: str
    until: float
    reason: str = ""


class People:
    """The channels on which a person talks with the router, of one Asterisk."""

    def __init__(self, pbx: str, outbox: Outbox, dial_number: str, caller_id: str) -> None:
        self._pbx = pbx
        self._outbox = outbox
        self._dial_number = dial_number
        self._caller_id = caller_id
        self._heard: Callable[[PhoneEvent], None] = lambda _event: None
        self._here: set[str] = set()
        self._called: dict[str, _Called] = {}

    def listen(self, heard: Callable[[PhoneEvent], None]) -> None:
        """Tell `heard` from now on."""
        self._heard = heard

    # ------------------------------------------------------------ what Asterisk says

    def handle(self, message: AmiMessage) -> None:
        """Take one AMI event; most are none of ours."""
        match message.name:
            case "UserEvent":
                self._said(message)
            case "Hangup":
                self._hung_up(message)
            case "OriginateResponse":
                self._originated(message)
            case _:
                pass

    def _said(self, message: AmiMessage) -> None:
        uid = message.get("Uniqueid")
        match message.get("UserEvent"):
            case "CallrouterCode":
                self._dialled(uid, message)
            case "CallrouterKeyed" if uid in self._here:
                digits = _NOT_KEYS.sub("", message.get("Digits"))[:40]
                self._heard(DigitsKeyed(pbx=self._pbx, channel=uid, digits=digits))
            case "CallrouterNumber":
                self._picked_up(uid)
            case _:
                pass

    def _dialled(self, uid: str, message: AmiMessage) -> None:
        code = _CODES.get(message.get("Code"))
        if code is None or uid in self._here or len(self._here) >= MOST:
            return
        self._here.add(uid)
        self._heard(
            CodeDialled(
                pbx=self._pbx,
                channel=uid,
                code=code,
                endpoint=words.endpoint_of(message.get("Channel")),
                caller_number=_NOT_NUMBER.sub("", message.get("Number"))[:20],
            )
        )

    def _picked_up(self, uid: str) -> None:
        called = self._called.pop(uid, None)
        if called is None:  # of an earlier run, or given up meanwhile
            if uid.startswith(NUMBER):
                self._outbox.send({"Action": "Hangup", "Channel": uid, "Cause": words.NORMAL})
            return
        self._here.add(uid)
        self._heard(NumberAnswered(pbx=self._pbx, ref=called.ref, channel=uid))

    def _hung_up(self, message: AmiMessage) -> None:
        uid = message.get("Uniqueid")
        if uid in self._here:
            self._here.discard(uid)
            self._heard(PersonLeft(pbx=self._pbx, channel=uid))
        called = self._called.get(uid)
        if called is not None:
            late = asyncio.get_running_loop().time() >= called.until
            end = words.leg_end(message.get("Cause"), message.get("TechCause"), called.reason)
            self._failed(uid, LegEnd.NO_ANSWER if late else end)

    def _originated(self, message: AmiMessage) -> None:
        uid = message.get("ActionID")
        if uid not in self._called or message.get("Response") != "Failure":
            return
        late = asyncio.get_running_loop().time() >= self._called[uid].until
        busy = words.leg_end("0", "", message.get("Reason")) is LegEnd.BUSY
        end = LegEnd.BUSY if busy else LegEnd.NO_ANSWER if late else LegEnd.UNREACHABLE
        # If there was a channel, its Hangup knows better, and is here already or as good as.
        asyncio.get_running_loop().call_later(0.2, self._failed, uid, end)

    def _failed(self, uid: str, why: LegEnd) -> None:
        called = self._called.pop(uid, None)
        if called is not None:
            self._heard(NumberFailed(pbx=self._pbx, ref=called.ref, why=why))

    def lost(self) -> None:
        """The link is down: nobody there can be talked to any more, and the dialplan sends them off."""
        here, self._here = self._here, set()
        for uid in here:
            self._heard(PersonLeft(pbx=self._pbx, channel=uid))
        for uid in list(self._called):
            self._failed(uid, LegEnd.FAILED)

    # ------------------------------------------------------------ what we say

    def say(self, command: Say) -> None:
        """Play sounds, and read digits or hang up; nothing where the channel is gone."""
        uid = command.channel
        if uid not in self._here:
            return
        self._outbox.send(
            orders.setvar(uid, "CALLROUTER_SAY", self._sounds(command.sounds)),
            orders.setvar(uid, "CALLROUTER_LANGUAGE", language(command.language)),
            orders.setvar(uid, "CALLROUTER_MOST", str(max(0, command.read))),
            orders.setvar(uid, "CALLROUTER_SECONDS", f"{max(0.1, command.seconds):.1f}"),
            orders.redirect(uid, words.PERSON, "ask" if command.read > 0 else "say"),
        )

    def _sounds(self, names: tuple[str, ...]) -> str:
        fit = [name for name in names if _SOUND.fullmatch(name)]
        if len(fit) < len(names):
            self._outbox.complain("a sound was left out: its name is none of Asterisk's sounds")
        text = "&".join(fit)
        return text if len(text) <= _SOUNDS_BYTES else text[:_SOUNDS_BYTES].rpartition("&")[0]

    def call_number(self, command: CallNumber) -> None:
        """Call an outside number; exactly one of `NumberAnswered` and `NumberFailed` follows."""
        uid = f"{NUMBER}{command.ref}"
        loop = asyncio.get_running_loop()
        until = loop.time() + command.ring_for
        if uid in self._called or uid in self._here:
            return  # the same one again
        self._called[uid] = _Called(command.ref, until)
        try:
            action = self._originate(command, uid)
        except ValueError as error:
            self._outbox.complain(f"can't call a number: {error}")
            loop.call_soon(self._failed, uid, LegEnd.FAILED)
            return

        def told(reply: object) -> None:
            if isinstance(reply, AmiError) and not isinstance(reply, AmiTimeout):
                if isinstance(reply, AmiRejected):
                    self._outbox.complain(f"can't call a number: {reply}")
                self._failed(uid, LegEnd.FAILED)

        self._outbox.write([(action, told)])
        loop.call_later(command.ring_for + _SPARE, self._failed, uid, LegEnd.NO_ANSWER)

    def _originate(self, command: CallNumber, uid: str) -> orders.Action:
        """How a number is called.

        Raises:
            ValueError: the number, or what it is called by, is not fit for a dial string.
        """
        if not _REF.fullmatch(command.ref):
            raise ValueError("a call's name may have letters, digits and - only")
        action: dict[str, str | list[str]] = {
            "Action": "Originate",
            "ActionID": uid,
            "Channel": orders.dial_string(self._dial_number, command.number),
            "ChannelId": uid,
            "Context": words.PERSON,
            "Exten": "number",
            "Priority": "1",
            "Timeout": str(int(command.ring_for * 1000)),
            "Async": "true",
        }
        if self._caller_id:
            action["CallerID"] = f"<{self._caller_id}>"
        spoken = language(command.language)
        return action | {"Variable": f"CHANNEL(language)={spoken}"} if spoken else action


def language(text: str) -> str:
    """A language as Asterisk's sound folders name it, such as ``en`` or ``de_AT``; else empty."""
    return text if _LANGUAGE.fullmatch(text) else ""
