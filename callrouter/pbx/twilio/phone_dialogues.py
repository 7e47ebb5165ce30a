"""Phone dialogues over Twilio: feature codes, digits, and the verification of numbers.

An agent reaches the feature codes from a SIP phone in a domain of the account, which Twilio
authenticates by password and names, or from any phone by the number ``codes``. A caller ID proves
nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import unquote

from callrouter.model.events import LegEnd
from callrouter.model.ivr import (
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
from callrouter.model.phone_numbers import E164
from callrouter.pbx.twilio import hangup_causes, spoken_prompts, twiml
from callrouter.pbx.twilio.account_state import AccountState
from callrouter.pbx.twilio.rate import CallRate
from callrouter.pbx.twilio.rest.api_requests import (
    ApiOutcome,
    ApiResult,
    EndCall,
    PlaceCall,
    RedirectCall,
)
from callrouter.pbx.twilio.urls import WebhookUrls
from callrouter.settings import TwilioSettings

logger = logging.getLogger(__name__)

MOST: Final = 200
"""Maximum number of dialogues at once from unknown phones, and from SIP phones.

Each group has its own limit. Further callers are asked to try later.
"""
LONGEST: Final = 120.0
"""Seconds after which a dialogue is ended, whatever Twilio reports."""
SPARE: Final = 15.0
"""Seconds that Twilio gets, after the ring time, to report how a call to a number ended."""
KEPT: Final = 600.0
"""Seconds for which the token of such a call is remembered, in case it is answered late."""

_RETRY_AFTER: Final = 0.5
_USER: Final = re.compile(r"sips?:([^@;:]{1,60})@", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9._+-]{1,64}", re.ASCII)
_DOMAIN: Final = re.compile(r"[a-z0-9.-]{1,100}", re.ASCII)
_NOT_KEYS: Final = re.compile(r"[^0-9*#]", re.ASCII)


@dataclass(slots=True, eq=False)
class _DialogueCall:
    """A person on the line.

    Attributes:
        sid: the CallSid.
        document: the document that the call is running.
        asked: token of the digits that it asks for; "" if none.
        number: the number that the caller claims to call from.
        choosing: whether they are being asked for a feature code.
        own: whether they are at a SIP phone that Twilio authenticated.
    """

    sid: str
    document: str
    asked: str = ""
    number: str = ""
    choosing: bool = False
    own: bool = False


@dataclass(slots=True, eq=False)
class _VerificationCall:
    """A number that is being called to verify it."""

    ref: str
    number: str
    token: str
    until: float
    sid: str = ""
    rang: bool = False
    answered: bool = False
    over: bool = False


class PhoneDialogues:
    """The calls of one account on which phone dialogues take place.

    Args:
        account: the state of the account.
        settings: the number for feature codes, and the number that phones show.
        urls: the URLs that Twilio is given.
        rate: the limit of calls per second.
        token: creates unguessable one-shot tokens.
    """

    def __init__(
        self,
        account: AccountState,
        settings: TwilioSettings,
        urls: WebhookUrls,
        *,
        rate: CallRate,
        token: Callable[[], str],
    ) -> None:
        self._account = account
        self._settings = settings
        self._urls = urls
        self._rate = rate
        self._token = token
        self._heard: Callable[[PhoneEvent], None] = lambda _event: None
        self._calls_here: dict[str, _DialogueCall] = {}
        self._called: dict[str, _VerificationCall] = {}
        self._answering = ""

    def has(self, sid: str) -> bool:
        """Whether this call has a dialogue."""
        return sid in self._calls_here

    def leaves(self, sid: str) -> None:
        """A call with a dialogue has ended."""
        self._left(sid)

    def listen(self, heard: Callable[[PhoneEvent], None]) -> None:
        """Report all further events to `heard`."""
        self._heard = heard

    # ------------------------------------------------------------ from Twilio

    def answer(self, part: str, token: str, sid: str, params: Mapping[str, str]) -> str | None:
        """The document for a request; None if it does not concern a dialogue."""
        match part:
            case "code":
                return self._dialled(sid, params)
            case "voice" if self._settings.codes and params.get("To") == self._settings.codes:
                return self._dialled(sid, params)
            case "keyed":
                return self._keyed(sid, token, _NOT_KEYS.sub("", params.get("Digits", ""))[:40])
            case "agent" | "offer" if token in self._called:
                return self._of_a_number(part, self._called[token], sid, params)
            case "caller-status" if sid in self._calls_here:
                if params.get("CallStatus") in hangup_causes.OVER:
                    self._left(sid)
                return twiml.nothing()
            case _:
                return None

    def _dialled(self, sid: str, params: Mapping[str, str]) -> str:
        """A caller has dialled the number for feature codes, or a code at a SIP phone."""
        if sid in self._calls_here:
            return self._calls_here[sid].document
        if sid in self._account.ended_calls:
            self._account.counts["stale"] += 1
            return twiml.goodbye()
        own = bool(_endpoint(params)) and params.get("To") != self._settings.codes
        if sum(person.own == own for person in self._calls_here.values()) >= MOST:
            return twiml.goodbye(twiml.NOT_NOW)
        number = params.get("From", "")
        person = self._enter(sid)
        person.own = own
        person.number = number if E164.fullmatch(number) else ""
        if params.get("To") == self._settings.codes:
            person.choosing = True
            self._ask(person, (twiml.WHICH_CODE,), self._longest_code(), 7.0)
            return person.document
        dialled = _USER.match(params.get("To", ""))
        code = unquote(dialled[1]) if dialled is not None else ""
        return self._chosen(person, code, _endpoint(params))

    def _longest_code(self) -> int:
        """Length of the longest code. The pause code may be followed by a digit."""
        codes = self._settings.phone_codes
        return max(len(codes.pause) + 1, *(len(codes.named(code)) for code in Code))

    def _chosen(self, person: _DialogueCall, keyed: str, endpoint: str) -> str:
        found = self._settings.phone_codes.read(keyed)
        if found is None:
            self._last_words(person, (twiml.NO_SUCH_CODE,))
            return person.document
        dialled = CodeDialled(
            pbx=self._account.name,
            channel=person.sid,
            code=found[0],
            endpoint=endpoint,
            caller_number=person.number,
            digit=found[1],
        )
        return self._hear(person, dialled)

    def _keyed(self, sid: str, token: str, digits: str) -> str:
        person = self._calls_here.get(sid)
        if person is None:
            self._account.counts["stale"] += 1
            return twiml.goodbye()
        if not token or token != person.asked:
            return person.document  # the same request again
        person.asked = ""
        if person.choosing:
            person.choosing = False
            return self._chosen(person, digits, "")
        return self._hear(
            person, DigitsKeyed(pbx=self._account.name, channel=person.sid, digits=digits)
        )

    def _hear(self, person: _DialogueCall, event: PhoneEvent) -> str:
        """Report an event and return the document to run.

        The reply is either known by the time `_heard` returns, or follows by a request.
        """
        person.document = twiml.one_moment()
        self._answering = person.sid
        try:
            self._heard(event)
        finally:
            self._answering = ""
        return person.document

    def _enter(self, sid: str) -> _DialogueCall:
        person = self._calls_here[sid] = _DialogueCall(sid, "")
        self._account.call_after(LONGEST, lambda: self._too_long(person))
        return person

    def _too_long(self, person: _DialogueCall) -> None:
        if self._calls_here.get(person.sid) is person:
            self._account.send_request(EndCall(sid=person.sid), lambda _answer: None)
            self._left(person.sid)

    def _left(self, sid: str) -> None:
        person = self._calls_here.pop(sid, None)
        if person is not None:
            self._account.mark_ended(sid)
            self._heard(PersonLeft(pbx=self._account.name, channel=sid))

    # ------------------------------------------------------------ to Twilio

    def say(self, command: Say) -> None:
        """Speak, then read digits or hang up. Does nothing if the call has ended."""
        person = self._calls_here.get(command.channel)
        if person is None:
            return
        texts = tuple(spoken_prompts.sentences(command.sounds))
        if command.read > 0:
            self._ask(person, texts, command.read, command.seconds)
        else:
            self._last_words(person, texts)
        if self._answering != person.sid:
            self._send(person, person.document)

    def _ask(
        self, person: _DialogueCall, texts: tuple[str, ...], digits: int, seconds: float
    ) -> None:
        person.asked = self._token()
        link = self._urls.to("keyed", person.asked)
        person.document = twiml.ask(link, texts, digits, max(1, round(seconds)))

    def _last_words(self, person: _DialogueCall, texts: tuple[str, ...]) -> None:
        person.asked = ""
        person.document = twiml.last_words(texts)

    def _send(self, person: _DialogueCall, document: str) -> None:
        """Make a call run a document, unless a newer one has replaced it."""
        if self._calls_here.get(person.sid) is person and person.document == document:
            move = RedirectCall(sid=person.sid, twiml=document)
            self._account.send_request(move, partial(self._moved, person, document))

    def _moved(self, person: _DialogueCall, document: str, answer: ApiResult) -> None:
        if answer.safe_to_repeat:
            self._account.call_after(_RETRY_AFTER, lambda: self._send(person, document))
        elif answer.outcome is ApiOutcome.REFUSED and self._calls_here.get(person.sid) is person:
            if not answer.call_ended:
                logger.warning("%s: cannot talk on: %s", self._account.name, answer.detail)
            self._left(person.sid)

    # ------------------------------------------------------------ verification of numbers

    def call_number(self, command: CallNumber) -> None:
        """Call an outside number. Exactly one of `NumberAnswered` and `NumberFailed` follows."""
        if any(one.ref == command.ref for one in self._called.values()):
            return  # a duplicate command
        until = self._account.now + command.ring_for
        called = _VerificationCall(command.ref, command.number, self._token(), until)
        self._called[called.token] = called
        self._account.call_after(command.ring_for + SPARE, lambda: self._overdue(called))
        self._account.call_after(command.ring_for + KEPT, lambda: self._forget(called))
        if E164.fullmatch(command.number):
            self._account.call_at(self._rate.next(self._account.now), lambda: self._place(called))
        else:
            self._account.call_after(0.0, lambda: self._failed(called, LegEnd.FAILED))

    def _place(self, called: _VerificationCall) -> None:
        now = self._account.now
        if called.over or now >= called.until:
            self._failed(called, LegEnd.FAILED)
        elif self._rate.next(now) > now:
            self._account.call_at(self._rate.next(now), lambda: self._place(called))
        else:
            self._rate.take(now)
            place = PlaceCall(
                token=called.token,
                to=called.number,
                caller_id=self._settings.caller_id,
                timeout=max(5, round(called.until - now) - 5),
            )
            self._account.send_request(place, partial(self._placed, called))

    def _placed(self, called: _VerificationCall, answer: ApiResult) -> None:
        if answer.outcome is ApiOutcome.DONE:
            called.sid = called.sid or answer.sid
        elif answer.outcome is not ApiOutcome.UNKNOWN and not called.sid:
            logger.warning("%s: a number is not called: %s", self._account.name, answer.detail)
            self._failed(called, hangup_causes.of_refusal(answer.code))
        # Otherwise the outcome is unknown; webhooks or the deadline decide.

    def _of_a_number(
        self, part: str, called: _VerificationCall, sid: str, params: Mapping[str, str]
    ) -> str:
        if called.sid not in {"", sid}:
            self._account.counts["token of another call"] += 1
            return twiml.goodbye(twiml.NOTHING_HERE)
        called.sid = sid
        if part == "agent":
            return self._picked_up(called)
        status = params.get("CallStatus", "")
        called.rang = called.rang or status in {"ringing", "in-progress"}
        if status not in hangup_causes.OVER:
            if called.over and not called.answered:  # a call we had given up is ringing after all
                self._account.send_request(EndCall(sid=sid), lambda _answer: None)
        elif called.answered:
            self._left(sid)
        else:
            sip = params.get("SipResponseCode", "")
            why = hangup_causes.of_status(status, sip, picked_up=False, rang=called.rang)
            self._failed(called, why)
        return twiml.nothing()

    def _picked_up(self, called: _VerificationCall) -> str:
        person = self._calls_here.get(called.sid)
        if called.answered and person is not None:
            return person.document
        if called.answered or called.over:
            return twiml.goodbye()
        called.answered = called.over = True
        answered = NumberAnswered(pbx=self._account.name, ref=called.ref, channel=called.sid)
        return self._hear(self._enter(called.sid), answered)

    def _forget(self, called: _VerificationCall) -> None:
        self._called.pop(called.token, None)

    def _overdue(self, called: _VerificationCall) -> None:
        if not called.over:
            if called.sid:
                self._account.send_request(EndCall(sid=called.sid), lambda _answer: None)
            self._failed(called, LegEnd.NO_ANSWER if called.rang else LegEnd.FAILED)

    def _failed(self, called: _VerificationCall, why: LegEnd) -> None:
        if not called.over:
            called.over = True
            self._heard(NumberFailed(pbx=self._account.name, ref=called.ref, why=why))


def _endpoint(params: Mapping[str, str]) -> str:
    """The SIP phone that Twilio authenticated by password; "" if none, or if it is not named."""
    user, domain = params.get("SipUsername", ""), params.get("SipDomain", "").lower()
    known = _NAME.fullmatch(user) and _DOMAIN.fullmatch(domain)
    return f"sip/{user}@{domain}" if known else ""
