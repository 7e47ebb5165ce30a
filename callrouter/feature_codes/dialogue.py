"""The dialogue after a feature code: who is calling, what they want, and what is true then."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from callrouter.clock import Clock
from callrouter.core.floor import Floor
from callrouter.core.requests import refusal
from callrouter.core.state import Agent
from callrouter.feature_codes import code_requests, prompts
from callrouter.feature_codes import own_mobiles as own
from callrouter.feature_codes.calling_number import spelled
from callrouter.feature_codes.pins import Answer, Claim, Pins
from callrouter.model.events import AgentRequest, Event
from callrouter.model.ivr import Code, CodeDialled, DigitsKeyed, PersonLeft, PhoneEvent, Say
from callrouter.model.lockouts import LockRow, LockStore
from callrouter.pbx.base import TalksToPeople
from callrouter.tasks import Tasks

logger = logging.getLogger(__name__)

TRIES: Final = 3
"""How many times an extension and PIN may be keyed in within one call."""
MOST: Final = 200
"""Dialogues at once with phones that are not an agent's. Further callers are asked to try later."""
MOST_OWN: Final = 1000
"""The same for agents' phones."""
LONGEST: Final = 120.0
"""Seconds after which a dialogue counts as over, even if its PBX has not said so."""

Then: TypeAlias = Callable[["Visit", str], None]


@dataclass(slots=True, eq=False)
class Visit:
    """One call to a feature code. `agent` is empty until the agent is identified."""

    pbx: str
    channel: str
    code: Code
    endpoint: str
    number: str
    own: bool = False
    """Whether the endpoint belongs to an agent."""
    ends_at: float = 0.0
    agent: str = ""
    extension: str = ""
    by: str = ""
    by_pin: bool = False
    digit: str = ""
    """The digit after the code."""
    tries: int = 0
    then: Then | None = None
    """What to do with the digits that were asked for."""


