"""The simulated telephone system. Pure: it runs on whatever clock its owner reads.

The owner asks `next_at`, calls `step` when that time has come and posts the events it returns. It
passes the router's commands to `order`. The engine never calls back. Times are epoch seconds.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TypeAlias

from callrouter.model.commands import (
    Announce,
    Connect,
    Consult,
    DialOutside,
    Disregard,
    Leave,
    PbxCommand,
    PutThrough,
    Requeue,
    Ring,
    SetHold,
    StopReason,
    StopRing,
)
from callrouter.model.events import (
    CallArrived,
    CallerLeft,
    ConnectFailed,
    ConnectFault,
    ConnectSucceeded,
    DeviceState,
    Event,
    LegAccepted,
    LegAnswered,
    LegEnd,
    LegEnded,
    LegRang,
    PbxSnapshot,
)
from callrouter.model.routing_table import Table
from callrouter.pbx.scheduler import Action, Scheduler
from callrouter.pbx.simulated.simulated_calls import (
    LegKey,
    SimulatedCaller,
    SimulatedCallerState,
    SimulatedLeg,
    seen_call,
    seen_leg,
)
from callrouter.pbx.simulated.traffic import Traffic

Events: TypeAlias = tuple[Event, ...]


class Engine:
    """Simulates callers who wait and lose patience, phones that ring, and agents who answer.

    Every leg that is ordered ends in exactly one `LegEnded`. `fates` counts how callers ended:
    ``talked``, ``gave up`` or ``sent on``. Together with `callers`, who are still here, these are
    all the callers there have been.

    Args:
        name: name of the PBX.
        table: the routing table, with the queues and phones.
        traffic: how callers and agents behave.
        rng: the random source. The same seed and commands give the same events.
        now: the time at the start.
        run_id: a run id that no earlier run has used. It is part of the calls' ids.
    """

    def __init__(
        self,
        name: str,
        table: Table,
        traffic: Traffic,
        rng: random.Random,
        *,
        now: float,
        run_id: str = "",
    ) -> None:
        self.name = name
        self.traffic = traffic
        self.callers: dict[str, SimulatedCaller] = {}
        self.legs: dict[LegKey, SimulatedLeg] = {}
        self.came = 0
        self.fates: Counter[str] = Counter()
        self._rng = rng
        self._run_id = run_id
        self._now = now
        self._table = Table()
        self._open = True
        self._scheduler: Scheduler[Events] = Scheduler()
        self.use(table, now)

    # ------------------------------------------------------------ time

    def next_at(self) -> float | None:
        """The time at which `step` has something to do; None if nothing is scheduled.

        It may lie in the past, and the action found there may turn out to be void.
        """
        return self._scheduler.next_at()

    def step(self, now: float) -> Events:
        """Run the first action that is due by `now`, at the time for which it was scheduled.

        Returns:
            The events for the router, in order; none if nothing was due or the action is void.
        """
        due = self._scheduler.pop_due(now)
        if due is None:
            return ()
        at, action = due
        self._now = max(self._now, at)
        return action()

    def _after(self, seconds: float, action: Action[Events]) -> None:
        self._scheduler.at(self._now + seconds, action)

    def _soon(self, action: Action[Events]) -> None:
        self._after(self.traffic.lag.draw(self._rng), action)

    # ------------------------------------------------------------ its owner

    def use(self, table: Table, now: float) -> None:
        """Use a new routing table.

        New queues get calls from now on, removed queues get no more. Callers who wait stay, since
        the router decides what becomes of them.
        """
        self._now = max(self._now, now)
        new = [queue for queue in table.queues if queue not in self._table.queues]
        self._table = table
        for queue in new:
            self._expect(queue)

    def close_doors(self) -> None:
        """Stop new arrivals. Present callers go on.

        It cannot be undone. Queues lose their arrivals for good, also after `use`.
        """
        self._open = False

    def endpoints(self) -> dict[str, DeviceState]:
        """The phones that the routing table gives this PBX: all online, none in a private call."""
        return {
            device.endpoint: DeviceState.IDLE
            for device in self._table.devices_on(self.name)
            if device.endpoint
        }

    def snapshot(self) -> PbxSnapshot:
        """The present state.

        All callers and all legs that have not ended, those still told to stop included.
        """
        return PbxSnapshot(
            pbx=self.name,
            calls=tuple(seen_call(caller) for caller in self.callers.values()),
            legs=tuple(seen_leg(leg) for leg in self.legs.values()),
            endpoints=self.endpoints(),
        )

    # ------------------------------------------------------------ callers

    def _expect(self, queue: str) -> None:
        rate = self.traffic.arrivals(queue)
        if rate > 0:
            self._after(self._rng.expovariate(rate / 60.0), lambda: self._arrives(queue))

    def _arrives(self, queue: str) -> Events:
        if not self._open or queue not in self._table.queues:
            return ()
        self._expect(queue)
        self.came += 1
        arrived = CallArrived(
            call="-".join(filter(None, (self.name, self._run_id, str(self.came)))),
            pbx=self.name,
            queue=queue,
            # Ofcom reserves these numbers for drama, so no real subscriber can be called by
            # mistake.
            caller_number=f"+44207946{self._rng.randrange(1000):04d}",
            called_number=queue,
        )
        patience = self.traffic.patience.draw(self._rng)
        caller = SimulatedCaller(arrived, self._now, self._now + patience)
        self.callers[arrived.call] = caller
        self._wait_on(caller)
        return (arrived,)

    def _wait_on(self, caller: SimulatedCaller) -> None:
        turn = caller.turn
        left = max(1.0, caller.gives_up_at - self._now)
        self._after(left, lambda: self._gives_up(caller, turn))

    def _gives_up(self, caller: SimulatedCaller, turn: int) -> Events:
        call = caller.arrived.call
        if self.callers.get(call) is not caller or caller.turn != turn:
            return ()
        if caller.state is SimulatedCallerState.TALKING:
            return ()
        self._gone(caller, "gave up")
        left = CallerLeft(call=call)
        if caller.state is SimulatedCallerState.CONNECTING and caller.leg is not None:
            offer = caller.leg.ring.offer
            return (ConnectFailed(call=call, offer=offer, why=ConnectFault.CALLER_GONE), left)
        return (left,)

    def _gone(self, caller: SimulatedCaller, fate: str) -> None:
        self.callers.pop(caller.arrived.call, None)
        self.fates[fate] += 1

    # ------------------------------------------------------------ commands

    def order(self, command: PbxCommand, now: float) -> None:
        """Execute one command at the time `now`.

        A command for something that has ended has no effect, as on a real PBX.
        """
        self._now = max(self._now, now)
        match command:
            case Ring():
                self._ring(command)
            case StopRing():
                self._stop(command)
            case Connect():
                self._connect(command)
            case Requeue():
                self._hold(command.call)
            case Leave():
                self._leave(command.call)
            case SetHold() | Consult() | PutThrough() | DialOutside() | Disregard():
                # its snapshots do not claim to support hold or numbers outside, and none of its
                # phones is ever in a private call
                pass
            case Announce():
                caller = self.callers.get(command.call)
                if caller is not None:
                    caller.heard.append((self._now, command.position, command.minutes))

    def _hold(self, call: str) -> None:
        caller = self.callers.get(call)
        if caller is not None:
            caller.state, caller.leg = SimulatedCallerState.WAITING, None
            caller.turn += 1
            self._wait_on(caller)

    def _ring(self, ring: Ring) -> None:
        leg = SimulatedLeg(ring)
        if leg.key in self.legs:
            return  # the same offer never rings a device twice
        self.legs[leg.key] = leg
        self._soon(lambda: self._rings(leg))

    def _stop(self, command: StopRing) -> None:
        leg = self.legs.get((command.offer, command.device))
        if leg is None or leg.stopping:
            return
        leg.stopping = True
        why = LegEnd.HUNG_UP
        if command.why is StopReason.TIME_UP:
            why = LegEnd.NOT_ACCEPTED if leg.answered else LegEnd.NO_ANSWER
        self._soon(lambda: self._ended(leg, why))

    # ------------------------------------------------------------ phones

    def _live(self, leg: SimulatedLeg) -> bool:
        return self.legs.get(leg.key) is leg and not leg.stopping

    def _rings(self, leg: SimulatedLeg) -> Events:
        if not self._live(leg):
            return ()
        traffic, rng = self.traffic, self._rng
        if rng.random() < traffic.unreachable:
            return self._ended(leg, LegEnd.UNREACHABLE)
        self._after(leg.ring.ring_for, lambda: self._rang_out(leg))
        reaction = traffic.answer.draw(rng)
        chance = rng.random()
        if chance < traffic.refusals:
            self._after(reaction, lambda: self._refuses(leg))
        elif chance >= traffic.refusals + traffic.misses:
            self._after(reaction, lambda: self._picks_up(leg))
        return (LegRang(offer=leg.ring.offer, device=leg.ring.device),)

    def _rang_out(self, leg: SimulatedLeg) -> Events:
        return () if leg.answered or not self._live(leg) else self._ended(leg, LegEnd.NO_ANSWER)

    def _refuses(self, leg: SimulatedLeg) -> Events:
        return self._ended(leg, LegEnd.DECLINED) if self._live(leg) else ()

    def _picks_up(self, leg: SimulatedLeg) -> Events:
        if not self._live(leg):
            return ()
        leg.answered = True
        if not leg.ring.confirm:
            return self._accepts(leg)
        traffic, rng = self.traffic, self._rng
        if rng.random() < traffic.machines:
            self._after(leg.ring.accept_within, lambda: self._not_accepted(leg))
        else:
            key = min(traffic.key.draw(rng), leg.ring.accept_within)
            self._after(key, lambda: self._accepts(leg))
        return (LegAnswered(offer=leg.ring.offer, device=leg.ring.device),)

    def _not_accepted(self, leg: SimulatedLeg) -> Events:
        return self._ended(leg, LegEnd.NOT_ACCEPTED) if self._live(leg) else ()

    def _accepts(self, leg: SimulatedLeg) -> Events:
        if not self._live(leg):
            return ()
        leg.accepted = True
        return (LegAccepted(offer=leg.ring.offer, device=leg.ring.device),)

    def _ended(self, leg: SimulatedLeg, why: LegEnd) -> Events:
        """End a leg. All legs end here, so that each ends once."""
        if self.legs.get(leg.key) is not leg:
            return ()
        del self.legs[leg.key]
        return (LegEnded(offer=leg.ring.offer, device=leg.ring.device, why=why),)

    # ------------------------------------------------------------ conversations

    def _connect(self, command: Connect) -> None:
        caller = self.callers.get(command.call)
        leg = self.legs.get((command.offer, command.device))
        fault = ConnectFault.CALLER_GONE if caller is None else ConnectFault.LEG_GONE
        if caller is None or leg is None or leg.stopping:
            failed = ConnectFailed(call=command.call, offer=command.offer, why=fault)
            self._soon(lambda: (failed,))
            return
        caller.state, caller.leg = SimulatedCallerState.CONNECTING, leg
        self._soon(lambda: self._connected(caller, leg))

    def _connected(self, caller: SimulatedCaller, leg: SimulatedLeg) -> Events:
        """Connect caller and leg, unless one has left or the caller was put back in the queue.

        That was reported when it happened.
        """
        call = caller.arrived.call
        here = self.callers.get(call) is caller and self._live(leg)
        if not here or caller.state is not SimulatedCallerState.CONNECTING or caller.leg is not leg:
            return ()
        caller.state, caller.turn = SimulatedCallerState.TALKING, caller.turn + 1
        leg.caller = caller
        turn = caller.turn
        self._after(self.traffic.talk.draw(self._rng), lambda: self._goodbye(caller, leg, turn))
        return (ConnectSucceeded(call=call, offer=leg.ring.offer),)

    def _leave(self, call: str) -> None:
        caller = self.callers.get(call)
        if caller is not None:
            self._gone(
                caller, "talked" if caller.state is SimulatedCallerState.TALKING else "sent on"
            )

    def _goodbye(self, caller: SimulatedCaller, leg: SimulatedLeg, turn: int) -> Events:
        """One party hangs up. The end of the other is reported at once, or follows from `Leave`."""
        if self.callers.get(caller.arrived.call) is not caller or caller.turn != turn:
            return ()
        if self._rng.random() >= self.traffic.caller_ends:
            return self._ended(leg, LegEnd.HUNG_UP)
        self._gone(caller, "talked")
        return (CallerLeft(call=caller.arrived.call), *self._ended(leg, LegEnd.HUNG_UP))
