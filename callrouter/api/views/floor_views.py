"""The one way by which routes, metrics and the live view read the floor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from callrouter.api.access.tokens import ApiCaller
from callrouter.api.calllog.agent_timelines import Standings
from callrouter.api.calllog.call_log import CallLog
from callrouter.api.calllog.logged_call import LoggedCall
from callrouter.api.explain.why_call import explain_call
from callrouter.api.explain.why_not import explain_agent
from callrouter.api.notice_text import as_json
from callrouter.api.schemas.agent_answers import AgentJson, OwnDeviceJson, PauseJson
from callrouter.api.schemas.call_answers import CallDetailJson, CallJson, QueueJson, TargetsJson
from callrouter.api.schemas.notice_answers import NoticeJson
from callrouter.api.schemas.status_answers import TotalsJson
from callrouter.api.schemas.why_answers import WhyJson, WhyNotJson
from callrouter.api.views.agent_views import (
    agent_json,
    configured_device_json,
    pause_json,
    state_name,
    unused_mobile_json,
)
from callrouter.api.views.call_views import call_json, ended_json, queue_json
from callrouter.api.views.floor_values import ActiveCall, QueueLoad, QueueStaff
from callrouter.api.views.sight import (
    EVERYTHING,
    Sight,
    sight_of,
    visible_agent,
    visible_call,
    visible_ended,
    visible_queue,
)
from callrouter.api.views.transfer_targets import targets_json
from callrouter.api.views.unknown_ids import UnknownIdError
from callrouter.clock import Clock
from callrouter.core import requests
from callrouter.core.agents.requested_state import unknown_reason
from callrouter.core.calls import conversations
from callrouter.core.floor import Floor
from callrouter.core.state import CALL_STATES, Agent, Call, CallState, Queue
from callrouter.mobiles.mobile_records import MobileRow
from callrouter.mobiles.number_policy import Verdict
from callrouter.mobiles.outside_numbers import read_outside_number
from callrouter.model.agent_status import AgentState
from callrouter.model.call_requests import ConversationRequested
from callrouter.model.events import AgentRequest


class FloorViews:
    """Answers about the floor, made when asked.

    A removed agent or queue that still has calls is shown like any other until its last call has
    ended; only then is its id unknown.

    Args:
        floor: the core's state. It is only read.
        log: the calls that have ended, and today's totals.
        clock: the time of each answer. The floor's own time is that of the last event, so on a
            quiet floor durations measured by it would stand still.
    """

    def __init__(self, floor: Floor, log: CallLog, clock: Clock) -> None:
        self._floor = floor
        self._log = log
        self._clock = clock

    # ------------------------------------------------------------ callers of the API

    def sight(self, caller: ApiCaller) -> Sight:
        """Return what a caller may see now.

        Valid for one request: it follows the routing table. The live view asks for each message.
        """
        return sight_of(self._floor, caller)

    def ids(self, what: str, sight: Sight) -> Iterator[str]:
        """Yield the ids of the visible agents, or queues; of calls none, which people do not type."""
        if what == "agent":
            yield from filter(sight.sees_agent, self._floor.agents)
        elif what == "queue":
            yield from filter(sight.sees_queue, self._floor.queues)

    def may_show_call(self, name: str, sight: Sight) -> bool:
        """Return whether a call is shown. Of ended and unknown ones, `call` decides."""
        call = self._floor.calls.get(name)
        return call is None or sight.sees_call(call)

    # ------------------------------------------------------------ agents

    @property
    def agent_count(self) -> int:
        """How many agents there are."""
        return len(self._floor.agents)

    def agent(self, name: str, sight: Sight = EVERYTHING) -> AgentJson:
        """Return an agent.

        Raises:
            UnknownIdError: there is none of this id.
        """
        return visible_agent(agent_json(self._floor, self._agent(name), self._clock.now()), sight)

    def agents(self, sight: Sight = EVERYTHING) -> Iterator[AgentJson]:
        """Yield all visible agents, by id.

        They are built one by one as the caller goes on, all for the time of this call. Those
        removed in between are skipped.
        """
        floor, now = self._floor, self._clock.now()
        return (
            visible_agent(agent_json(floor, floor.agents[i], now), sight)
            for i in _still_there(floor.agents)
            if sight.sees_agent(i)
        )

    def agent_ids(self) -> list[str]:
        """Return the ids of all agents."""
        return list(self._floor.agents)

    def queues_of(self, agent: str) -> list[str]:
        """Return the queues that an agent serves now; none if there is no such agent."""
        found = self._floor.agents.get(agent)
        return [] if found is None else [m.queue.id for m in found.memberships.values()]

    def check_agent(self, name: str) -> None:
        """Check that there is an agent of this id.

        Raises:
            UnknownIdError: there is none.
        """
        self._agent(name)

    def own_devices(
        self, name: str, registered: Sequence[tuple[MobileRow, str]]
    ) -> list[OwnDeviceJson]:
        """Return an agent's phones with unmasked numbers, for the agent and supervisors.

        Args:
            name: the agent.
            registered: their registered mobiles, each with why it is not rung, or empty.

        Raises:
            UnknownIdError: there is no agent of this id.
        """
        agent, now = self._agent(name), self._clock.now()
        rows = {row.device: row for row, trouble in registered if not trouble}
        used = [
            configured_device_json(self._floor, agent, spec, rows.get(spec.id), now)
            for spec in agent.spec.devices
        ]
        return used + [unused_mobile_json(row, trouble) for row, trouble in registered if trouble]

    def transfer_targets(self, name: str) -> TargetsJson:
        """Return where an agent can send a caller: the queues, and the colleagues in own queues.

        Raises:
            UnknownIdError: there is no agent of this id.
        """
        return targets_json(self._floor, self._agent(name))

    def pauses(self) -> list[PauseJson]:
        """Return the configured reasons for a pause."""
        return [pause_json(spec) for spec in self._floor.table.pauses.values()]

    def unknown_pause_reason(self, reason: str) -> str:
        """Return why a reason for a pause is not accepted, in words; empty if it is."""
        return unknown_reason(self._floor.table.pauses, reason)

    def refusal(self, request: AgentRequest) -> str:
        """Return why the core would refuse a request, in words; empty if it would not.

        The words are for the client. Ask before posting the event: that gives no answer.
        """
        return requests.refusal(self._floor, request)

    def _agent(self, name: str) -> Agent:
        found = self._floor.agents.get(name)
        if found is None:
            raise UnknownIdError("agent", name)
        return found

    # ------------------------------------------------------------ queues

    @property
    def queue_count(self) -> int:
        """How many queues there are."""
        return len(self._floor.queues)

    def queue(self, name: str, sight: Sight = EVERYTHING) -> QueueJson:
        """Return a queue.

        Raises:
            UnknownIdError: there is none of this id.
        """
        return self._queue_json(self._queue(name), sight, self._clock.now())

    def queues(self, sight: Sight = EVERYTHING) -> Iterator[QueueJson]:
        """Yield all visible queues, by id.

        Built one by one, as in `agents`.
        """
        queues, now = self._floor.queues, self._clock.now()
        return (
            self._queue_json(queues[i], sight, now)
            for i in _still_there(queues)
            if sight.sees_queue(i)
        )

    def queue_size(self, name: str) -> int:
        """Return how many members and waiting calls a queue has.

        Raises:
            UnknownIdError: there is none of this id.
        """
        queue = self._queue(name)
        return len(queue.members) + len(queue.waiting)

    def accepts_calls(self, name: str) -> bool:
        """Return whether there is a queue of this id that is not being removed.

        One that is being removed still serves its calls, but takes no new ones.
        """
        queue = self._floor.queues.get(name)
        return queue is not None and not queue.gone

    def is_member(self, agent: str, queue: str) -> bool:
        """Return whether an agent takes calls of a queue now.

        False for an unknown agent or queue, and for an agent who belongs to another shift.
        """
        found = self._floor.queues.get(queue)
        return found is not None and agent in found.members

    def queue_loads(self) -> list[QueueLoad]:
        """Return the load of each queue."""
        now = self._clock.now()
        return [_load(queue, now) for queue in self._floor.queues.values()]

    def queue_staff(self) -> Iterator[QueueStaff]:
        """Yield what the agents of each queue do. An agent counts in each of their queues."""
        agents = self._floor.agents
        states = {agent.id: agent.status.state for agent in agents.values()}
        reasons = {
            agent.id: agent.pause or ""
            for agent in agents.values()
            if states[agent.id] is AgentState.PAUSED
        }
        for queue in self._floor.queues.values():
            members = queue.members
            paused = (reasons[agent] for agent in members if agent in reasons)
            doing = Counter(states[agent] for agent in members if agent in states)
            yield QueueStaff(queue.id, doing, Counter(paused))

    def _queue(self, name: str) -> Queue:
        found = self._floor.queues.get(name)
        if found is None:
            raise UnknownIdError("queue", name)
        return found

    def _queue_json(self, queue: Queue, sight: Sight, now: float) -> QueueJson:
        today, target = self._log.queue_today(queue.id, now), self._log.target(queue.id)
        return visible_queue(queue_json(queue, today, target, now), sight)

    # ------------------------------------------------------------ calls

    @property
    def call_count(self) -> int:
        """How many calls are active."""
        return len(self._floor.calls)

    @property
    def ended_count(self) -> int:
        """How many ended calls are kept.

        Only those that are listed: `ended_calls` goes through as many.
        """
        return len(self._log.ended())

    def call(
        self, name: str, sight: Sight = EVERYTHING, past: LoggedCall | None = None
    ) -> CallDetailJson | None:
        """Return an active or ended call with what happened to it; None: it is not shown.

        Args:
            name: its id.
            sight: what the caller may see.
            past: the call, if it is read from the record.

        Raises:
            UnknownIdError: there is none of this id.
        """
        logged = past or self._log.call(name)
        found = self._floor.calls.get(name)
        if found is not None:
            view = self._call_json(found, sight, self._clock.now())
        elif logged is None:
            raise UnknownIdError("call", name)
        elif sight.sees_ended(logged.queue, logged.agent):
            view = visible_ended(ended_json(logged), sight)
        else:
            return None
        # What happened to it names other agents.
        told = [] if sight.masked or logged is None else logged.notices()
        return {**view, "decisions": [cast("NoticeJson", as_json(notice)) for notice in told]}

    def calls(self, sight: Sight = EVERYTHING) -> Iterator[CallJson]:
        """Yield all visible active calls, oldest first.

        Built one by one. A call that ends in between is left out.
        """
        active, now = self._floor.calls, self._clock.now()
        calls = sorted(active.values(), key=lambda call: (call.entered_at, call.seq))
        return (
            self._call_json(call, sight, now)
            for call in calls
            if call.id in active and sight.sees_call(call)
        )

    def call_ids(self, sight: Sight) -> list[str]:
        """Return the ids of all visible active calls."""
        return [call.id for call in self._floor.calls.values() if sight.sees_call(call)]

    def active_call_row(self, name: str, sight: Sight) -> CallJson | None:
        """Return an active call as it stands in the list; None: it has ended or is not shown."""
        found = self._floor.calls.get(name)
        if found is None or not sight.sees_call(found):
            return None
        return self._call_json(found, sight, self._clock.now())

    def ended_calls(self, sight: Sight = EVERYTHING) -> Iterator[CallJson]:
        """Yield the visible calls that ended recently, latest first.

        An agent's token sees only those whose last agent is its own. See `CallLog.ended` for
        how many are kept.
        """
        return (
            visible_ended(ended_json(call), sight)
            for call in self._log.ended()
            if sight.sees_ended(call.queue, call.agent)
        )

    def active_call(self, name: str) -> ActiveCall | None:
        """Return what is known about an active call; None: it is over.

        Raises:
            UnknownIdError: there is none of this id.
        """
        call = self._floor.calls.get(name)
        if call is not None:
            return ActiveCall(
                id=call.id,
                queue=call.queue.id,
                pbx=call.pbx,
                state=CALL_STATES[call.state.value],
                waiting=call.state is CallState.WAITING,
                talking=call.state is CallState.TALKING,
            )
        if self._log.call(name) is None:
            raise UnknownIdError("call", name)
        return None

    def conversations_of(self, agent: str) -> list[str]:
        """Return the ids of the calls that an agent is connected to.

        Raises:
            UnknownIdError: there is no agent of this id.
        """
        return [
            offer.call.id
            for offer in self._agent(agent).offers.values()
            if offer.call.winner is offer and offer.call.state is CallState.TALKING
        ]

    def own_call(self, name: str, sight: Sight) -> CallJson:
        """Return a call that the caller's own agent has, or had until now, as the caller may see it.

        Args:
            name: the id of the call. It may have ended by what the caller has just asked for.
            sight: what the caller may see.

        Raises:
            UnknownIdError: there is no call of this id.
        """
        call = self._floor.calls.get(name)
        if call is None:
            over = next((one for one in self._log.ended() if one.call == name), None)
            if over is None:
                raise UnknownIdError("call", name)
            return visible_ended(ended_json(over), sight)
        return visible_call(self._row(call, self._clock.now()), sight, own=True)

    def conversation_refusal(self, request: ConversationRequested) -> str:
        """Return why the core would refuse a request, in words; empty if it would not.

        As `refusal`, for hold, transfer and the like.
        """
        return conversations.refusal(self._floor, request)

    def outside_number(self, text: str) -> Verdict:
        """Return the number outside that a person has typed for a transfer, or why it is refused."""
        table = self._floor.table
        return read_outside_number(text, table.outside, table.numbering.region)

    def _call_json(self, call: Call, sight: Sight, now: float) -> CallJson:
        return visible_call(self._row(call, now), sight, own=sight.owns_call(call))

    def _row(self, call: Call, now: float) -> CallJson:
        return call_json(call, now, self._floor.hold_pbxes)

    async def why(self, call: LoggedCall, standings: Standings) -> WhyJson:
        """Return every decision that was made for a call. Yields to the loop in between.

        Args:
            call: the call, of this run or of the record.
            standings: says what agents were doing at its steps.
        """
        return await explain_call(standings, self._floor, call, self._clock.now())

    def why_not(self, agent: str, queue: str, sight: Sight) -> WhyNotJson:
        """Return why an agent is not rung now.

        Args:
            agent: the agent.
            queue: for the calls of this queue; empty: of all the agent's visible queues.
            sight: what the caller may see.

        Raises:
            UnknownIdError: there is no such agent or queue.
        """
        found = self._queue(queue) if queue else None
        return explain_agent(self._floor, self._agent(agent), found, self._clock.now(), sight)

    def why_not_size(self, agent: str, queue: str) -> int:
        """Return how many members `why_not` looks at.

        Args:
            agent: the agent.
            queue: one queue; empty: all the agent's queues.

        Raises:
            UnknownIdError: there is no such agent or queue.
        """
        if queue:
            return len(self._queue(queue).members)
        memberships = self._agent(agent).memberships.values()
        return sum(len(member.queue.members) for member in memberships)

    def in_step(self, pbx: str) -> bool:
        """Return whether a PBX has been compared with since its link came up."""
        return pbx in self._floor.up

    def totals(self) -> TotalsJson:
        """Return how many agents and calls are in each state, and the number of queues."""
        agents = Counter(agent.status.state for agent in self._floor.agents.values())
        calls = Counter(call.state for call in self._floor.calls.values())
        return {
            "agents": {state_name(state): agents[state] for state in AgentState},
            "calls": {
                "waiting": calls[CallState.WAITING],
                "connecting": calls[CallState.CONNECTING],
                "talking": calls[CallState.TALKING],
            },
            "queues": self.queue_count,
        }


def _still_there(items: dict[str, Agent] | dict[str, Queue]) -> Iterable[str]:
    """Yield ids that still exist when their turn comes: the floor changes while a view is built."""
    return (i for i in sorted(items) if i in items)


def _load(queue: Queue, now: float) -> QueueLoad:
    entries = [call.queued_at for call in queue.waiting.values()]
    return QueueLoad(
        queue=queue.id,
        waiting=len(entries),
        longest_wait=max(0.0, now - min(entries, default=now)),
        present=queue.members_present,
    )