class Reception:
    """Handles the feature codes of every PBX that can talk to people.

    Args:
        floor: returns the state of the core.
        post: passes a request to the core. It has taken effect when this returns.
        pins: returns the hashes of the agents' PINs, by agent.
        clock: for lockouts.
        tasks: owns the background tasks.
        region: returns the home country, for numbers not in international form.
        locks: stores lockouts across a restart.
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
        """Registers mobiles. If None, the codes for that announce that they are not available."""
        self._floor = floor
        self._post = post
        self._tasks = tasks
        self._pbxes: dict[str, TalksToPeople] = {}
        self._visits: dict[tuple[str, str], Visit] = {}

    def attach(self, name: str, pbx: TalksToPeople) -> None:
        """Use this PBX as well. The owner must pass its events to `heard`."""
        self._pbxes[name] = pbx

    def heard(self, event: PhoneEvent) -> bool:
        """Handle an event. Returns False if its channel does not belong to a dialogue here."""
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
        """Counters for `callrouter status`.

        `outside_closed_s` is present while PINs from outside are refused: the seconds that remain.
        """
        lockout, closed = self.pins.lockout, math.ceil(self.pins.closed_for())
        counts = {
            "conversations": len(self._visits),
            "wrong_pins": lockout.wrong_total,
            "lockouts": lockout.locks_total,
        }
        return counts | {"outside_closed_s": closed} if closed else counts

    async def load_locks(self) -> None:
        """Restore the lockouts of an earlier run. Waits for the store."""
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
            self._pbx_say(visit, prompts.NOT_NOW)
            return
        self._visits[event.pbx, event.channel] = visit
        if len(here) == 1:  # a phone shared by several agents identifies none of them
            visit.agent, visit.by = here[0].id, f"phone {event.endpoint}"
            self._act(visit)
        else:
            self._ask(visit, prompts.ASK_EXTENSION, 12, self._extension_keyed)

    def _end_overdue(self) -> None:
        """Forget dialogues whose end was lost. They are ordered by age."""
        now = self._clock.now()
        for key, visit in list(self._visits.items()):
            if visit.ends_at > now:
                return
            del self._visits[key]

    def _extension_keyed(self, visit: Visit, digits: str) -> None:
        if not digits:
            self._say(visit, prompts.NOTHING_KEYED)
            return
        visit.extension = digits
        self._ask(visit, prompts.ASK_PIN, 20, self._pin_keyed)

    def _pin_keyed(self, visit: Visit, digits: str) -> None:
        agent = code_requests.agent_of(self._floor(), visit.extension)
        # Calls from outside share a trunk endpoint, so the number tells their phones apart.
        phone = f"{visit.endpoint} {spelled(visit.number, self._region())}"
        claim = Claim(visit.extension, agent.id if agent else "", digits, phone, visit.own)
        self._tasks.spawn(self._check(visit, claim), "looking a PIN up")

    async def _check(self, visit: Visit, claim: Claim) -> None:
        answer = await self.pins.check(claim)
        if self._visits.get((visit.pbx, visit.channel)) is not visit:
            return  # hung up in the meantime
        visit.tries += 1
        match answer:
            case Answer.RIGHT:
                visit.agent, visit.by_pin = claim.agent, True
                visit.by = f"phone {visit.endpoint}, by PIN"
                self._act(visit)
            case Answer.WRONG if visit.tries < TRIES:
                self._ask(visit, prompts.ASK_EXTENSION_AGAIN, 12, self._extension_keyed)
            case Answer.WRONG:
                self._say(visit, prompts.WRONG)
            case Answer.LOCKED:
                self._say(visit, prompts.LOCKED)
            case Answer.BUSY:
                self._say(visit, prompts.NOT_NOW)

    def _wrong_pin(self, claim: Claim, locked: bool) -> None:
        if self.mobiles is not None and claim.agent:
            what = "locked" if locked else "wrong-pin"
            detail = f"at {claim.place}"
            self.mobiles.audit(claim.agent, who="", via=own.VIA, what=what, detail=detail)

    # ------------------------------------------------------------ what they want

    def _act(self, visit: Visit) -> None:
        """Carry out the request and announce the result."""
        agent = self._floor().agents.get(visit.agent)
        if agent is None or agent.gone:
            self._say(visit, prompts.NOT_POSSIBLE)
            return
        if visit.digit and not code_requests.reason_by(self._floor(), visit.digit):
            self._say(visit, prompts.NOT_POSSIBLE)
            return
        request = code_requests.request(self._floor(), agent, visit.code, visit.by, visit.digit)
        if request is not None:
            self._request(visit, agent, request)
        elif self.mobiles is None:
            self._say(visit, prompts.NOT_POSSIBLE)
        elif visit.code is Code.MOBILE_ON_OFF:
            self._say(visit, own.switch(self.mobiles, agent.id))
        else:
            self._register(visit)

    def _register(self, visit: Visit) -> None:
        """Register a mobile.

        A mobile that calls in registers itself. At the agent's own phone, the number is asked for.
        """
        number = own.number_of(visit.number) if visit.by_pin else ""
        if number:
            self._take_number(visit, number, own.HANGS_UP)
        else:
            self._ask(visit, prompts.ASK_NUMBER, 20, self._number_keyed)

    def _number_keyed(self, visit: Visit, digits: str) -> None:
        if digits:
            self._take_number(visit, digits, own.READ_FIRST)
        else:
            self._say(visit, prompts.NOTHING_KEYED)

    def _take_number(self, visit: Visit, number: str, call_after: float) -> None:
        assert self.mobiles is not None  # noqa: S101 - checked before anything was asked
        answer = self.mobiles.register(
            visit.agent, number, by=visit.agent, via=own.VIA, call_after=call_after
        )
        self._say(visit, own.started(answer) or own.refused(answer))

    def _request(self, visit: Visit, agent: Agent, request: AgentRequest) -> None:
        why = refusal(self._floor(), request)
        if why:
            logger.info("%s at %s: %s", visit.code.value, visit.endpoint, why)
            self._say(visit, code_requests.refused(agent))
            return
        self._post(request)
        self._say(
            visit,
            code_requests.truth(agent, visit.code, code_requests.place_of(self._floor(), agent)),
        )

    # ------------------------------------------------------------ talking

    def _ask(self, visit: Visit, what: tuple[str, ...], digits: int, then: Then) -> None:
        visit.then = then
        self._pbx_say(visit, what, digits)

    def _say(self, visit: Visit, what: tuple[str, ...]) -> None:
        """Say the last words; then the PBX hangs up."""
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
