"""Phone dialogues over Twilio: feature codes, and digits that are keyed in.

An agent reaches the feature codes from a SIP phone in a domain of the account, which Twilio
authenticates by password and names, or from any phone by the number ``codes``. A caller ID proves
nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import unquote

from callrouter.model.ivr import Code, Say
from callrouter.model.phone_numbers import E164
from callrouter.pbx.phone_events import LONGEST_DIALOGUE, PhoneEventReporter, clean_keys
from callrouter.pbx.twilio import twiml
from callrouter.pbx.twilio.account_state import AccountState
from callrouter.pbx.twilio.rest.api_requests import ApiOutcome, ApiResult, EndCall, RedirectCall
from callrouter.pbx.twilio.webhook import Webhook, WebhookReply, WebhookUrls
from callrouter.settings import TwilioSettings

logger = logging.getLogger(__name__)

MOST_DIALOGUES: Final = 200
"""Maximum number of dialogues at once from unknown phones, and from SIP phones.

Each group has its own limit. Further callers are asked to try later.
"""

_CODE_WITHIN: Final = 7.0
"""Seconds for each digit of a feature code, after the number for codes was called."""
_RETRY_AFTER: Final = 0.5
_USER: Final = re.compile(r"sips?:([^@;:]{1,60})@", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9._+-]{1,64}", re.ASCII)
_DOMAIN: Final = re.compile(r"[a-z0-9.-]{1,100}", re.ASCII)


@dataclass(slots=True, eq=False)
class _DialogueCall:
    """A call with a dialogue.

    Attributes:
        sid: its CallSid.
        document: the document that it is running.
        keys_token: token of the digits that it asks for; "" if it asks for none.
        number: the number that the person claims to call from.
        choosing_code: whether they are being asked for a feature code.
        at_sip_phone: whether they are at a SIP phone that Twilio authenticated.
    """

    sid: str
    document: str = ""
    keys_token: str = ""
    number: str = ""
    choosing_code: bool = False
    at_sip_phone: bool = False


class PhoneDialogues:
    """The calls of one account on which a person talks to the router.

    Args:
        account: the state of the account.
        settings: the number for feature codes, and the codes.
        urls: the URLs that Twilio is given.
        reply: the answer that is being built for a webhook.
        token: creates unguessable one-shot tokens.
    """

    def __init__(
        self,
        account: AccountState,
        settings: TwilioSettings,
        urls: WebhookUrls,
        *,
        reply: WebhookReply,
        token: Callable[[], str],
    ) -> None:
        self._account = account
        self._settings = settings
        self._urls = urls
        self._reply = reply
        self._token = token
        self.events = PhoneEventReporter(account.name)
        """Reports events. Also used for numbers that are called."""
        self._calls: dict[str, _DialogueCall] = {}

    def has(self, sid: str) -> bool:
        """Whether this call has a dialogue."""
        return sid in self._calls

    def document(self, sid: str) -> str:
        """The document that a dialogue's call is running; "" if it has no dialogue."""
        call = self._calls.get(sid)
        return call.document if call is not None else ""

    # ------------------------------------------------------------ webhooks

    def is_for_codes(self, webhook: Webhook) -> bool:
        """Whether the number for feature codes was called."""
        return bool(self._settings.codes) and webhook.params.get("To") == self._settings.codes

    def on_code(self, webhook: Webhook) -> str:
        """The number for feature codes was called, or a code was dialled at a SIP phone."""
        sid, params = webhook.sid, webhook.params
        if sid in self._calls:
            return self._calls[sid].document
        if sid in self._account.ended_calls:
            self._account.counts["stale"] += 1
            return twiml.goodbye()
        asks_for_code = params.get("To") == self._settings.codes
        endpoint = _endpoint(params)
        at_sip_phone = bool(endpoint) and not asks_for_code
        if (
            sum(call.at_sip_phone == at_sip_phone for call in self._calls.values())
            >= MOST_DIALOGUES
        ):
            return twiml.goodbye(twiml.NOT_NOW)
        number = params.get("From", "")
        call = self._add(sid)
        call.at_sip_phone = at_sip_phone
        call.number = number if E164.fullmatch(number) else ""
        if asks_for_code:
            call.choosing_code = True
            self._ask(call, (twiml.WHICH_CODE,), self._longest_code(), _CODE_WITHIN)
            return call.document
        dialled = _USER.match(params.get("To", ""))
        return self._run_code(call, unquote(dialled[1]) if dialled is not None else "", endpoint)

    def on_keys(self, webhook: Webhook) -> str:
        """Digits were keyed in (``Digits``), or none in time.

        The token is good once: when the request is repeated, the document is what it was.
        """
        call = self._calls.get(webhook.sid)
        if call is None:
            self._account.counts["stale"] += 1
            return twiml.goodbye()
        if not webhook.token or webhook.token != call.keys_token:
            return call.document
        call.keys_token = ""
        keys = webhook.params.get("Digits", "")
        if call.choosing_code:
            call.choosing_code = False
            return self._run_code(call, clean_keys(keys), "")
        return self._reply_to(call, partial(self.events.digits_keyed, call.sid, keys))

    def on_status(self, webhook: Webhook) -> str:
        """Twilio reports the state of a dialogue's call. Only its end matters."""
        if webhook.call_is_over:
            self.end(webhook.sid)
        return twiml.nothing()

    def _longest_code(self) -> int:
        """Length of the longest code. The pause code may be followed by a digit."""
        codes = self._settings.phone_codes
        return max(len(codes.pause) + 1, *(len(codes.named(code)) for code in Code))

    def _run_code(self, call: _DialogueCall, keyed: str, endpoint: str) -> str:
        found = self._settings.phone_codes.read(keyed)
        if found is None:
            self._say_and_hang_up(call, (twiml.NO_SUCH_CODE,))
            return call.document
        code, digit = found
        report = partial(
            self.events.code_dialled,
            call.sid,
            code,
            digit,
            endpoint=endpoint,
            caller_number=call.number,
        )
        return self._reply_to(call, report)

    # ------------------------------------------------------------ begin and end

    def begin(self, sid: str, report: Callable[[], None]) -> str:
        """Begin a dialogue on a call that we placed.

        Args:
            sid: the call.
            report: reports the event that begins it.

        Returns:
            The document to run.
        """
        return self._reply_to(self._add(sid), report)

    def end(self, sid: str) -> None:
        """A call has ended. If it had a dialogue, `PersonLeft` is reported."""
        if self._calls.pop(sid, None) is not None:
            self._account.mark_ended(sid)
            self.events.person_left(sid)

    def _add(self, sid: str) -> _DialogueCall:
        call = self._calls[sid] = _DialogueCall(sid)
        self._account.call_after(LONGEST_DIALOGUE, lambda: self._on_too_long(call))
        return call

    def _on_too_long(self, call: _DialogueCall) -> None:
        if self._calls.get(call.sid) is call:
            self._account.send_request(EndCall(sid=call.sid), lambda _result: None)
            self.end(call.sid)

    def _reply_to(self, call: _DialogueCall, report: Callable[[], None]) -> str:
        """Report an event and return the document to run.

        The router's reply (`say`) is known by the time `report` returns, and the document carries
        it. If it takes longer, because a PIN is being checked, it follows by a request.
        """
        call.document = twiml.one_moment()
        with self._reply.building(call.sid):
            report()
        return call.document

    # ------------------------------------------------------------ speaking

    def say(self, command: Say) -> None:
        """Speak, then read digits or hang up. Does nothing if the call has ended."""
        call = self._calls.get(command.channel)
        if call is None:
            return
        texts = tuple(sentences(command.sounds))
        if command.read > 0:
            self._ask(call, texts, command.read, command.seconds)
        else:
            self._say_and_hang_up(call, texts)
        self._reply.deliver(call.sid, partial(self._redirect, call, call.document))

    def _ask(
        self, call: _DialogueCall, texts: tuple[str, ...], digits: int, seconds: float
    ) -> None:
        call.keys_token = self._token()
        url = self._urls.to("keyed", call.keys_token)
        call.document = twiml.ask_for_digits(url, texts, digits, max(1, round(seconds)))

    def _say_and_hang_up(self, call: _DialogueCall, texts: tuple[str, ...]) -> None:
        call.keys_token = ""
        call.document = twiml.say_and_hang_up(texts)

    def _redirect(self, call: _DialogueCall, document: str) -> None:
        """Request that a call runs a document, unless a newer one has replaced it."""
        if self._calls.get(call.sid) is call and call.document == document:
            request = RedirectCall(sid=call.sid, twiml=document)
            self._account.send_request(request, partial(self._on_redirected, call, document))

    def _on_redirected(self, call: _DialogueCall, document: str, result: ApiResult) -> None:
        if result.safe_to_repeat:
            self._account.call_after(_RETRY_AFTER, lambda: self._redirect(call, document))
        elif result.outcome is ApiOutcome.REFUSED and self._calls.get(call.sid) is call:
            if not result.call_ended:
                logger.warning("%s: cannot talk on: %s", self._account.name, result.detail)
            self.end(call.sid)


