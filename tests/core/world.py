"""A world of two telephone systems and one router, in which anything can happen at any instant.

The fake PBX knows the truth; what it says reaches the core late, in bursts, twice, or (while a link is
down) never. After every event `check` must be clean, and the books kept here, which know nothing of the
core's, must agree.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random

from callrouter.core.agents.agent_rows import row_of
from callrouter.core.deadlines import Timer
from callrouter.core.floor import Floor
from callrouter.core.invariants import check
from callrouter.core.router import Router
from callrouter.model.agent_row import AgentRow
from callrouter.model.call_notices import (
    CallEnd,
    CallEntered,
    CallLeftQueue,
)
from callrouter.model.call_requests import (
    CallEndRequested,
    CallMoveRequested,
    ConversationAction,
    ConversationRequested,
)
from callrouter.model.commands import Disregard, PbxCommand
from callrouter.model.events import (
    AgentRestored,
    CallArrived,
    CallerEnd,
    CallerLeft,
    CallerListens,
    CallerReplaced,
    CallerTransferred,
    ConfigReloaded,
    ConnectFailed,
    ConnectFault,
    ConnectSucceeded,
    DeviceState,
    DeviceSwitchRequested,
    EndpointChanged,
    Event,
    LegAccepted,
    LegAnswered,
    LegEnd,
    LegEnded,
    LegPickedUpElsewhere,
    LegRang,
    MessageWritten,
    OutsideCallEnded,
    PauseRequested,
    PbxLost,
    PbxSnapshot,
    PhoneFreed,
    ReadyPressed,
    Resumed,
    SignedIn,
    SignedOut,
    TimePassed,
    TransferKind,
)
from callrouter.model.notices import Notice, Output
from callrouter.model.restored_history import HistoryRestored, QueueHistory, TriedBefore
from callrouter.model.routing_table import OutsideTransfers, Table, ToQueue
from tests.core.chance import AGENTS, QUEUES, REASONS, any_pauses, any_queue, any_table
from tests.core.fakepbx import FakePbx, Leg

PBXES = ("east", "west")
DEVICES = ("d0", "d1", "mobile")
SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0, 7.5, 20.0, 60.0)
NONSENSE: list[Event] = [
    LegRang(offer="x", device="d0"),
    LegAnswered(offer="x", device="d0"),
    LegAccepted(offer="x", device="d0"),
    LegEnded(offer="x", device="d0", why=LegEnd.BUSY),
    LegPickedUpElsewhere(offer="x", device="d0", endpoint="PJSIP/ann0"),
    CallerLeft(call="x"),
    CallerListens(call="x"),
    CallerReplaced(call="x", agent="ann"),
    ConnectSucceeded(call="x", offer="x"),
    ConnectFailed(call="x", offer="x", why=ConnectFault.FAILED),
    CallerTransferred(call="x", kind=TransferKind.BLIND),
    OutsideCallEnded(call="x", returns=True),
    CallMoveRequested(call="x", queue="sales"),
    CallEndRequested(call="x"),
    MessageWritten(agent="x", text="hello"),
    ConversationRequested(call="x", action=ConversationAction.HOLD),
    EndpointChanged(pbx="moon", endpoint="PJSIP/x", state=DeviceState.IDLE),
    PbxLost(pbx="moon"),
    SignedIn(agent="nobody"),
    AgentRestored(row=AgentRow(agent="x")),
    HistoryRestored(
        tried=(TriedBefore(call="x", queue="q", agents=("x",), failed_at=0.0),),
        queues=(QueueHistory(queue="x", advances=(1.0,), turns=("x",)),),
    ),
]
CALENDAR = frozenset({Timer.SHIFT, Timer.MINUTE, Timer.DAY, Timer.HOURS})
"""Deadlines that the clock alone brings on, for ever."""


class Books:
    """What outsiders can know: which calls are with us, from records alone."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.ended = 0

    def note(self, record: Notice) -> None:
        if isinstance(record, CallEntered):
            self.open.add(record.call)
        elif isinstance(record, CallEnd) and not self._only_moved_on(record):
            assert record.call in self.open, f"{record} ends what is over"
            self.open.remove(record.call)
            self.ended += 1

    @staticmethod
    def _only_moved_on(record: CallEnd) -> bool:
        return isinstance(record, CallLeftQueue) and isinstance(record.target, ToQueue)


