"""The core's one door: events in, commands out, time as an argument."""

from __future__ import annotations

from callrouter.core import (
    agents,
    announcing,
    calendar,
    calls,
    devices,
    failing,
    matching,
    offers,
    people,
    reconcile,
    reload,
    talks,
    waiting,
    wishes,
)
from callrouter.core.legs import give_up_on
from callrouter.core.pools import Dice
from callrouter.core.state import Agent, Call, CallState, Floor, OfferState
from callrouter.core.timers import Key, Timer
from callrouter.model.commands import Command, Result
from callrouter.model.events import (
    AgentRestored,
    CallArrived,
    CallConnected,
    CallEndRequested,
    CallerEnd,
    CallerLeft,
    CallerListens,
    CallEvent,
    CallMoved,
    CallTransferred,
    ConfigReloaded,
    ConnectFailed,
    ConnectFault,
    DeviceSwitched,
    EndpointChanged,
    Event,
    LegAccepted,
    LegAnswered,
    LegEnded,
    LegMoved,
    LegRang,
    PauseRequested,
    PbxLost,
    PbxSnapshot,
    Reached,
    ReadyPressed,
    Resumed,
    SignedIn,
    SignedOut,
    TalkRequested,
    TimePassed,
)
from callrouter.model.table import HangUp, Table


