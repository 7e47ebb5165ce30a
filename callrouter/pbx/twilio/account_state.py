"""The state of one account: callers, legs, requests to Twilio, and scheduled actions.

Twilio guarantees neither the order of its callbacks nor that each one arrives exactly once. So
every event may come at any time and more than once. Two rules make this safe. What has ended stays
ended: a CallSid in `ended_calls` and a leg that is not `live` are never revived. And every wait has a
deadline of our own, which takes the place of a callback that never comes.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

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
from callrouter.pbx.scheduler import Scheduler
from callrouter.pbx.twilio.calls_and_legs import (
    LegKey,
    TwilioCaller,
    TwilioCallerState,
    TwilioLeg,
    TwilioLegState,
    seen_call,
    seen_leg,
)
from callrouter.pbx.twilio.rest.api_requests import ApiRequest, ApiResult

TOKEN_KEPT_FOR = 600.0
"""Seconds for which the token of an ended leg is remembered, in case a phone answers late."""
ENDED_KEPT_FOR = 2 * 86_400.0
"""Seconds for which an ended call is remembered. About older ones, Twilio is asked."""
_MOST_ENDED = 100_000
"""Maximum number of ended calls remembered, about 20 MB."""

NO_OUTSIDE_CALLS: Final = (
    "Twilio would ring it by <Dial> in the caller's own call, and this driver neither counts such calls "
    "over a restart nor takes the caller back from one"
)
"""Why a caller of Twilio's is not passed on to a number outside."""


