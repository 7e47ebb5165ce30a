"""Who is on the line, what was asked of Twilio, and what is to be done later.

Twilio promises no order among its callbacks, and not that each arrives, once. So every event is one
that may come at any time and again: what has ended stays so, and what never comes is made up for by a
deadline of our own.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from callrouter.model.commands import StopReason
from callrouter.model.events import (
    CallConnected,
    CallerEnd,
    CallerLeft,
    Event,
    LegEnd,
    LegEnded,
    PbxSnapshot,
    Reached,
)
from callrouter.model.table import Table
from callrouter.pbx.twilio.agenda import Agenda
from callrouter.pbx.twilio.asks import Answer, Ask
from callrouter.pbx.twilio.parties import Caller, Leg, LegKey, LegState, Stand, seen_call, seen_leg

KEPT = 600.0
"""Seconds for which the token of a leg that has ended is still known, for whoever answers late."""
GONE_FOR = 2 * 86_400.0
"""Seconds for which a call that is over is remembered; of one from before that, Twilio is asked."""
_GONE_KEPT = 100_000
"""Calls that are remembered at most, some 20 MB."""


class Ledger:
    """The books of one account.

    Args:
        name: of this PBX.
        post: where events go; it may give orders before it returns.
        send: where requests go; what came of each must be brought back, once, through `came`.
        table: the phones that there are.
        now: when it begins.
    """

    def __init__(
        self,
        name: str,
        *,
        post: Callable[[Event], None],
        send: Callable[[Ask], None],
        table: Table,
        now: float,
    ) -> None:
        self.name = name
        self.callers: dict[str, Caller] = {}
        """By CallSid."""
        self.legs: dict[LegKey, Leg] = {}
        self.by_token: dict[str, Leg] = {}
        self.gone: OrderedDict[str, float] = OrderedDict()
        """CallSids of calls that are over, each with when: no request of theirs brings them back."""
        self.remember: Callable[[str, float], None] = lambda _sid, _at: None
        """Told of each, to be kept over a restart."""
        self.counts: Counter[str] = Counter()
        """What was odd, by name; see `docs/operator.md`."""
        self.left_alone: Callable[[Leg], None] = lambda _leg: None
        """Told of a leg whose caller has gone."""
        self.now = now
        self.table = table
        self.offers_per_second: float | None = None
        """How many phones may be rung in a second; None: as many as one likes."""
        self._post = post
        self._send = send
        self._agenda = Agenda()
        self._open: dict[int, tuple[Ask, Callable[[Answer], None]]] = {}

    # ------------------------------------------------------------ time

    def next_at(self) -> float | None:
        """When `step` has something to do."""
        return self._agenda.next()

    def step(self, now: float) -> bool:
        """Do the first thing that is due by `now`; False: there is nothing."""
        action = self._agenda.due(now)
        if action is None:
            return False
        self.at(now)
        action()
        return True

    def at(self, now: float) -> None:
        """It is `now`."""
        self.now = max(self.now, now)

    def when(self, moment: float, action: Callable[[], None]) -> None:
        """Do something at a moment."""
        self._agenda.at(moment, action)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later."""
        self._agenda.at(self.now + seconds, action)

    # ------------------------------------------------------------ telling the router

    def tell(self, event: Event) -> None:
        """Post an event."""
        self._post(event)

    def ended(self, leg: Leg, why: LegEnd) -> None:
        """The one place where a leg ends, so that it ends once."""
        if not leg.live:
            return
        leg.state = LegState.ENDED
        self.legs.pop(leg.key, None)
        self.after(KEPT, partial(self._forget_token, leg.token))
        self.tell(LegEnded(offer=leg.ring.offer, device=leg.ring.device, why=why))

    def _forget_token(self, token: str) -> None:
        self.by_token.pop(token, None)

    def over(self, leg: Leg) -> None:
        """A leg that we had stopped, or that vanished, is no more."""
        self.ended(leg, end_of(leg))

    def connected(self, caller: Caller) -> None:
        """Caller and agent are in one conference, or certain to be."""
        if caller.stand is Stand.MOVING and caller.leg is not None:
            caller.stand = Stand.TALKING
            caller.since = self.now
            parks = not caller.leg.dialled
            offer = caller.leg.ring.offer
            self.tell(CallConnected(call=caller.arrived.call, offer=offer, parks=parks))

    def caller_gone(self, sid: str, how: CallerEnd = CallerEnd.HUNG_UP) -> None:
        """A caller is not with us any more."""
        caller = self.forget(sid)
        if caller is None:
            return
        for leg in (caller.leg, caller.consult):
            if leg is not None:
                self.left_alone(leg)
        if caller.stand is not Stand.LEAVING:
            self.tell(CallerLeft(call=caller.arrived.call, how=how))

    def forget(self, sid: str) -> Caller | None:
        """Strike a caller off, for good; the one they were."""
        caller = self.callers.pop(sid, None)
        if caller is not None:
            self.done_with(sid)
        return caller

    def done_with(self, sid: str) -> None:
        """A call is over for us; what is still told of it is stale."""
        if sid not in self.gone:
            self.remember(sid, self.now)
        self._is_over(sid, self.now)

    def recall(self, over: Iterable[tuple[str, float]]) -> None:
        """Know again which calls were over before this run, the first to end first."""
        since, self.gone = self.gone, OrderedDict()
        for sid, at in (*over, *since.items()):
            if sid not in self.callers:
                self._is_over(sid, at)

    def _is_over(self, sid: str, at: float) -> None:
        gone = self.gone
        gone[sid] = at
        gone.move_to_end(sid)
        while len(gone) > _GONE_KEPT or next(iter(gone.values())) < self.now - GONE_FOR:
            gone.popitem(last=False)
            if not gone:
                return

    def call_id(self, sid: str) -> str:
        """What the router calls a caller: the same again after a restart."""
        return f"{self.name}-{sid}"

    def caller_of(self, call: str) -> Caller | None:
        """The caller of a call."""
        return self.callers.get(call.removeprefix(f"{self.name}-"))

    # ------------------------------------------------------------ requests

    def ask(self, ask: Ask, then: Callable[[Answer], None]) -> None:
        """Make a request, and do `then` with what came of it."""
        self._open[id(ask)] = (ask, then)
        self._send(ask)

    def came(self, ask: Ask, answer: Answer, now: float) -> None:
        """What came of a request."""
        self.at(now)
        entry = self._open.pop(id(ask), None)
        if entry is not None:
            entry[1](answer)

    # ------------------------------------------------------------ as a whole

    def endpoints(self) -> Mapping[str, Reached]:
        """The phones that the table gives this PBX. Twilio does not say which of them are there."""
        return {
            device.endpoint: Reached.IDLE
            for agent in self.table.agents.values()
            for device in agent.devices
            if device.endpoint and self.name in device.pbxes
        }

    def snapshot(self) -> PbxSnapshot:
        """Everything there is now, as we know it."""
        talks = {
            leg.key
            for caller in self.callers.values()
            for leg in (caller.leg, caller.consult)
            if leg is not None and caller.stand is Stand.TALKING
        }
        return PbxSnapshot(
            pbx=self.name,
            offers_per_second=self.offers_per_second,
            parks=True,
            calls=tuple(
                seen_call(caller)
                for caller in self.callers.values()
                if caller.stand is not Stand.LEAVING
            ),
            legs=tuple(seen_leg(leg, talks=leg.key in talks) for leg in self.legs.values()),
            endpoints=self.endpoints(),
        )


def end_of(leg: Leg) -> LegEnd:
    """How a leg ended that was stopped: it was missed only if it rang its whole time."""
    if leg.stopping is StopReason.TIME_UP and leg.picked_up:
        return LegEnd.NOT_ACCEPTED
    missed = leg.stopping is StopReason.TIME_UP and leg.rang
    return LegEnd.NO_ANSWER if missed else LegEnd.HUNG_UP
