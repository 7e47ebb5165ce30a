"""The verification call: asks for the code that the agent was shown, and verifies the number.

Why a code proves that the number is the agent's: it is shown to the agent alone, who is signed in or
at their own phone, and it is keyed in on the called phone alone. Both ends must be in one hand.
A code is good for one call, one mobile and one number, so knowing an old one is of no use.
"""

from __future__ import annotations

import hmac
import math
import re
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from callrouter.mobiles.book import MobileBook, RequestDenied
from callrouter.mobiles.mobile_records import Approval, AuditRow, DialledRow, MobileRow, MobileState
from callrouter.mobiles.number_policy import country_of
from callrouter.mobiles.rate_limits import VerificationCallLog
from callrouter.mobiles.registration_events import (
    CODE_DIGITS,
    CODE_LASTS,
    MOST_TRIES,
    CallSecrets,
    Decision,
    DeleteMobile,
    MobilesChanged,
    Requester,
    StoreMobile,
    VerificationEvent,
    VerificationStarted,
)
from callrouter.model.ivr import (
    CallNumber,
    DigitsKeyed,
    NumberAnswered,
    NumberFailed,
    PersonLeft,
    Say,
)
from callrouter.model.text import mask, phrase

# Sounds of Asterisk's core set, such as "please enter your password, followed by the pound key".
ASK: Final = ("agent-pass",)
AGAIN: Final = ("auth-incorrect",)
THANKS: Final = ("auth-thankyou", "vm-goodbye")
GOODBYE: Final = ("vm-goodbye",)

POUND_WITHIN: Final = 5.0
"""Seconds after a wrong code within which a lone # only ends that code and is not another try.

Six digits are complete without the #. A person who keys nothing takes longer than this.
"""

_CODE: Final = re.compile(rf"[0-9]{{{CODE_DIGITS}}}")


@dataclass(slots=True)
class VerificationCall:
    """A verification call: the mobile it is to verify, its code, and its progress.

    Attributes:
        requester: who asked for it.
        row: the mobile, as it is now.
        ref: its name, by which the PBX reports what becomes of it.
        code: the code that must be keyed in.
        expires_at: when the code expires, in epoch seconds.
        tries: number of wrong tries so far.
        wrong_at: when the last wrong code came, until a # that may follow it has arrived.
    """

    requester: Requester
    row: MobileRow
    ref: str
    code: str = field(repr=False)
    expires_at: float
    tries: int = 0
    wrong_at: float = -math.inf


