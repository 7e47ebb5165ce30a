"""The dialogue after a feature code: who is calling, what they want, and what is true then."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from callrouter.audit.act_log import Act
from callrouter.clock import Clock
from callrouter.core.board import Board
from callrouter.credentials.lockout import LOG_IN
from callrouter.feature_codes import code_requests, prompts
from callrouter.feature_codes import own_mobiles as own
from callrouter.feature_codes.calling_number import one_spelling
from callrouter.feature_codes.pins import PinChecker, PinClaim, PinResult
from callrouter.mobiles.mobile_service import MobileService
from callrouter.model.access_rows import LockRow, LockStore
from callrouter.model.events import AgentRequest, Event
from callrouter.model.ivr import (
    SHIPPED_CODES,
    Code,
    CodeDialled,
    DigitsKeyed,
    PersonLeft,
    PhoneCodes,
    PhoneEvent,
    Say,
)
from callrouter.model.projections import AgentView
from callrouter.model.text import phrase
from callrouter.pbx.interface import HasPhoneDialogues
from callrouter.pbx.phone_events import LONGEST_DIALOGUE
from callrouter.tasks import Tasks

logger = logging.getLogger(__name__)

TRIES: Final = 3
"""How many times an extension and PIN may be keyed in within one call."""
MOST_OTHERS: Final = 200
"""Dialogues at once with phones that are not an agent's. Further callers are asked to try later."""
MOST_OWN: Final = 1000
"""The same for agents' phones."""

OnDigits: TypeAlias = Callable[["CodeCall", str], None]


@dataclass(slots=True, eq=False, kw_only=True)
class CodeCall:
    """One call to a feature code.

    Attributes:
        pbx: the PBX.
        channel: the channel on it.
        code: the code that was dialled.
        digit: the digit after a pause code; empty if there was none.
        endpoint: the phone's endpoint; empty if it is not a phone of the PBX.
        number: the number that it claims to call from.
        own: whether the endpoint belongs to an agent.
        ends_at: when the dialogue counts as over, in epoch seconds.
        agent: the agent; empty until identified.
        by: who makes the request, for the records.
        by_pin: whether the agent was identified by a PIN.
        extension: the extension that was keyed in.
        tries: number of PINs that were keyed in.
        then: what to do with the digits that were asked for; None if none were.
    """

    pbx: str
    channel: str
    code: Code
    digit: str
    endpoint: str
    number: str
    own: bool
    ends_at: float
    agent: str = ""
    by: str = ""
    by_pin: bool = False
    extension: str = ""
    tries: int = 0
    then: OnDigits | None = None