class Router:
    """Decides which phone rings for which caller.

    Deterministic: the same events at the same times give the same commands. Not thread-safe; the
    runtime is its only caller.

    Args:
        table: who and what there is.
        dice: where policies that draw get their chance from.
        boot: a word that no earlier run used; offers' ids start with it.
    """

    def __init__(self, table: Table, *, dice: Dice, boot: str, now: float = 0.0) -> None:
        self.floor = Floor(dice=dice, boot=boot)
        self.floor.now = self.floor.present = now
        reload.apply(self.floor, table)
        matching.settle(self.floor)
        self.floor.out.clear()

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take one event at `now` (epoch seconds) and return what follows from it, in order.

        Deadlines up to `now` strike first, each as if it had been on time. A `now` before an earlier
        one counts as that earlier one: time does not run backwards.

        Raises:
            Exception: a fault of ours. What was ordered until then is kept and comes out with the
                next call, and everyone is looked at again then, so that nobody is forgotten.
        """
        floor = self.floor
        try:
            now = floor.present = max(now, floor.now)
            self._strike_due(now)
            floor.now = now
            self._dispatch(event)
            matching.settle(floor)
        except Exception:
            matching.look_at_everyone(floor)
            raise
        out, floor.out = floor.out, []
        return out

    def _strike_due(self, now: float) -> None:
        """Deadlines up to `now`. Those of one instant are one step, so that none gains by its name."""
        floor = self.floor
        while (due := floor.timers.next()) is not None and due <= now:
            floor.now = max(floor.now, due)
            while (key := floor.timers.pop(floor.now)) is not None:
                self._strike(key)
            matching.settle(floor)

    def mend(self) -> None:
        """Look at everyone again with the next event, whatever the indexes say."""
        matching.look_at_everyone(self.floor)

    def next_deadline(self) -> float | None:
        """When `handle` must be called again at the latest, in epoch seconds; None: no need."""
        return self.floor.timers.next()

    # ------------------------------------------------------------ events

    def _dispatch(self, event: Event) -> None:  # noqa: C901, PLR0912 - a line for each kind of event
        floor = self.floor
        match event:
            case LegRang() | LegAnswered() | LegAccepted() | LegEnded() | LegMoved():
                offers.handle_leg(floor, event)
            case CallArrived():
                calls.arrived(floor, event)
            case (
                CallerLeft()
                | CallerListens()
                | CallConnected()
                | ConnectFailed()
                | CallTransferred()
            ):
                self._call_event(event)
            case EndpointChanged():
                self._endpoint_changed(event)
            case (
                SignedIn()
                | SignedOut()
                | PauseRequested()
                | Resumed()
                | ReadyPressed()
                | DeviceSwitched()
            ):
                people.handle_person(floor, event)
            case PbxSnapshot():
                for step in reconcile.steps(floor, event):
                    self._dispatch(step)
            case PbxLost():
                reconcile.lost(floor, event.pbx)
            case CallMoved() | CallEndRequested():
                self._supervisor(event)
            case TalkRequested():
                talks.handle(floor, event)
            case ConfigReloaded():
                reload.apply(floor, event.table, more=event.more)
            case AgentRestored():
                reconcile.restore(floor, event)
            case TimePassed():
                pass

    def _call_event(self, event: CallEvent) -> None:  # noqa: C901 - a line for each event and state
        floor = self.floor
        call = floor.calls.get(event.call)
        if call is None:
            # A caller hangs up after we are done with the call as a matter of course.
            if not isinstance(event, CallerLeft | CallerListens):
                floor.note(f"{type(event).__name__} for call {event.call}, which is over")
            return
        match event, call.state:
            case CallerListens(), _:
                announcing.tell(floor, call)
            case CallerLeft(), CallState.TALKING:
                calls.completed(floor, call, "caller")
            case CallerLeft(), _:
                calls.caller_left(floor, call, event.how)
            case CallConnected() | ConnectFailed(), CallState.TALKING if self._is_consult(
                call, event
            ):
                self._consultation(call, event)
            case CallConnected(), CallState.CONNECTING if self._is_winner(call, event.offer):
                assert call.winner is not None  # noqa: S101 - _is_winner says so
                calls.connected(floor, call, call.winner)
            case ConnectFailed(), CallState.CONNECTING if self._is_winner(call, event.offer):
                assert call.winner is not None  # noqa: S101 - _is_winner says so
                offers.connect_failed(floor, call, call.winner, event.why)
            case CallTransferred(), CallState.TALKING:
                calls.transferred(floor, call, event.kind, event.to)
            case CallTransferred(), _:  # we never knew that they talked; the caller is gone
                calls.caller_left(floor, call, CallerEnd.TAKEN)
            case _:
                floor.note(
                    f"{type(event).__name__} can't be for call {call.id}, which is "
                    f"{call.state.value}; passed over"
                )

    @staticmethod
    def _is_consult(call: Call, event: CallConnected | ConnectFailed) -> bool:
        consult = call.consult
        return (
            consult is not None
            and consult.id == event.offer
            and consult.state is OfferState.ACCEPTED
        )

    def _consultation(self, call: Call, event: CallEvent) -> None:
        assert call.consult is not None  # noqa: S101 - _is_consult says so
        if isinstance(event, ConnectFailed):
            offers.connect_failed(self.floor, call, call.consult, event.why)
        else:
            talks.connected(self.floor, call.consult)

    @staticmethod
    def _is_winner(call: Call, offer: str) -> bool:
        return call.winner is not None and call.winner.id == offer

    def _endpoint_changed(self, event: EndpointChanged) -> None:
        floor = self.floor
        key = (event.pbx, event.endpoint)
        if floor.reached.get(key) is event.state:
            return
        came_back = floor.reached.get(key) is Reached.UNREACHABLE
        floor.reached[key] = event.state
        for agent in floor.owners.get(key, ()):
            if came_back:  # it registered: whatever failed before says nothing now
                for device in agent.spec.devices:
                    if device.endpoint == event.endpoint:
                        devices.proved(floor, device)
            agents.touch(floor, agent)

    def _supervisor(self, event: CallMoved | CallEndRequested) -> None:
        floor = self.floor
        call = floor.calls.get(event.call)
        if call is None:
            floor.note(f"there is no call {event.call}")
        elif isinstance(event, CallMoved):
            wrong = calls.moved(floor, call, event.queue, event.agent, event.priority)
            if wrong:
                floor.note(wrong)
        elif call.pbx not in floor.up:
            floor.note(f"call {call.id} can't be ended now: {call.pbx} is not connected")
        elif call.state is CallState.WAITING:
            calls.go(floor, call, HangUp(), Result.CLOSED)
        else:
            floor.note(f"call {call.id} is not waiting; its agent can hang up")

    # ------------------------------------------------------------ deadlines

    def _strike(self, key: Key) -> None:
        floor = self.floor
        match key.kind:
            case (
                Timer.WAIT
                | Timer.RETRY
                | Timer.CONNECT
                | Timer.WIDEN
                | Timer.PREFER
                | Timer.ANNOUNCE
            ):
                call = floor.calls.get(key.id)
                if call is not None:
                    self._call_due(call, key.kind)
            case Timer.SHIFT:
                reload.shift(floor, floor.queues[key.id])
            case Timer.MINUTE:
                calendar.minute(floor)
            case Timer.DAY:
                calendar.new_day(floor)
            case Timer.RING | Timer.ACCEPT | Timer.CLOSE | Timer.LEG:
                self._offer_due(key)
            case Timer.WRAP_UP | Timer.PAUSE | Timer.REST | Timer.HOURS:
                self._agent_due(floor.agents[key.id], key)

    def _agent_due(self, agent: Agent, key: Key) -> None:
        floor = self.floor
        match key.kind:
            case Timer.WRAP_UP:
                wishes.end_wrap_up(floor, agent)
            case Timer.PAUSE:
                wishes.paused_enough(floor, agent)
            case Timer.HOURS:
                devices.hours_due(floor, agent, key.device)
            case _:
                devices.end_rest(floor, agent.id, key.device)

    def _call_due(self, call: Call, kind: Timer) -> None:
        if kind is Timer.WAIT:
            calls.waited_enough(self.floor, call)
        elif kind is Timer.RETRY:
            call.tried.clear()
            self.floor.hungry[call.id] = call
        elif kind is Timer.WIDEN:
            waiting.open_up(self.floor, call)
            self.floor.hungry[call.id] = call
        elif kind is Timer.PREFER:
            self.floor.hungry[call.id] = call
        elif kind is Timer.ANNOUNCE:
            announcing.due(self.floor, call)
        elif call.pbx not in self.floor.up:  # they may well talk: wait until it can be seen
            self.floor.set_timer(Key(kind, call.id), self.floor.now + calls.CONNECT_WITHIN)
        elif call.winner is not None:
            offers.connect_failed(self.floor, call, call.winner, ConnectFault.FAILED)

    def _offer_due(self, key: Key) -> None:
        floor = self.floor
        offer = floor.offers.get(key.id)
        if offer is None:
            return
        if key.kind is Timer.RING:
            failing.ring_time_up(floor, offer)
        elif key.kind is Timer.ACCEPT:
            failing.accept_time_up(floor, offer)
        elif key.kind is Timer.LEG:
            failing.leg_due(floor, offer, key.device)
        else:
            give_up_on(floor, offer)