class World:
    """Two telephone systems, one router, and everything that can happen to them."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.down: set[str] = set(PBXES)
        self.pending: deque[tuple[str, Event]] = deque()
        self.surveys: dict[str, tuple[PbxSnapshot, list[Event]]] = {}
        self.pbxes = {name: FakePbx(name, partial(self.said, name)) for name in PBXES}
        self.pbxes[PBXES[0]].can_hold = self.pbxes[PBXES[1]].dials = True
        self.past: list[Event] = []
        self.books = Books()
        self.serial = 0
        self.sound = False
        self.odd = False
        self.moved: set[tuple[str, str]] = set()
        self.replay: list[tuple[Event, float, list[Output]]] = []

    # ------------------------------------------------------------ machinery

    def begin(self, rng: Random) -> None:
        table = replace(any_table(rng), outside=OutsideTransfers(allowed=("+44",), at_once=2))
        self.table, self.seed, self.prompt = table, rng.randrange(4), rng.random() < 0.5
        up = rng.choice((PBXES, PBXES, PBXES, ()))
        self.start_router()
        for pbx in self.pbxes.values():
            self.plug_in(pbx)
        for name in up:
            self.come_back(name)
        for name in self.table.agents:
            self.feed(SignedIn(agent=name))

    def start_router(self) -> None:
        self.boot_table, self.boot_now = self.table, self.now
        self.router = Router(
            self.table, rng=Random(self.seed), run_id=f"b{self.serial}", now=self.now
        )
        self.run_id = f"b{self.serial}"
        self.replay = []

    def plug_in(self, pbx: FakePbx) -> None:
        for spec in self.table.agents.values():
            for device in spec.devices:
                if pbx.name not in device.pbxes:
                    continue
                endpoint = device.endpoint_on(pbx.name)
                if endpoint not in {"", *pbx.endpoints}:
                    pbx.phone_is(endpoint, DeviceState.IDLE)
                    self.said(
                        pbx.name,
                        EndpointChanged(pbx=pbx.name, endpoint=endpoint, state=DeviceState.IDLE),
                    )

    def said(self, pbx: str, event: Event) -> None:
        if pbx not in self.down:
            self.pending.append((pbx, event))
        elif pbx in self.surveys:
            self.surveys[pbx][1].append(event)

    def feed(self, event: Event) -> None:
        self.sound = False
        commands = self.router.handle(event, self.now)
        wrong = check(self.router.floor)
        assert not wrong, f"after {event}: {wrong}"
        assert not self.router.floor.out
        self.replay.append((event, self.now, commands))
        self.past.append(event)
        for command in commands:
            if isinstance(command, Notice):
                assert command.at <= self.now
                self.books.note(command)
            elif isinstance(command, PbxCommand):
                if isinstance(event, PbxLost) and event.pbx == command.pbx:
                    continue  # of a deadline that fell due before the loss was known: dropped
                assert command.pbx not in self.down, f"{command} was ordered while out of step"
                self.pbxes[command.pbx].execute(command)
                if isinstance(command, Disregard):
                    self.phone_left(command.pbx, command.endpoint)
        assert self.books.open == set(self.router.floor.calls)
        self.sound = True

    def come_back(self, name: str) -> None:
        self.down.discard(name)
        self.pending = deque(item for item in self.pending if item[0] != name)
        snapshot, missed = self.surveys.pop(name, (self.pbxes[name].snapshot(), []))
        self.pending.extend((name, event) for event in missed)
        self.feed(snapshot)

    def legs(self) -> list[tuple[FakePbx, Leg]]:
        return [(pbx, leg) for pbx in self.pbxes.values() for leg in pbx.legs.values()]

    def next_serial(self) -> int:
        self.serial += 1
        return self.serial

    def callers(self) -> list[tuple[FakePbx, str]]:
        return [(pbx, call) for pbx in self.pbxes.values() for call in pbx.callers]

    # ------------------------------------------------------------ time and hearing

    def hears(self, rng: Random) -> None:
        for _ in range(rng.randrange(1, 5)):
            if self.pending:
                pbx, event = self.pending.popleft()
                if pbx not in self.down:
                    self.feed(event)

    def hear_all(self) -> None:
        for _ in range(300):
            if not self.pending:
                return
            pbx, event = self.pending.popleft()
            if pbx not in self.down:
                self.feed(event)
        raise AssertionError("the core and the PBX keep each other busy for ever")

    def done(self) -> None:
        """What was said is heard at once in half of the histories, and at some time in the others."""
        if self.prompt:
            self.hear_all()

    def time_passes(self, rng: Random) -> None:
        self.now += rng.choice(SECONDS)
        self.feed(TimePassed())
        self.done()

    def deadline(self, rng: Random) -> None:
        self.to_deadline(rng.choice((0.0, 0.0, 0.25)))
        self.done()

    def to_deadline(self, past: float) -> None:
        due = self.router.next_deadline()
        if due is not None:
            self.now = max(self.now, due + past)
            self.feed(TimePassed())

    # ------------------------------------------------------------ callers

    def arrives(self, rng: Random) -> None:
        fancy = rng.random() < 0.3
        pbx = rng.choice(PBXES)
        queue = rng.choice(list(self.table.queues))
        event = CallArrived(call=f"{pbx}-{self.next_serial()}", pbx=pbx, queue=queue)
        if fancy:
            event = replace(
                event,
                queue=rng.choice(QUEUES),
                priority=rng.choice([1, 50, 100]),
                agent=rng.choice(["", *AGENTS]),
                entered_at=rng.choice([None, self.now - 30.0]),
            )
        self.pbxes[pbx].arrive(event)
        self.done()

    def hangs_up(self, rng: Random) -> None:
        if callers := self.callers():
            pbx, call = rng.choice(callers)
            pbx.hang_up(call)
        self.done()

    # ------------------------------------------------------------ phones

    def phone_acts(self, rng: Random) -> None:
        what = rng.choice(("ring", "up", "up", "one", "one", "one", "moved"))
        ringing = [(pbx, leg) for pbx, leg in self.legs() if not leg.accepted]
        if not ringing:
            return
        pbx, leg = rng.choice(ringing)
        if what == "ring":
            pbx.ring(leg)
        elif what == "up" and not leg.answered:
            pbx.pick_up(leg)
        elif what == "one":
            pbx.press_1(leg)
        elif what == "moved" and not leg.ring.confirm and not leg.answered:
            self.moved.add(leg.id)
            pbx.picked_up_at(leg, rng.choice([*pbx.endpoints, "PJSIP/nobody"]))
        self.done()

    def everyone_takes_it(self, rng: Random) -> None:
        """At the same instant, many of those that ring accept."""
        for pbx, leg in self.legs():
            if not leg.accepted and rng.random() < 0.7:
                pbx.press_1(leg)
        self.done()

    def phone_ends(self, rng: Random) -> None:
        if legs := self.legs():
            pbx, leg = rng.choice(legs)
            why = rng.choice(list(LegEnd))
            pbx.end_leg(leg, LegEnd.HUNG_UP if leg.accepted else why)
        self.done()

    def phone_changes(self, rng: Random) -> None:
        pbx = rng.choice(PBXES)
        known = list(self.pbxes[pbx].endpoints)
        if known:
            endpoint = rng.choice(known)
            state = rng.choice([*DeviceState, DeviceState.IDLE, DeviceState.IDLE])
            self.phone_is(pbx, endpoint, state)
            self.done()

    def phone_is(self, pbx: str, endpoint: str, state: DeviceState) -> None:
        """A PBX tells of a phone. One that is free has left what it was in through another PBX."""
        self.pbxes[pbx].phone_is(endpoint, state)
        if state is not DeviceState.IN_USE:
            self.phone_left(pbx, endpoint)
        self.said(pbx, EndpointChanged(pbx=pbx, endpoint=endpoint, state=state))

    def phone_left(self, pbx: str, endpoint: str) -> None:
        """Whoever talks on a leg to this phone from elsewhere is somebody else by now."""
        self.moved |= {leg.id for _, leg in self.legs() if leg.ring.endpoint == f"{endpoint}@{pbx}"}

    def home_sees(self, rng: Random) -> None:
        """A phone that is rung, or no longer rung, through another PBX is in use at its home, or free."""
        known = self.table.agents
        ways = [
            (device.addresses[home], home, pbx, leg)
            for pbx, leg in self.legs()
            if leg.ring.agent in known
            for device in known[leg.ring.agent].devices
            if device.id == leg.ring.device
            for home in device.homes
            if home != pbx.name
        ]
        if not ways:
            return
        endpoint, home, pbx, leg = rng.choice(ways)
        for state in rng.choice(([DeviceState.IN_USE], [DeviceState.IN_USE, DeviceState.IDLE])):
            self.phone_is(home, endpoint, state)
        if rng.random() < 0.5 and not leg.accepted:
            pbx.press_1(leg)
        self.done()

    # ------------------------------------------------------------ people

    def asks(self, rng: Random) -> None:
        who = rng.choice(list(self.table.agents))
        self.feed(
            rng.choice(
                (
                    SignedIn(agent=who),
                    SignedIn(agent=who),
                    SignedOut(agent=who),
                    Resumed(agent=who),
                    Resumed(agent=who),
                    ReadyPressed(agent=who),
                    PhoneFreed(agent=who, by="sam"),
                    PauseRequested(agent=who, reason=rng.choice(REASONS), by="sam"),
                    PauseRequested(agent=who, reason="lnch"),
                    PauseRequested(agent=who),
                    DeviceSwitchRequested(
                        agent=who, device=rng.choice(DEVICES), on=False, by="sam"
                    ),
                    DeviceSwitchRequested(agent=who, device=rng.choice(DEVICES), on=True),
                    DeviceSwitchRequested(agent=who, device=rng.choice(DEVICES), on=True),
                )
            )
        )
        self.done()

    # ------------------------------------------------------------ links, files, restarts

    def link(self, rng: Random) -> None:
        """Lost; then asked for everything, while what happens goes on; then back."""
        name = rng.choice(PBXES)
        if name not in self.down:
            self.down.add(name)
            self.surveys.pop(name, None)
            self.feed(PbxLost(pbx=name, stopped=len(self.down) == 2))
        elif name not in self.surveys:
            self.pending = deque(item for item in self.pending if item[0] != name)
            self.surveys[name] = self.pbxes[name].snapshot(), []
        else:
            self.come_back(name)
        self.done()

    def all_back(self, _rng: Random) -> None:
        for name in sorted(self.down):
            self.come_back(name)
        self.done()

    def reloads(self, rng: Random) -> None:
        edit = rng.choice(("all", "drop agent", "drop queue", "rules"))
        agents, queues = dict(self.table.agents), dict(self.table.queues)
        if edit == "all":
            new = any_table(rng)
            agents, queues = dict(new.agents), dict(new.queues)
        elif edit == "drop agent" and len(agents) > 1:
            del agents[rng.choice(sorted(agents))]
        elif edit == "drop queue" and len(queues) > 1:
            del queues[rng.choice(sorted(queues))]
        elif edit == "rules":
            name = rng.choice(sorted(queues))
            queues[name] = any_queue(rng, name, sorted(agents))
        queues = {
            name: replace(spec, members=tuple(m for m in spec.members if m.agent in agents))
            for name, spec in queues.items()
        }
        pauses = any_pauses(rng) if edit in {"all", "rules"} else self.table.pauses
        outside = self.table.outside
        self.table = Table(agents=agents, queues=queues, pauses=pauses, outside=outside)
        for pbx in self.pbxes.values():
            self.plug_in(pbx)
        self.feed(ConfigReloaded(table=self.table))
        self.done()

    # ------------------------------------------------------------ what is rare

    def transfers(self, rng: Random) -> None:
        talking = [(p, c) for p, c in self.callers() if p.callers[c].talks_to is not None]
        if talking:
            pbx, call = rng.choice(talking)
            pbx.transfer(call, rng.choice(list(TransferKind)), "1234")

    def conversation_requests(self, rng: Random) -> None:
        """Hold, transfer, a colleague, a number outside: possible or not; and what becomes of the last."""
        outside = [(pbx, call) for pbx in self.pbxes.values() for call in pbx.outside]
        if outside and rng.random() < 0.5:
            pbx, call = rng.choice(outside)
            pbx.number_ends(call, reached=rng.random() < 0.5)
        if callers := self.callers():
            action = ConversationRequested(
                call=rng.choice(callers)[1],
                action=rng.choice(list(ConversationAction)),
                queue=rng.choice(["", "", *QUEUES]),
                agent=rng.choice(["", *AGENTS]),
                number=rng.choice(["", "", "+442079460018", "+33123456789"]),
            )
            self.feed(action)
            self.done()

    def is_taken(self, rng: Random) -> None:
        if callers := self.callers():
            pbx, call = rng.choice(callers)
            caller = pbx.callers.pop(call)
            pbx._hang_up_partner(caller)
            pbx.say(CallerLeft(call=call, how=CallerEnd.MOVED_AWAY))

    def is_moved(self, rng: Random) -> None:
        if callers := self.callers():
            _, call = rng.choice(callers)
            self.feed(
                CallMoveRequested(
                    call=call,
                    queue=rng.choice(["", *QUEUES]),
                    agent=rng.choice(["", *AGENTS]),
                    priority=rng.choice([None, 1, 100]),
                )
            )

    def is_ended(self, rng: Random) -> None:
        if callers := self.callers():
            _, call = rng.choice(callers)
            self.feed(CallEndRequested(call=call))

    def goes_deaf(self, rng: Random) -> None:
        """A phone that answers no CANCEL; every other time it is mended."""
        pbx = self.pbxes[rng.choice(PBXES)]
        pbx.deaf ^= {f"PJSIP/{rng.choice(AGENTS)}0"}

    def looks_for_drift(self, rng: Random) -> None:
        """A snapshot without a gap before it, with nothing on its way."""
        name = rng.choice(PBXES)
        self.hear_all()
        if name not in self.down:
            while (due := self.router.next_deadline()) is not None and due <= self.now:
                self.feed(TimePassed())
                self.hear_all()
            before = self.picture()
            self.feed(self.pbxes[name].snapshot())
            if not self.odd and before != self.picture():
                raise AssertionError(f"{before}\nbecame\n{self.picture()}")

    def picture(self) -> tuple[object, ...]:
        """What a snapshot without a gap must not change."""
        floor = self.router.floor
        return (
            {call.id: call.state for call in floor.calls.values()},
            {offer.id: offer.state for offer in floor.offers.values()},
        )

    def restarts(self, rng: Random) -> None:
        """The router is gone and a new one takes up what is there."""
        old = self.router.floor
        remembered, wrap = rng.choice([(True, None), (True, 5.0), (False, None)])
        self.next_serial()
        self.start_router()
        self.books.open.clear()
        self.surveys.clear()
        self.pending.clear()
        self.down = set(PBXES)
        for agent in old.agents.values() if remembered else ():
            row = row_of(old, agent, self.now)
            if wrap is not None:
                row = replace(row, wrap_until=self.now + wrap)
            self.feed(AgentRestored(row=row))
        early = rng.random() < 0.5  # the record may be read before the PBXes are, or after
        if remembered and early:
            self.feed(recorded(old))
        for name in PBXES:
            self.come_back(name)
        if remembered and not early:
            self.feed(recorded(old))

    # ------------------------------------------------------------ nonsense

    def again(self, rng: Random) -> None:
        """Something that was said before is said once more."""
        once = PbxSnapshot | PbxLost | ConfigReloaded
        repeatable = [event for event in self.past[-60:] if not isinstance(event, once)]
        if repeatable:
            self.odd = True
            self.feed(rng.choice(repeatable))

    def nonsense(self, rng: Random) -> None:
        self.feed(rng.choice(NONSENSE))

    def odd_leg_event(self, rng: Random) -> None:
        """True ids, but not what can be true of them now."""
        if legs := self.legs():
            ring = rng.choice(legs)[1].ring
            events: list[Event] = [
                LegRang(offer=ring.offer, device="other"),
                LegEnded(offer=ring.offer, device="other", why=LegEnd.FAILED),
                ConnectSucceeded(call=ring.call, offer="x"),
                ConnectFailed(call=ring.call, offer="x", why=ConnectFault.LEG_GONE),
            ]
            self.feed(rng.choice(events))

    # ------------------------------------------------------------ what must hold

    def nobody_talks_twice(self) -> None:
        talks: dict[str, int] = {}
        for _, leg in self.legs():
            if leg.talks_to and leg.talks_to != "?" and leg.id not in self.moved:
                talks[leg.ring.agent] = talks.get(leg.ring.agent, 0) + 1
        for who, count in talks.items():
            assert count <= (2 if who == "ann" else 1), f"{who} talks {count} times at once"

    def finish(self) -> None:
        if self.sound:
            self.replayed()
            self.all_ends()

    def replayed(self) -> None:
        """The same events at the same times give the same commands."""
        twin = Router(self.boot_table, rng=Random(self.seed), run_id=self.run_id, now=self.boot_now)
        for event, at, commands in self.replay:
            assert twin.handle(event, at) == commands

    def all_ends(self) -> None:
        """Links come back, everyone hangs up, time runs on: nothing may be left."""
        for name in PBXES:
            self.surveys.pop(name, None)
            self.come_back(name)
        self.hear_all()
        self.nobody_is_lost()
        for pbx, call in self.callers():
            pbx.hang_up(call)
        for pbx, leg in self.legs():
            if leg.id in pbx.legs:
                pbx.end_leg(leg, LegEnd.HUNG_UP)
        for _ in range(50):
            self.hear_all()
            for pbx, leg in self.legs():
                pbx.end_leg(leg, LegEnd.HUNG_UP)
            self.to_deadline(0.0)
        floor = self.router.floor
        assert not floor.calls, floor.calls
        assert not floor.offers, floor.offers
        assert not self.books.open
        self.now += 3600
        self.feed(TimePassed())
        left = {key for key in floor.timers.keys() if key.kind not in CALENDAR}  # noqa: SIM118
        assert not left, left

    def nobody_is_lost(self) -> None:
        """Every caller in the waiting room is known, and none that the router knows is missing."""
        waiting = {c for p, c in self.callers() if p.callers[c].talks_to is None}
        known = set(self.router.floor.calls)
        assert waiting <= known, f"nobody serves {waiting - known}"
        assert known <= {c for _, c in self.callers()}, "calls are held of callers who have gone"


ACTS: dict[Callable[[World, Random], None], int] = {
    World.arrives: 6,
    World.phone_acts: 10,
    World.everyone_takes_it: 2,
    World.phone_ends: 4,
    World.hears: 3,
    World.deadline: 4,
    World.time_passes: 2,
    World.hangs_up: 2,
    World.phone_changes: 2,
    World.home_sees: 3,
    World.asks: 4,
    World.link: 2,
    World.all_back: 2,
    World.reloads: 1,
    World.transfers: 2,
    World.conversation_requests: 8,
    World.is_taken: 1,
    World.is_moved: 1,
    World.is_ended: 1,
    World.goes_deaf: 1,
    World.looks_for_drift: 1,
    World.restarts: 1,
    World.again: 1,
    World.nonsense: 1,
    World.odd_leg_event: 1,
}
"""What can happen, and how often beside the others."""


def recorded(old: Floor) -> HistoryRestored:
    """What the record would tell of the run before."""
    return HistoryRestored(
        tried=tuple(
            TriedBefore(
                call=call.id, queue=call.queue.id, agents=(*call.tried,), failed_at=call.failed_at
            )
            for call in old.calls.values()
            if call.tried
        ),
        queues=tuple(
            QueueHistory(
                queue=queue.id,
                advances=(*queue.advances,),
                turns=tuple(
                    sorted(
                        (name for name, member in queue.members.items() if member.turn),
                        key=lambda name: queue.members[name].turn,
                    )
                ),
            )
            for queue in old.queues.values()
        ),
        work={agent.id: (*agent.busy,) for agent in old.agents.values()},
    )