class Verifications:
    """The verification calls in progress, at most one per agent.

    Args:
        book: the registered mobiles, which a call that succeeds changes.
        refused: counts refusals by kind.
    """

    def __init__(self, book: MobileBook, refused: Counter[str]) -> None:
        self.book = book
        self.refused = refused
        self.call_log = VerificationCallLog()
        self.pending: dict[str, VerificationCall] = {}
        """By agent."""
        self.channels: dict[tuple[str, str], str] = {}
        """The ref of each answered call, by its channel. Includes calls that are void."""

    def by_ref(self, ref: str) -> VerificationCall | None:
        """The call with this ref, while it still has something to verify."""
        return next((item for item in self.pending.values() if item.ref == ref), None)

    def check_may_start(self, row: MobileRow, call_secrets: CallSecrets, now: float) -> None:
        """Check that a call may be placed now: that no other is on, a PBX can, and no limit is hit.

        Raises:
            RequestDenied: it may not.
        """
        if row.agent in self.pending:
            raise RequestDenied(
                "busy",
                phrase("verification-on", "a verification call is on; wait until it is over"),
            )
        if not self.book.dialling:
            raise RequestDenied(
                "no-pbx", phrase("no-pbx-dials", "no PBX dials outside numbers (dial_number)")
            )
        if not call_secrets.pbx:
            raise RequestDenied(
                "no-pbx", phrase("no-pbx-verifies", "no PBX can place the verification call now")
            )
        country, settings = country_of(row.number), self.book.settings
        why = self.call_log.limit_reached(row.agent, row.number, country, settings, now)
        if why:
            raise RequestDenied("limit", why)

    def start(
        self, row: MobileRow, requester: Requester, call_secrets: CallSecrets, now: float
    ) -> Iterator[Decision]:
        """Place a call, with a code of its own.

        The call is recorded before it is placed, so that a crash in between cannot be used to place
        more calls than allowed.

        Yields:
            What follows, in order; the last one is the answer for the requester.
        """
        pending = VerificationCall(
            requester, row, call_secrets.ref, call_secrets.code, now + CODE_LASTS
        )
        self.pending[row.agent] = pending
        country = country_of(row.number)
        dialled = DialledRow(at=now, agent=row.agent, number=row.number, country=country)
        self.call_log.add(dialled)
        yield dialled
        yield replace(_audit_row(pending, now, "called"), via=requester.via)
        yield CallNumber(pbx=call_secrets.pbx, ref=call_secrets.ref, number=row.number)
        yield VerificationStarted(
            agent=row.agent,
            device=row.device,
            number=row.number,
            code=call_secrets.code,
            expires_at=pending.expires_at,
            text=phrase("answer-and-key-in", "answer the call, and key in the code"),
        )

    def cancel(self, agent: str, device: str) -> Iterator[Decision]:
        """End the call for a mobile, if there is one. Its code becomes invalid at once.

        The phone may go on ringing, since no PBX promises to stop it. A person who picks it up
        later hears a goodbye.
        """
        pending = self.pending.get(agent)
        if pending is None or pending.row.device != device:
            return
        del self.pending[agent]
        for (pbx, channel), ref in self.channels.items():
            if ref == pending.ref:
                yield Say(pbx=pbx, channel=channel, sounds=GOODBYE)

    def update_row(self, old: MobileRow, new: MobileRow) -> None:
        """The ring settings of a mobile have changed; its number is the same."""
        pending = self.pending.get(old.agent)
        if pending is not None and pending.row is old:
            pending.row = new

    def expire(self, now: float) -> Iterator[Decision]:
        """End the calls whose codes have expired."""
        for pending in list(self.pending.values()):
            if pending.expires_at <= now:
                yield from self.cancel(pending.row.agent, pending.row.device)
                yield _audit_row(pending, now, "expired")

    def drop_claims(self, made: MobileRow, now: float) -> Iterator[Decision]:
        """Drop unverified registrations of a number by other agents.

        Args:
            made: the mobile that has proved the number.
            now: the time, in epoch seconds.
        """
        for key, row in list(self.book.mobiles.items()):
            if row.number == made.number and row.agent != made.agent:
                yield from self.cancel(*key)
                del self.book.mobiles[key]
                yield AuditRow(
                    at=now,
                    agent=row.agent,
                    device=row.device,
                    who="callrouter",
                    via="",
                    what="dropped",
                    number=mask(row.number, words=False),
                    detail=phrase("proved-by-another", "another agent has proved this number"),
                )
                yield DeleteMobile(agent=row.agent, device=row.device)

    # ------------------------------------------------------------ the call

    def handle(self, event: VerificationEvent, now: float) -> Iterator[Decision]:
        """Handle what happened on the called phone.

        Events of calls that have nothing to verify any more are answered with a goodbye.
        """
        match event:
            case NumberAnswered():
                self.channels[event.pbx, event.channel] = event.ref
                pending = self.by_ref(event.ref)
                if pending is None:
                    yield Say(pbx=event.pbx, channel=event.channel, sounds=GOODBYE)
                else:
                    yield _audit_row(pending, now, "answered")
                    yield _say_prompt(event.pbx, event.channel, ASK)
            case NumberFailed():
                pending = self.by_ref(event.ref)
                if pending is not None:
                    yield self._end(pending, now, "not-answered", event.why.value)
            case DigitsKeyed():
                yield from self._on_digits(event, now)
            case PersonLeft():
                ref = self.channels.pop((event.pbx, event.channel), "")
                pending = self.by_ref(ref)
                if pending is not None:
                    yield self._end(pending, now, "hung-up")

    def _on_digits(self, event: DigitsKeyed, now: float) -> Iterator[Decision]:
        """Compare what was keyed in with the code.

        A PBX reports six digits as soon as they are there, and a # after them separately, as no
        digits. So an empty report right after a wrong code is no try of its own.
        """
        pending = self.by_ref(self.channels.get((event.pbx, event.channel), ""))
        bye = Say(pbx=event.pbx, channel=event.channel, sounds=GOODBYE)
        if pending is None:  # removed, expired, or already verified: a code is valid once
            yield bye
            return
        if _is_code(event.digits, pending.code):
            proved = yield from self._verify(pending, now)
            yield replace(bye, sounds=THANKS) if proved else bye
            return
        if not event.digits and now - pending.wrong_at < POUND_WITHIN:
            pending.wrong_at = -math.inf
            yield _say_prompt(event.pbx, event.channel, AGAIN)
            return
        pending.tries += 1
        pending.wrong_at = now if event.digits else -math.inf
        yield _audit_row(pending, now, "wrong-code" if event.digits else "no-code")
        if pending.tries < MOST_TRIES:
            yield _say_prompt(event.pbx, event.channel, AGAIN)
        else:
            self.refused["wrong-code"] += 1
            text = phrase("tries-without-code", "{most} tries without the code", most=MOST_TRIES)
            yield self._end(pending, now, "failed", text)
            yield bye

    def _verify(self, pending: VerificationCall, now: float) -> Generator[Decision, None, bool]:
        """The code was right.

        Another agent may have proved the same number in the meantime. Then it is refused.

        Returns:
            Whether the mobile is now verified.
        """
        row = pending.row
        try:
            self.book.check_not_taken(row.agent, row.number)
        except RequestDenied as no:
            self.refused[no.kind] += 1
            yield self._end(pending, now, "refused", no.with_kind)
            return False
        del self.pending[row.agent]
        waits = (
            self.book.settings.approval is Approval.SUPERVISOR and not pending.requester.supervisor
        )
        state = MobileState.WAITING if waits else MobileState.IN_USE
        made = replace(row, state=state.value, verified_at=now)
        self.book.mobiles[row.agent, row.device] = made
        became = (
            phrase("registered-waiting", "waiting")
            if waits
            else phrase("registered-in-use", "in-use")
        )
        yield _audit_row(pending, now, "verified", became)
        yield StoreMobile(row=made)
        yield from self.drop_claims(made, now)
        yield MobilesChanged()
        return True

    def _end(self, pending: VerificationCall, now: float, what: str, detail: str = "") -> AuditRow:
        self.pending.pop(pending.row.agent, None)
        return _audit_row(pending, now, what, detail)


def _audit_row(pending: VerificationCall, now: float, what: str, detail: str = "") -> AuditRow:
    return AuditRow(
        at=now,
        agent=pending.row.agent,
        device=pending.row.device,
        who=pending.requester.name,
        via="verification call",
        what=what,
        number=mask(pending.row.number, words=False),
        detail=detail,
    )


def _say_prompt(pbx: str, channel: str, sounds: tuple[str, ...]) -> Say:
    return Say(pbx=pbx, channel=channel, sounds=sounds, read=CODE_DIGITS, seconds=10.0)


def _is_code(keyed: str, code: str) -> bool:
    """Whether the code was keyed in.

    Compares in constant time, so that how long it takes tells nothing about the code. An empty code
    (`NO_SECRETS`) never fits.
    """
    keyed = keyed.removesuffix("#")
    right = hmac.compare_digest(keyed.encode("utf-8", "replace"), code.encode())
    return right and bool(_CODE.fullmatch(code))
