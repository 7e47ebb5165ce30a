"""Phone dialogues: feature codes, digits that are entered, and the verification of numbers.

The dialplan's part is the context ``callrouter-person``. A channel there waits a few seconds at
most for the next prompt or question. So if the router or the link fails, only a call of a few
seconds is lost. Everything a person enters and everything a trunk claims is treated as hostile.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import partial

from callrouter.model.events import LegEnd
from callrouter.model.ivr import SHIPPED_CODES, CallNumber, PhoneEvent, Say
from callrouter.pbx.asterisk import contract, leg_ends
from callrouter.pbx.asterisk.ami import (
    Action,
    AmiError,
    AmiMessage,
    AmiRejected,
    AmiReply,
    AmiTimeout,
)
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.execution.action_writer import ActionWriter, Step
from callrouter.pbx.phone_events import LONGEST_DIALOGUE, PhoneEventReporter

NUMBER_CALL = "crn-"
"""Prefix of the channel ids of numbers that we call to verify them. No leg's id starts with it."""

MAX_STRANGERS = 1000
"""Maximum number of channels from unknown phones at once.

Further callers hear that the service is unavailable. Agents' own phones do not count.
"""

_SOUND = re.compile(r"[a-z0-9][a-z0-9_-]*(?:/[a-z0-9][a-z0-9_-]*)*", re.ASCII)
_SOUNDS_BYTES = 900
_REF = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[_-][A-Za-z0-9]{1,8}){0,3}|", re.ASCII)
_NOT_NUMBER = re.compile(r"[^0-9+]", re.ASCII)

_SPARE = 5.0
"""Seconds that Asterisk gets, after the ring time, to report how a call to a number ended."""


_CONFIRMED_BY = (contract.SAID, "CHANNEL(name)", "CONTEXT")
"""What a channel is asked when it reports news."""


@dataclass(frozen=True, slots=True)
class ChannelInput:
    """A channel's answers.

    Attributes:
        uid: its uniqueid.
        channel: its name, by which a phone is identified.
        words: what was dialled or entered, as the dialplan stored it in `contract.SAID`.
    """

    uid: str
    channel: str
    words: list[str]


@dataclass(slots=True, eq=False)
class _NumberCall:
    """A number that is being called."""

    ref: str
    until: float