class FeatureCodes:
    """Handles the feature codes of every PBX that can talk to people.

    Args:
        board: answers questions about the agents.
        post: passes a request to the core. It has taken effect when this returns.
        pins: returns the hashes of the agents' PINs, by agent.
        clock: for lockouts.
        tasks: owns the background tasks.
        region: returns the home country, for numbers not in international form.
        codes: returns the digits that agents dial, for the log and the audit.
        locks: stores lockouts across a restart.
        mobiles: registers mobiles. If None, the codes for that announce that they are not available.
        record: takes the requests down in the audit.
    """

    def __init__(
        self,
        *,
        board: Board,
        post: Callable[[Event], None],
        pins: Callable[[], Mapping[str, str]],
        clock: Clock,
        tasks: Tasks,
        region: Callable[[], str] = lambda: "",
        codes: Callable[[], PhoneCodes] = lambda: SHIPPED_CODES,
        locks: LockStore | None = None,
        mobiles: MobileService | None = None,
        record: Callable[[Act], None] = lambda _act: None,
    ) -> None:
        self._record = record
        self._locks = locks
        self._region = region
        self._codes = codes
        self._clock = clock
        self.pins = PinChecker(pins, clock, wrong=self._wrong_pin, keep=self._keep_lock)
        self._mobiles = mobiles
        self._board = board
        self._post = post
        self._tasks = tasks
        self._pbxes: dict[str, HasPhoneDialogues] = {}
        self._calls: dict[tuple[str, str], CodeCall] = {}

    def attach(self, name: str, pbx: HasPhoneDialogues) -> None:
        """Use this PBX as well.

        Args:
            name: its name.
            pbx: its driver, whose events the owner must pass to `handle`.
        """
        self._pbxes[name] = pbx

    def handle(self, event: PhoneEvent) -> bool:
        """Handle what happened on a phone.

        Returns:
            False if the channel belongs to no dialogue here, such as that of a verification call.
        """
        match event:
            case CodeDialled():
                self._on_code(event)
                return True
            case DigitsKeyed():
                call = self._calls.get((event.pbx, event.channel))
                if call is None:
                    return False
                then, call.then = call.then, None
                if then is not None:
                    then(call, event.digits)
                return True
            case PersonLeft():
                return self._calls.pop((event.pbx, event.channel), None) is not None
            case _:
                return False

    def status(self) -> dict[str, int]:
        """Counters for `callrouter status`.

        `outside_closed_s` is present while PINs from outside are refused: the seconds that remain.
        """
        lockout, closed = self.pins.lockout, math.ceil(self.pins.closed_for())
        counts = {
            "conversations": len(self._calls),
            "wrong_pins": lockout.wrong_total,
            "lockouts": lockout.locks_total,
        }
        return counts | {"outside_closed_s": closed} if closed else counts

    def restore_locks(self, rows: Iterable[LockRow]) -> None:
        """Restore the lockouts of an earlier run. Those of the page are left alone."""
        own = (row for row in rows if not row.key.startswith(LOG_IN))
        self.pins.lockout.restore(own, self._clock.now())

    def _keep_lock(self, row: LockRow) -> None:
        if self._locks is None:
            return
        if row.until:
            self._locks.put(row)
        else:
            self._locks.forget(row.key)

    # ------------------------------------------------------------ who it is

    def _on_code(self, event: CodeDialled) -> None:
        """A code was dialled. The phone identifies the agent if it is one agent's, else a PIN must.

        A phone that several agents share identifies none of them.
        """
        here = self._board.agents_at(event.pbx, event.endpoint)
        call = CodeCall(
            pbx=event.pbx,
            channel=event.channel,
            code=event.code,
            digit=event.digit,
            endpoint=event.endpoint,
            number=event.caller_number,
            own=bool(here),
            ends_at=self._clock.now() + LONGEST_DIALOGUE,
        )
        self._end_overdue()
        alike = sum(one.own == call.own for one in self._calls.values())
        if alike >= (MOST_OWN if call.own else MOST_OTHERS):
            self._speak(call, prompts.NOT_NOW)
            return
        self._calls[event.pbx, event.channel] = call
        if len(here) == 1:
            call.agent, call.by = here[0].id, f"phone {event.endpoint}"
            self._carry_out(call)
        else:
            self._ask(call, prompts.ASK_EXTENSION, 12, self._on_extension)

    def _end_overdue(self) -> None:
        """Forget dialogues whose end was lost. They are ordered by age."""
        now = self._clock.now()
        for key, call in list(self._calls.items()):
            if call.ends_at > now:
                return
            del self._calls[key]

    def _on_extension(self, call: CodeCall, digits: str) -> None:
        if not digits:
            self._say_last(call, prompts.NOTHING_KEYED)
            return
        call.extension = digits
        self._ask(call, prompts.ASK_PIN, 20, self._on_pin)

    def _on_pin(self, call: CodeCall, digits: str) -> None:
        agent = self._board.agent_with_extension(call.extension)
        claim = PinClaim(
            extension=call.extension,
            agent=agent.id if agent else "",
            pin=digits,
            endpoint=call.endpoint,
            number=one_spelling(call.number, self._region()),
            own=call.own,
        )
        self._tasks.spawn(self._check_pin(call, claim), "looking a PIN up")

    async def _check_pin(self, call: CodeCall, claim: PinClaim) -> None:
        answer = await self.pins.check(claim)
        if self._calls.get((call.pbx, call.channel)) is not call:
            return  # hung up in the meantime
        call.tries += 1
        match answer:
            case PinResult.RIGHT:
                call.agent, call.by_pin = claim.agent, True
                call.by = f"phone {call.endpoint}, by PIN"
                self._carry_out(call)
            case PinResult.WRONG if call.tries < TRIES:
                self._ask(call, prompts.ASK_EXTENSION_AGAIN, 12, self._on_extension)
            case PinResult.WRONG:
                self._say_last(call, prompts.WRONG)
            case PinResult.LOCKED:
                self._say_last(call, prompts.LOCKED)
            case PinResult.BUSY:
                self._say_last(call, prompts.NOT_NOW)

    def _wrong_pin(self, claim: PinClaim, locked: bool) -> None:
        if self._mobiles is not None and claim.agent:
            what = "locked" if locked else "wrong-pin"
            detail = phrase("at-phone", "at {place}", place=claim.place)
            self._mobiles.add_audit_row(claim.agent, who="", via=own.VIA, what=what, detail=detail)

    # ------------------------------------------------------------ what they want

    def _carry_out(self, call: CodeCall) -> None:
        """Carry out the request, and tell the agent what is true afterwards.

        It is the new state that is announced and not what was done. So an agent who dials twice, or
        whose supervisor acts in between, hears the right thing.
        """
        agent, pauses = self._board.agent(call.agent), self._board.table.pauses
        if agent is None or agent.gone:
            self._say_last(call, prompts.NOT_POSSIBLE)
            return
        if call.digit and not code_requests.reason_for_digit(pauses, call.digit):
            self._say_last(call, prompts.NOT_POSSIBLE)
            return
        request = code_requests.requested_by(pauses, agent, call.code, call.by, call.digit)
        if request is not None:
            self._request(call, agent, request)
        elif self._mobiles is None:
            self._say_last(call, prompts.NOT_POSSIBLE)
        elif call.code is Code.MOBILE_ON_OFF:
            self._say_last(call, own.toggle(self._mobiles, agent.id))
        else:
            self._register(call)

    def _register(self, call: CodeCall) -> None:
        """Register a mobile.

        A mobile that calls in registers itself. At the agent's own phone, the number is asked for.
        """
        number = own.calling_mobile(call.number) if call.by_pin else ""
        if number:
            self._register_number(call, number, own.HANGS_UP)
        else:
            self._ask(call, prompts.ASK_NUMBER, 20, self._on_number)

    def _on_number(self, call: CodeCall, digits: str) -> None:
        if digits:
            self._register_number(call, digits, own.READ_FIRST)
        else:
            self._say_last(call, prompts.NOTHING_KEYED)

    def _register_number(self, call: CodeCall, number: str, call_after: float) -> None:
        assert self._mobiles is not None  # noqa: S101 - checked before anything was asked
        answer = self._mobiles.register(
            call.agent, number, by=call.agent, via=own.VIA, call_after=call_after
        )
        self._say_last(call, own.registration_prompt(answer))

    def _request(self, call: CodeCall, agent: AgentView, request: AgentRequest) -> None:
        why = self._board.refusal(request)
        dialled = code_requests.dialled(self._codes(), call.code, call.digit)
        self._record(code_requests.act_of(request, dialled, call.by, refused=bool(why)))
        if why:
            logger.info("%s at %s: %s", dialled, call.endpoint, why)
            self._say_last(call, code_requests.refusal_prompt(agent))
            return
        self._post(request)
        now = self._board.agent(agent.id) or agent  # as the request has left them
        reason = code_requests.digit_of_reason(self._board.table.pauses, now)
        self._say_last(call, code_requests.state_prompt(now, call.code, reason))

    # ------------------------------------------------------------ talking

    def _ask(self, call: CodeCall, what: tuple[str, ...], digits: int, then: OnDigits) -> None:
        call.then = then
        self._speak(call, what, digits)

    def _say_last(self, call: CodeCall, what: tuple[str, ...]) -> None:
        """Say the last words; then the PBX hangs up."""
        self._speak(call, what)

    def _speak(self, call: CodeCall, what: tuple[str, ...], digits: int = 0) -> None:
        agent = self._board.agent_spec(call.agent)
        pbx = self._pbxes.get(call.pbx)
        if pbx is not None:
            language = agent.language if agent is not None else ""
            pbx.say(
                Say(
                    pbx=call.pbx,
                    channel=call.channel,
                    sounds=what,
                    read=digits,
                    language=language,
                )
            )