class AccountState:
    """The callers and legs of one account.

    Args:
        name: name of the PBX.
        post: receives events. It may give commands before it returns.
        send: receives requests. The outcome of each must be returned once, through `take_result`.
        table: the routing table, with the phones.
        now: the time at the start.
        offers_per_second: how many phones may be rung per second; None means no limit.
        on_caller_left: called with each leg whose caller has left.
    """

    def __init__(
        self,
        name: str,
        *,
        post: Callable[[Event], None],
        send: Callable[[ApiRequest], None],
        table: Table,
        now: float,
        offers_per_second: float | None,
        on_caller_left: Callable[[TwilioLeg], None],
    ) -> None:
        self.name = name
        self.callers: dict[str, TwilioCaller] = {}
        """By CallSid."""
        self.legs: dict[LegKey, TwilioLeg] = {}
        self.by_token: dict[str, TwilioLeg] = {}
        self.ended_calls: OrderedDict[str, float] = OrderedDict()
        """CallSids of ended calls and their end times. No request may revive them."""
        self.counts: Counter[str] = Counter()
        """Counters of anomalies, by name; see `docs/operator.md`."""
        self.now = now
        self.table = table
        self._offers_per_second = offers_per_second
        self._on_caller_left = on_caller_left
        self._keepers: list[Callable[[str, float], None]] = []
        self._post = post
        self._send = send
        self._scheduler: Scheduler[None] = Scheduler()
        self._pending: dict[int, tuple[ApiRequest, Callable[[ApiResult], None]]] = {}

    # ------------------------------------------------------------ time

    def next_at(self) -> float | None:
        """The time at which `run_due` has something to do; None if nothing is scheduled."""
        return self._scheduler.next_at()

    def run_due(self, now: float) -> bool:
        """Run the first action that is due by `now`.

        Returns:
            False if there was none. The caller repeats this until then, because an action may
            schedule another one that is due at once.
        """
        due = self._scheduler.pop_due(now)
        if due is None:
            return False
        self.set_time(now)
        due[1]()
        return True

    def set_time(self, now: float) -> None:
        """Set the time, in epoch seconds.

        It never goes back, whatever a clock step says: a deadline that has passed stays passed.
        """
        self.now = max(self.now, now)

    def call_at(self, moment: float, action: Callable[[], None]) -> None:
        """Schedule an action for a moment, in epoch seconds. One in the past is due at once."""
        self._scheduler.at(moment, action)

    def call_after(self, seconds: float, action: Callable[[], None]) -> None:
        """Schedule an action in `seconds` seconds."""
        self._scheduler.at(self.now + seconds, action)

    # ------------------------------------------------------------ events for the router

    def post_event(self, event: Event) -> None:
        """Post an event to the router.

        The router may give commands before this returns. So the state that they act on must be
        complete before: callers change the state first and post last.
        """
        self._post(event)

    def end_leg(self, leg: TwilioLeg, why: LegEnd) -> None:
        """End a leg and report it. All legs end here, so that each is reported once.

        Its token is remembered for `TOKEN_KEPT_FOR` seconds: a phone that is picked up late must still be
        recognised, to be told that the call is taken.
        """
        if not leg.live:
            return
        leg.state = TwilioLegState.ENDED
        self.legs.pop(leg.key, None)
        self.call_after(TOKEN_KEPT_FOR, partial(self._forget_token, leg.token))
        self.post_event(LegEnded(offer=leg.ring.offer, device=leg.ring.device, why=why))

    def _forget_token(self, token: str) -> None:
        self.by_token.pop(token, None)

    def end_stopped_leg(self, leg: TwilioLeg) -> None:
        """End a leg that we stopped, or that vanished. The reason follows from how it was stopped."""
        self.end_leg(leg, end_of_stopped_leg(leg))

    def mark_connected(self, caller: TwilioCaller) -> None:
        """Caller and agent are in the same conference, or certain to be.

        Several reports may say so (the answer to our request, the conference's webhook). Only the
        first has an effect.
        """
        if caller.state is TwilioCallerState.MOVING and caller.leg is not None:
            caller.state = TwilioCallerState.TALKING
            caller.state_since = self.now
            can_hold = not caller.leg.in_group_dial
            offer = caller.leg.ring.offer
            self.post_event(
                ConnectSucceeded(call=caller.arrived.call, offer=offer, can_hold=can_hold)
            )

    def caller_left(self, sid: str, how: CallerEnd = CallerEnd.HUNG_UP) -> None:
        """A caller has left: remove them, tell the router, and end the legs that were with them.

        Args:
            sid: the caller's CallSid. An unknown one, or one that has left already, is ignored.
            how: how they left, for the router.
        """
        caller = self.remove_caller(sid)
        if caller is None:
            return
        for leg in (caller.leg, caller.consulted_leg):
            if leg is not None:
                self._on_caller_left(leg)
        if caller.state is not TwilioCallerState.LEAVING:
            self.post_event(CallerLeft(call=caller.arrived.call, how=how))

    def remove_caller(self, sid: str) -> TwilioCaller | None:
        """Remove a caller for good, and return it; None if there is no such caller."""
        caller = self.callers.pop(sid, None)
        if caller is not None:
            self.mark_ended(sid)
        return caller

    def mark_ended(self, sid: str) -> None:
        """Mark a call as ended. Later messages about it are stale."""
        if sid not in self.ended_calls:
            for keep in self._keepers:
                keep(sid, self.now)
        self._remember_ended(sid, self.now)

    def store_ended_calls(self, keep: Callable[[str, float], None]) -> None:
        """Pass the CallSid and end time of each call that ends from now on to `keep`."""
        self._keepers.append(keep)

    def restore_ended_calls(self, over: Iterable[tuple[str, float]]) -> None:
        """Load the calls that had ended before this run.

        They are older than those that have ended since, and eviction goes by age. So they are put
        in front.

        Args:
            over: CallSids and end times (epoch seconds), in order of their end.
        """
        since, self.ended_calls = self.ended_calls, OrderedDict()
        for sid, at in (*over, *since.items()):
            if sid not in self.callers:
                self._remember_ended(sid, at)

    def _remember_ended(self, sid: str, at: float) -> None:
        """Remember an ended call, and forget the ones that are too many or too old.

        The calls are in order of their end, so only the first ones need to be looked at.
        """
        gone = self.ended_calls
        gone[sid] = at
        gone.move_to_end(sid)
        while len(gone) > _MOST_ENDED or next(iter(gone.values())) < self.now - ENDED_KEPT_FOR:
            gone.popitem(last=False)
            if not gone:
                return

    def call_id(self, sid: str) -> str:
        """The router's id for a call. It is the same after a restart."""
        return f"{self.name}-{sid}"

    def caller_of(self, call: str) -> TwilioCaller | None:
        """The caller of a call, by the router's id; None if there is none."""
        return self.callers.get(call.removeprefix(f"{self.name}-"))

    # ------------------------------------------------------------ requests

    def send_request(self, request: ApiRequest, on_result: Callable[[ApiResult], None]) -> None:
        """Send a request.

        Args:
            request: the request.
            on_result: called once with the outcome, also if that is unknown.
        """
        self._pending[id(request)] = (request, on_result)
        self._send(request)

    def take_result(self, request: ApiRequest, result: ApiResult, now: float) -> None:
        """Take the outcome of a request and pass it to its sender.

        Args:
            request: the very object that was sent.
            result: the outcome. A second one for the same request is ignored.
            now: the time, in epoch seconds.
        """
        self.set_time(now)
        entry = self._pending.pop(id(request), None)
        if entry is not None:
            entry[1](result)

    # ------------------------------------------------------------ the whole state

    def endpoints(self) -> Mapping[str, DeviceState]:
        """The phones that the routing table gives this PBX.

        Twilio does not report which are online.
        """
        return {
            device.endpoint: DeviceState.IDLE
            for device in self.table.devices_on(self.name)
            if device.endpoint
        }

    def snapshot(self) -> PbxSnapshot:
        """The present state as a snapshot, for the router to compare with its own.

        A caller who is on the way out is left out: the router has ordered that and expects no more.
        """
        talks = {
            leg.key
            for caller in self.callers.values()
            for leg in (caller.leg, caller.consulted_leg)
            if leg is not None and caller.state is TwilioCallerState.TALKING
        }
        return PbxSnapshot(
            pbx=self.name,
            offers_per_second=self._offers_per_second,
            can_hold=True,
            cannot_dial=NO_OUTSIDE_CALLS,
            calls=tuple(
                seen_call(caller)
                for caller in self.callers.values()
                if caller.state is not TwilioCallerState.LEAVING
            ),
            legs=tuple(seen_leg(leg, talks=leg.key in talks) for leg in self.legs.values()),
            endpoints=self.endpoints(),
        )


def end_of_stopped_leg(leg: TwilioLeg) -> LegEnd:
    """How a stopped leg ended.

    It counts as missed by the agent only if it rang for its whole ring time. One that was picked up
    but never accepted was answered by a voicemail, or by an agent who did not press 1.
    """
    if leg.stop_reason is StopReason.TIME_UP and leg.picked_up:
        return LegEnd.NOT_ACCEPTED
    missed = leg.stop_reason is StopReason.TIME_UP and leg.rang
    return LegEnd.NO_ANSWER if missed else LegEnd.HUNG_UP