class AsteriskDialogues:
    """The channels of one Asterisk on which phone dialogues take place."""

    def __init__(
        self,
        pbx: str,
        writer: ActionWriter,
        dial_number: str,
        caller_id: str,
        *,
        is_own: Callable[[str], bool] = lambda _endpoint: False,
        endpoint_at: Callable[[str], str] = lambda phone: phone,
    ) -> None:
        """Send through `writer`.

        Args:
            pbx: the telephone system.
            writer: the writer of actions.
            dial_number: how outside numbers are dialled.
            caller_id: the number shown to outside phones.
            is_own: whether an endpoint is an agent's phone.
            endpoint_at: the table's name of the endpoint that a phone belongs to.
        """
        self._is_own = is_own
        self._endpoint_at = endpoint_at
        self._writer = writer
        self._dial_number = dial_number
        self._caller_id = caller_id
        self._events = PhoneEventReporter(pbx)
        self._seconds: dict[str, float] = {}
        """Channels with a dialogue, and how many seconds each has lasted."""
        self._strangers: set[str] = set()
        self._queried: set[str] = set()
        """Channels that were queried and have not answered yet."""
        self._number_calls: dict[str, _NumberCall] = {}

    def listen(self, report: Callable[[PhoneEvent], None]) -> None:
        """Report all further events to `report`."""
        self._events.listen(report)

    # ------------------------------------------------------------ from Asterisk

    def handle(self, message: AmiMessage) -> None:
        """Handle one AMI event. Most of them do not concern dialogues."""
        match message.name:
            case "UserEvent":
                self._dialplan_said(message)
            case "Hangup":
                self._hung_up(message)
            case "OriginateResponse":
                self._originated(message)
            case _:
                pass

    def _dialplan_said(self, message: AmiMessage) -> None:
        """An event reports news on a channel. Query the channel itself for the content."""
        uid = message.get("Uniqueid")
        if not uid:  # not as Asterisk writes it; a query without a channel would read a global
            return
        match message.get("UserEvent"):
            case "CallrouterCode" if uid not in self._seconds:
                endpoint = self._endpoint_at(contract.endpoint_of(message.get("Channel")))
                if (
                    self._is_own(endpoint)
                    or len(self._strangers) + len(self._queried) < MAX_STRANGERS
                ):
                    self._confirm(uid, self._code_dialled)
            case "CallrouterKeyed" if uid in self._seconds:
                self._confirm(uid, self._digits_keyed)
            case "CallrouterNumber" if uid in self._number_calls:
                self._confirm(uid, self._number_answered)
            case "CallrouterNumber" if uid.startswith(
                NUMBER_CALL
            ):  # from an earlier run, or given up
                self._confirm(uid, self._unknown_number)
            case _:
                pass

    def _confirm(self, uid: str, then: Callable[[ChannelInput], None]) -> None:
        """Query what was dialled or entered on a channel, and check that it is in our context.

        The event may have been forged by an attacker who can write into Asterisk's stream. The
        answers carry ids of ours that outsiders do not know, and no text from a caller.
        """
        if uid in self._queried:
            return
        self._queried.add(uid)
        values: dict[str, str] = {}

        def on_reply(name: str, reply: AmiReply | AmiError) -> None:
            values[name] = "" if isinstance(reply, AmiError) else reply.get("Value")
            if len(values) < len(_CONFIRMED_BY):
                return
            self._queried.discard(uid)
            if values["CONTEXT"] == contract.PERSON:
                then(ChannelInput(uid, values["CHANNEL(name)"], values[contract.SAID].split()))

        self._writer.write(
            [Step(actions.getvar(uid, name), partial(on_reply, name)) for name in _CONFIRMED_BY]
        )

    def _code_dialled(self, found: ChannelInput) -> None:
        uid = found.uid
        endpoint = self._endpoint_at(contract.endpoint_of(found.channel))
        own = self._is_own(endpoint)
        if uid in self._seconds or (not own and len(self._strangers) >= MAX_STRANGERS):
            return
        match found.words:
            case ["code", dialled, *number] if read := SHIPPED_CODES.read(dialled):
                code, digit = read
            case _:
                return
        self._seconds[uid] = 0.0
        if not own:
            self._strangers.add(uid)
        caller = _NOT_NUMBER.sub("", "".join(number))[:20]
        self._events.code_dialled(uid, code, digit, endpoint=endpoint, caller_number=caller)

    def _digits_keyed(self, found: ChannelInput) -> None:
        match found.words:
            case ["keyed", *digits] if found.uid in self._seconds:
                self._events.digits_keyed(found.uid, "".join(digits))
            case _:
                pass

    def _number_answered(self, found: ChannelInput) -> None:
        if found.words != ["number"]:
            return
        call = self._number_calls.pop(found.uid, None)
        if call is None:  # given up
            self._unknown_number(found)
            return
        self._seconds[found.uid] = 0.0
        self._events.number_answered(call.ref, found.uid)

    def _unknown_number(self, found: ChannelInput) -> None:
        self._writer.send({"Action": "Hangup", "Channel": found.uid, "Cause": contract.NORMAL})

    def advance(self, seconds: float) -> None:
        """Advance the time: dialogues that last too long are ended.

        Args:
            seconds: since the last call.
        """
        for uid in self._seconds:
            self._seconds[uid] += seconds
        # Channels are in order of arrival, so the oldest come first.
        while self._seconds and next(iter(self._seconds.values())) >= LONGEST_DIALOGUE:
            uid = next(iter(self._seconds))
            self._writer.send({"Action": "Hangup", "Channel": uid, "Cause": contract.NORMAL})
            self._end(uid)

    def _end(self, uid: str) -> None:
        if self._seconds.pop(uid, None) is not None:
            self._strangers.discard(uid)
            self._events.person_left(uid)

    def channels(self) -> frozenset[str]:
        """The uniqueids of the channels with a dialogue."""
        return frozenset(self._seconds)

    def compare(self, there: Container[str]) -> None:
        """End every dialogue whose channel is gone.

        Args:
            there: the channels that Asterisk has.
        """
        for uid in [uid for uid in self._seconds if uid not in there]:
            self._end(uid)

    def _hung_up(self, message: AmiMessage) -> None:
        uid = message.get("Uniqueid")
        self._end(uid)
        call = self._number_calls.get(uid)
        if call is not None:
            late = asyncio.get_running_loop().time() >= call.until
            end = leg_ends.leg_end(message.get("Cause"), message.get("TechCause"), "")
            self._number_failed(uid, LegEnd.NO_ANSWER if late else end)

    def _originated(self, message: AmiMessage) -> None:
        uid = message.get("ActionID")
        if uid not in self._number_calls or message.get("Response") != "Failure":
            return
        late = asyncio.get_running_loop().time() >= self._number_calls[uid].until
        busy = leg_ends.leg_end("0", "", message.get("Reason")) is LegEnd.BUSY
        end = LegEnd.BUSY if busy else LegEnd.NO_ANSWER if late else LegEnd.UNREACHABLE
        # If there was a channel, its Hangup has the better reason, and it arrives about now.
        asyncio.get_running_loop().call_later(0.2, self._number_failed, uid, end)

    def _number_failed(self, uid: str, why: LegEnd) -> None:
        call = self._number_calls.pop(uid, None)
        if call is not None:
            self._events.number_failed(call.ref, why)

    def link_lost(self) -> None:
        """The link is down: end every dialogue. The dialplan releases the channels itself."""
        self._queried.clear()
        for uid in list(self._seconds):
            self._end(uid)
        for uid in list(self._number_calls):
            self._number_failed(uid, LegEnd.FAILED)

    # ------------------------------------------------------------ to Asterisk

    def say(self, command: Say) -> None:
        """Play sounds, then read digits or hang up. Does nothing if the channel has gone."""
        uid = command.channel
        if uid not in self._seconds:
            return
        self._writer.send(
            actions.setvar(uid, "CALLROUTER_SAY", self._sounds(command.sounds)),
            actions.setvar(uid, "CALLROUTER_LANGUAGE", language(command.language)),
            actions.setvar(uid, "CALLROUTER_MOST", str(max(0, command.read))),
            actions.setvar(uid, "CALLROUTER_SECONDS", f"{max(0.1, command.seconds):.1f}"),
            actions.redirect(uid, contract.PERSON, "ask" if command.read > 0 else "say"),
        )

    def _sounds(self, names: tuple[str, ...]) -> str:
        fit = [name for name in names if _SOUND.fullmatch(name)]
        if len(fit) < len(names):
            self._writer.complain("a sound was left out: its name is none of Asterisk's sounds")
        text = "&".join(fit)
        return text if len(text) <= _SOUNDS_BYTES else text[:_SOUNDS_BYTES].rpartition("&")[0]

    def call_number(self, command: CallNumber) -> None:
        """Call an outside number. Exactly one of `NumberAnswered` and `NumberFailed` follows."""
        uid = f"{NUMBER_CALL}{command.ref}"
        loop = asyncio.get_running_loop()
        until = loop.time() + command.ring_for
        if uid in self._number_calls or uid in self._seconds:
            return  # a duplicate command
        self._number_calls[uid] = _NumberCall(command.ref, until)
        self._events.number_called(command.ref)
        try:
            action = self._originate(command, uid)
        except ValueError as error:
            self._writer.complain(f"can't call a number: {error}")
            loop.call_soon(self._number_failed, uid, LegEnd.FAILED)
            return

        def on_reply(reply: object) -> None:
            if isinstance(reply, AmiError) and not isinstance(reply, AmiTimeout):
                if isinstance(reply, AmiRejected):
                    self._writer.complain(f"can't call a number: {reply}")
                self._number_failed(uid, LegEnd.FAILED)

        self._writer.write([Step(action, on_reply)])
        loop.call_later(command.ring_for + _SPARE, self._number_failed, uid, LegEnd.NO_ANSWER)

    def _originate(self, command: CallNumber, uid: str) -> Action:
        """The action that calls a number.

        Raises:
            ValueError: the number or the call's name is not valid in a dial string.
        """
        if not _REF.fullmatch(command.ref):
            raise ValueError("a call's name may have letters, digits and - only")
        action: dict[str, str | list[str]] = {
            "Action": "Originate",
            "ActionID": uid,
            "Channel": actions.dial_string(self._dial_number, command.number),
            "ChannelId": uid,
            "Context": contract.PERSON,
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
    """The name of a sound folder such as ``en`` or ``de_AT``, or "" if `text` is not valid."""
    return text if _LANGUAGE.fullmatch(text) else ""
