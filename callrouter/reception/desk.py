"""The conversation with whoever dials a code: who they are, what they want, and what is true after it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from callrouter.clock import Clock
from callrouter.core.people import refusal
from callrouter.core.state import Agent, Floor
from callrouter.model.events import Event, PersonEvent
from callrouter.model.locks import LockRow, LockStore
from callrouter.model.phoning import Code, CodeDialled, DigitsKeyed, PersonLeft, PhoneEvent, Say
from callrouter.pbx.base import TalksToPeople
from callrouter.reception import asked, own, sounds
from callrouter.reception.numbers import spelled
from callrouter.reception.pins import Answer, Claim, Pins
from callrouter.tasks import Tasks

logger = logging.getLogger(__name__)

TRIES: Final = 3
"""Extensions and PINs that may be keyed in within one call."""
MOST: Final = 200
"""Conversations at once with phones that are no agent's; who comes then is asked to try later."""
MOST_OWN: Final = 1000
"""The same with agents' phones."""
LONGEST: Final = 120.0
"""Seconds after which a conversation is over, should its PBX not have said so."""

Then: TypeAlias = Callable[["Visit", str], None]


@dataclass(slots=True, eq=False)
class Visit:
    """One call to a code. `agent` is empty until it is known who they are."""

    pbx: str
    channel: str
    code: Code
    endpoint: str
    number: str
    own: bool = False
    """The endpoint is a phone of agents'."""
    ends_at: float = 0.0
    agent: str = ""
    extension: str = ""
    by: str = ""
    by_pin: bool = False
    digit: str = ""
    """What stood behind the code."""
    tries: int = 0
    then: Then | None = None
    """What to do with the digits that were asked for."""


