"""The state of one account: callers, legs, requests to Twilio, and scheduled actions.

Twilio guarantees neither the order of its callbacks nor that each one arrives exactly once. So
every event may come at any time and more than once. Two rules make this safe. What has ended stays
ended: a CallSid in `gone` and a leg that is not `live` are never revived. And every wait has a
deadline of our own, which takes the place of a callback that never comes.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from callrouter.model.commands import StopReason
from callrouter.model.events import (
    CallerEnd,
    CallerLeft,
    ConnectSucceeded,
    DeviceState,
    Event,
    LegEnd,
    LegEnded,
    PbxSnapshot,
)
from callrouter.model.routing_table import Table
from callrouter.pbx.twilio.api_requests import Answer, Ask
from callrouter.pbx.twilio.calls_and_legs import (
    Caller,
    Leg,
    LegKey,
    LegState,
    Stand,
    seen_call,
    seen_leg,
)
from callrouter.pbx.twilio.scheduler import Agenda

KEPT = 600.0
"""Seconds for which the token of an ended leg is remembered, in case a phone answers late."""
GONE_FOR = 2 * 86_400.0
"""Seconds for which an ended call is remembered. About older ones, Twilio is asked."""
_GONE_KEPT = 100_000
"""Maximum number of ended calls remembered, about 20 MB."""


class Ledger:
    """The callers and legs of one account.

    Args:
        name: name of the PBX.
        post: receives events. It may give commands before it returns.
        send: receives requests. The outcome of each must be returned once, through `came`.
        table: the routing table, with the phones.
        now: the time at the start.
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
        """CallSids of ended calls and their end times. No request may revive them."""
        self.remember: Callable[[str, float], None] = lambda _sid, _at: None
        """Called with each ended call, so that it can be stored over a restart."""
        self.counts: Counter[str] = Counter()
        """Counters of anomalies, by name; see `docs/operator.md`."""
        self.left_alone: Callable[[Leg], None] = lambda _leg: None
        """Called with a leg whose caller has left."""
        self.now = now
        self.table = table
        self.offers_per_second: float | None = None
        """How many phones may be rung per second; None means no limit."""
        self._post = post
        self._send = send
        self._agenda = Agenda()
        self._open: dict[int, tuple[Ask, Callable[[Answer], None]]] = {}

    # ------------------------------------------------------------ time

    def next_at(self) -> float | None:
        """The time at which `step` has something to do; None if nothing is scheduled."""
        return self._agenda.next()

    def step(self, now: float) -> bool:
        """Run the first action that is due by `now`. Return False if there is none."""
        action = self._agenda.due(now)
        if action is None:
            return False
        self.at(now)
        action()
        return True

    def at(self, now: float) -> None:
        """Set the time. It never goes back."""
        self.now = max(self.now, now)

    def when(self, moment: float, action: Callable[[], None]) -> None:
        """Schedule an action for a moment."""
        self._agenda.at(moment, action)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Schedule an action in `seconds` seconds."""
        self._agenda.at(self.now + seconds, action)

    # ------------------------------------------------------------ events for the router

    def tell(self, event: Event) -> None:
        """Post an event."""
        self._post(event)

    def ended(self, leg: Leg, why: LegEnd) -> None:
        """End a leg. All legs end here, so that each ends once."""
        if not leg.live:
            return
        leg.state = LegState.ENDED
        self.legs.pop(leg.key, None)
        self.after(KEPT, partial(self._forget_token, leg.token))
        self.tell(LegEnded(offer=leg.ring.offer, device=leg.ring.device, why=why))

    def _forget_token(self, token: str) -> None:
        self.by_token.pop(token, None)

    def over(self, leg: Leg) -> None:
        """End a leg that we stopped, or that vanished."""
        self.ended(leg, end_of(leg))

    def connected(self, caller: Caller) -> None:
        """Caller and agent are in the same conference, or certain to be."""
        if caller.stand is Stand.MOVING and caller.leg is not None:
            caller.stand = Stand.TALKING
            caller.since = self.now
            can_hold = not caller.leg.dialled
            offer = caller.leg.ring.offer
            self.tell(ConnectSucceeded(call=caller.arrived.call, offer=offer, can_hold=can_hold))

    def caller_gone(self, sid: str, how: CallerEnd = CallerEnd.HUNG_UP) -> None:
        """A caller has left us."""
        caller = self.forget(sid)
        if caller is None:
            return
        for leg in (caller.leg, caller.consult):
            if leg is not None:
                self.left_alone(leg)
        if caller.stand is not Stand.LEAVING:
            self.tell(CallerLeft(call=caller.arrived.call, how=how))

    def forget(self, sid: str) -> Caller | None:
        """Remove a caller for good, and return it."""
        caller = self.callers.pop(sid, None)
        if caller is not None:
            self.done_with(sid)
        return caller

    def done_with(self, sid: str) -> None:
        """Mark a call as ended. Later messages about it are stale."""
        if sid not in self.gone:
            self.remember(sid, self.now)
        self._is_over(sid, self.now)

    def recall(self, over: Iterable[tuple[str, float]]) -> None:
        """Load the calls that had ended before this run, in order of their end."""
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
        """The router's id for a call. It is the same after a restart."""
        return f"{self.name}-{sid}"

    def caller_of(self, call: str) -> Caller | None:
        """The caller of a call."""
        return self.callers.get(call.removeprefix(f"{self.name}-"))

    # ------------------------------------------------------------ requests

    def ask(self, ask: Ask, then: Callable[[Answer], None]) -> None:
        """Send a request, and call `then` with its outcome."""
        self._open[id(ask)] = (ask, then)
        self._send(ask)

    def came(self, ask: Ask, answer: Answer, now: float) -> None:
        """Take the outcome of a request."""
        self.at(now)
        entry = self._open.pop(id(ask), None)
        if entry is not None:
            entry[1](answer)

    # ------------------------------------------------------------ the whole state

    def endpoints(self) -> Mapping[str, DeviceState]:
        """The phones that the routing table gives this PBX.

        Twilio does not report which are online.
        """
        return {
            device.endpoint: DeviceState.IDLE
            for agent in self.table.agents.values()
            for device in agent.devices
            if device.endpoint and self.name in device.pbxes
        }

    def snapshot(self) -> PbxSnapshot:
        """The present state as a snapshot."""
        talks = {
            leg.key
            for caller in self.callers.values()
            for leg in (caller.leg, caller.consult)
            if leg is not None and caller.stand is Stand.TALKING
        }
        return PbxSnapshot(
            pbx=self.name,
            offers_per_second=self.offers_per_second,
            can_hold=True,
            calls=tuple(
                seen_call(caller)
                for caller in self.callers.values()
                if caller.stand is not Stand.LEAVING
            ),
            legs=tuple(seen_leg(leg, talks=leg.key in talks) for leg in self.legs.values()),
            endpoints=self.endpoints(),
        )


def end_of(leg: Leg) -> LegEnd:
    """How a stopped leg ended. It counts as missed only if it rang for its whole ring time."""
    if leg.stopping is StopReason.TIME_UP and leg.picked_up:
        return LegEnd.NOT_ACCEPTED
    missed = leg.stopping is StopReason.TIME_UP and leg.rang
    return LegEnd.NO_ANSWER if missed else LegEnd.HUNG_UP