def _endpoint(params: Mapping[str, str]) -> str:
    """The SIP phone that Twilio authenticated by password; "" if none, or if it is not named."""
    user, domain = params.get("SipUsername", ""), params.get("SipDomain", "").lower()
    known = _NAME.fullmatch(user) and _DOMAIN.fullmatch(domain)
    return f"sip/{user}@{domain}" if known else ""


# ---------------------------------------------------------------- prompts as text for Twilio to speak

WORDS: Final = {
    "activated": "is on.",
    "agent-incorrect": "That was not right. Key in your extension, then press the pound key.",
    "agent-loggedoff": "You are signed out.",
    "agent-loginok": "You are signed in.",
    "agent-pass": "Key in your code, then press the pound key.",
    "agent-user": "Key in your extension, then press the pound key.",
    "auth-incorrect": "That was not right. Try again.",
    "auth-thankyou": "Thank you.",
    "call-waiting": "Taking calls",
    "de-activated": "is off.",
    "dictate/pause": "Pause",
    "dictate/paused": "You are paused.",
    "feature-not-avail-line": "That is not possible here.",
    "im-sorry": "Sorry.",
    "is": "is",
    "is-in-use": "is in use already.",
    "one-moment-please": "After this call:",
    "please-try-call-later": "Please try again later.",
    "privacy-incorrect": "That number can not be taken.",
    "privacy-prompt": "Key in the number,",
    "telephone-number": "Your mobile",
    "vm-goodbye": "Goodbye.",
    "vm-incorrect": "That was not right.",
    "vm-isonphone": "You are on a call.",
    "vm-password": "The code",
    "vm-then-pound": "then press the pound key.",
} | {f"digits/{digit}": f"{digit}." for digit in range(10)}
"""A phrase for each sound. Consecutive phrases form a sentence."""

_SILENCE: Final = "silence/1"


def sentences(sounds: Iterable[str]) -> Iterator[str]:
    """The texts for sounds, one for each part between silences. Unknown sounds are left out."""
    text: list[str] = []
    for sound in (*sounds, _SILENCE):
        if sound != _SILENCE:
            text += [WORDS[sound]] if sound in WORDS else []
        elif text:
            yield " ".join(text)
            text = []