class Reception:
    """Answers the codes of every PBX that talks to people.

    Args:
        floor: what is true of everybody.
        post: how a request reaches the core; it has taken effect when this returns.
        pins: the hashes of the agents' PINs, by agent.
        clock: for lockouts.
        tasks: keeps what runs beside the loop.
        region: the home country, for numbers that are not written internationally.
        locks: where locks after wrong PINs outlive a restart.
    """

    def __init__(
        self,
        *,
        floor: Callable[[], Floor],
        post: Callable[[Event], None],
        pins: Callable[[], Mapping[str, str]],
        clock: Clock,
        tasks: Tasks,
        region: Callable[[], str] = lambda: "",
        locks: LockStore | None = None,
    ) -> None:
        self._locks = locks
        self._region = region
        self._clock = clock
        self.pins = Pins(pins, clock, wrong=self._wrong_pin, keep=self._keep_lock)
        self.mobiles: own.Mobiles | None = None
        """Who registers mobiles; without, the codes for that say that they are not available."""
        self._floor = floor
        self._post = post
        self._tasks = tasks
        self._pbxes: dict[str, TalksToPeople] = {}
        self._visits: dict[tuple[str, str], Visit] = {}

    def attach(self, name: str, pbx: TalksToPeople) -> None:
        """Speak through this PBX as well. Its events are to be given to `heard`."""
        self._pbxes[name] = pbx

    def heard(self, event: PhoneEvent) -> bool:
        """Take an event; returns False for what concerns a channel of somebody else's."""
        match event:
            case CodeDialled():
                self._dialled(event)
                return True
            case DigitsKeyed():
                visit = self._visits.get((event.pbx, event.channel))
                if visit is None:
                    return False
                then, visit.then = visit.then, None
                if then is not None:
                    then(visit, event.digits)
                return True
            case PersonLeft():
                return self._visits.pop((event.pbx, event.channel), None) is not None
            case _:
                return False

    def status(self) -> dict[str, int]:
        """Counters, for `callrouter status`; `outside_closed_s` while no PIN is taken from outside."""
        lockout, closed = self.pins.lockout, math.ceil(self.pins.closed_for())
        counts = {
            "conversations": len(self._visits),
            "wrong_pins": lockout.wrong_total,
            "lockouts": lockout.locks_total,
        }
        return counts | {"outside_closed_s": closed} if closed else counts

    async def load_locks(self) -> None:
        """Put the locks back that an earlier run kept; waits for the store."""
        if self._locks is not None:
            rows = await self._locks.load()
            self.pins.lockout.restore(rows, self._clock.now())

    def _keep_lock(self, row: LockRow) -> None:
        if self._locks is None:
            return
        if row.until:
            self._locks.put(row)
        else:
            self._locks.forget(row.key)

    # ------------------------------------------------------------ who it is

    def _dialled(self, event: CodeDialled) -> None:
        owners = self._floor().owners.get((event.pbx, event.endpoint), [])
        here = [agent for agent in owners if not agent.gone]
        visit = Visit(event.pbx, event.channel, event.code, event.endpoint, event.caller_number)
        visit.digit = event.digit
        visit.own, visit.ends_at = bool(here), self._clock.now() + LONGEST
        self._end_overdue()
        alike = sum(one.own == visit.own for one in self._visits.values())
        if alike >= (MOST_OWN if visit.own else MOST):
            self._pbx_say(visit, sounds.NOT_NOW)
            return
        self._visits[event.pbx, event.channel] = visit
        if len(here) == 1:  # a phone that several share tells nothing
            visit.agent, visit.by = here[0].id, f"phone {event.endpoint}"
            self._act(visit)
        else:
            self._ask(visit, sounds.ASK_EXTENSION, 12, self._extension_keyed)

    def _end_overdue(self) -> None:
        """Forget conversations of which the end was lost; the oldest come first."""
        now = self._clock.now()
        for key, visit in list(self._visits.items()):
            if visit.ends_at > now:
                return
            del self._visits[key]

    def _extension_keyed(self, visit: Visit, digits: str) -> None:
        if not digits:
            self._say(visit, sounds.NOTHING_KEYED)
            return
        visit.extension = digits
        self._ask(visit, sounds.ASK_PIN, 20, self._pin_keyed)

    def _pin_keyed(self, visit: Visit, digits: str) -> None:
        agent = asked.agent_of(self._floor(), visit.extension)
        # Calls from outside come by the same trunk: there the number tells phones apart.
        phone = f"{visit.endpoint} {spelled(visit.number, self._region())}"
        claim = Claim(visit.extension, agent.id if agent else "", digits, phone, visit.own)
        self._tasks.spawn(self._check(visit, claim), "looking a PIN up")

    async def _check(self, visit: Visit, claim: Claim) -> None:
        answer = await self.pins.check(claim)
        if self._visits.get((visit.pbx, visit.channel)) is not visit:
            return  # hung up meanwhile
        visit.tries += 1
        match answer:
            case Answer.RIGHT:
                visit.agent, visit.by_pin = claim.agent, True
                visit.by = f"phone {visit.endpoint}, by PIN"
                self._act(visit)
            case Answer.WRONG if visit.tries < TRIES:
                self._ask(visit, sounds.ASK_EXTENSION_AGAIN, 12, self._extension_keyed)
            case Answer.WRONG:
                self._say(visit, sounds.WRONG)
            case Answer.LOCKED:
                self._say(visit, sounds.LOCKED)
            case Answer.BUSY:
                self._say(visit, sounds.NOT_NOW)

    def _wrong_pin(self, claim: Claim, locked: bool) -> None:
        if self.mobiles is not None and claim.agent:
            what = "locked" if locked else "wrong-pin"
            detail = f"at {claim.place}"
            self.mobiles.audit(claim.agent, who="", via=own.VIA, what=what, detail=detail)

    # ------------------------------------------------------------ what they want

    def _act(self, visit: Visit) -> None:
        """Do it, and say what is true then."""
        agent = self._floor().agents.get(visit.agent)
        if agent is None or agent.gone:
            self._say(visit, sounds.NOT_POSSIBLE)
            return
        if visit.digit and not asked.reason_by(self._floor(), visit.digit):
            self._say(visit, sounds.NOT_POSSIBLE)
            return
        request = asked.request(self._floor(), agent, visit.code, visit.by, visit.digit)
        if request is not None:
            self._request(visit, agent, request)
        elif self.mobiles is None:
            self._say(visit, sounds.NOT_POSSIBLE)
        elif visit.code is Code.MOBILE_ON_OFF:
            self._say(visit, own.switch(self.mobiles, agent.id))
        else:
            self._register(visit)

    def _register(self, visit: Visit) -> None:
        """At one's own phone the number is asked for; a mobile that calls in is the one that is meant."""
        number = own.number_of(visit.number) if visit.by_pin else ""
        if number:
            self._take_number(visit, number, own.HANGS_UP)
        else:
            self._ask(visit, sounds.ASK_NUMBER, 20, self._number_keyed)

    def _number_keyed(self, visit: Visit, digits: str) -> None:
        if digits:
            self._take_number(visit, digits, own.READ_FIRST)
        else:
            self._say(visit, sounds.NOTHING_KEYED)

    def _take_number(self, visit: Visit, number: str, call_after: float) -> None:
        assert self.mobiles is not None  # noqa: S101 - looked at before anything was asked
        answer = self.mobiles.register(
            visit.agent, number, by=visit.agent, via=own.VIA, call_after=call_after
        )
        self._say(visit, own.started(answer) or own.refused(answer))

    def _request(self, visit: Visit, agent: Agent, request: PersonEvent) -> None:
        why = refusal(self._floor(), request)
        if why:
            logger.info("%s at %s: %s", visit.code.value, visit.endpoint, why)
            self._say(visit, asked.refused(agent))
            return
        self._post(request)
        self._say(visit, asked.truth(agent, visit.code, asked.place_of(self._floor(), agent)))

    # ------------------------------------------------------------ talking

    def _ask(self, visit: Visit, what: tuple[str, ...], digits: int, then: Then) -> None:
        visit.then = then
        self._pbx_say(visit, what, digits)

    def _say(self, visit: Visit, what: tuple[str, ...]) -> None:
        """The last words; then the PBX hangs up."""
        self._pbx_say(visit, what)

    def _pbx_say(self, visit: Visit, what: tuple[str, ...], digits: int = 0) -> None:
        agent = self._floor().agents.get(visit.agent)
        pbx = self._pbxes.get(visit.pbx)
        if pbx is not None:
            language = agent.spec.language if agent is not None else ""
            pbx.say(
                Say(
                    pbx=visit.pbx,
                    channel=visit.channel,
                    sounds=what,
                    read=digits,
                    language=language,
                )
            )
