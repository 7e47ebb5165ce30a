"""The core's way out: answers about its state, as plain values.

Drivers, the store, feature codes and the daemon read the state only through a `Board`. Beside the
core itself, only the API's views, explanations and call log read the state directly. So its fields
may change without a look at any other package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from callrouter.core.agents import agent_availability, agent_rows, presence
from callrouter.core.floor import Floor
from callrouter.core.requests import refusal
from callrouter.core.state import Agent, CallState, Membership
from callrouter.model.agent_row import AgentRow
from callrouter.model.events import AgentRequest, DeviceState
from callrouter.model.projections import AgentView, QueueView
from callrouter.model.routing_table import AgentSpec, DeviceSpec, QueueSpec, Table


class Board:
    """Answers questions about agents, queues, devices and calls between two events.

    Each answer is computed when it is asked for, from the state after the last event. So it costs
    nothing while no component asks, and it is never older than the question. An answer does not
    follow later events: ask again.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    @property
    def table(self) -> Table:
        """The routing table in force.

        Each `ConfigReloaded` event replaces it as a whole.
        """
        return self._floor.table

    def in_step(self, pbx: str) -> bool:
        """Whether the core may order something from a PBX: it has shown its calls and phones.

        False before the first snapshot of the PBX, and from the loss of its link to the next
        snapshot.
        """
        return pbx in self._floor.up

    # ------------------------------------------------------------ agents

    def agent(self, name: str) -> AgentView | None:
        """The agent with this id; None if there is none.

        A removed agent who is finishing a call is included, with `gone` set. Former ids are not
        resolved; `agent_named` does that.
        """
        return _agent_view(self._floor.agents.get(name))

    def agent_named(self, name: str) -> AgentView | None:
        """The agent with this id, or who had it before a rename; None if there is none.

        For names that PBX channels and database rows carry. A present id comes first. A former one
        resolves only while `renamed_from` is configured.
        """
        return _agent_view(self._floor.agent_named(name))

    def agent_with_extension(self, extension: str) -> AgentView | None:
        """The agent with this extension; None if it is empty or unknown.

        Only the table in force is searched, so removed agents are not found.
        """
        if not extension:
            return None
        for spec in self._floor.table.agents.values():
            if spec.extension == extension:
                return self.agent(spec.id)
        return None

    def agents_at(self, pbx: str, endpoint: str) -> tuple[AgentView, ...]:
        """The agents that an endpoint belongs to, without those who were removed."""
        owners = self._floor.owners.get((pbx, endpoint), ())
        return tuple(_view_of(agent) for agent in owners if not agent.gone)

    def agent_spec(self, name: str) -> AgentSpec | None:
        """An agent as configured, also if removed and finishing a call; None if there is none."""
        found = self._floor.agents.get(name)
        return None if found is None else found.spec

    def signed_in(self, name: str) -> bool:
        """Whether there is an agent with this id who is signed in."""
        found = self._floor.agents.get(name)
        return found is not None and found.signed_in

    def agent_ids(self) -> tuple[str, ...]:
        """The ids of all agents, including removed ones who are finishing a call."""
        return tuple(self._floor.agents)

    def former_agent_ids(self) -> tuple[str, ...]:
        """The ids that agents had before they were renamed.

        Only those that are still configured as `renamed_from`.
        """
        return tuple(self._floor.former_agents)

    def current_name(self, name: str) -> str:
        """The id of the agent with this id, or who had it before a rename; empty if none."""
        found = self._floor.agent_named(name)
        return "" if found is None else found.id

    def agent_row(self, name: str, now: float) -> AgentRow | None:
        """What to store of an agent; None if there is none, or they were removed.

        Args:
            name: the id of the agent.
            now: the time in epoch seconds. A restart is taken to happen then.
        """
        found = self._floor.agents.get(name)
        if found is None or found.gone:
            return None
        return agent_rows.row_of(self._floor, found, now)

    def refusal(self, request: AgentRequest) -> str:
        """Why a request can't be granted, in words for the person who asks; empty if it can.

        Nothing changes. The core asks the same question again when it handles the request, because
        the state may differ by then.
        """
        return refusal(self._floor, request)

    # ------------------------------------------------------------ queues and calls

    def queue(self, name: str) -> QueueView | None:
        """The queue with this id; None if there is none.

        `waiting` counts the callers in line, whether or not phones ring for them. `members` counts
        the members at this hour, present or not.
        """
        found = self._floor.queues.get(name)
        if found is None:
            return None
        return QueueView(spec=found.spec, waiting=len(found.waiting), members=len(found.members))

    def queue_named(self, name: str) -> QueueView | None:
        """The queue with this id, or that had it before a rename; None if there is none.

        For names that PBX channels and database rows carry. A former id resolves only while
        `renamed_from` is configured.
        """
        return self.queue(self._floor.former_queues.get(name, name))

    def queue_spec(self, name: str) -> QueueSpec | None:
        """A queue as configured, also if removed and still serving calls; None if there is none."""
        found = self._floor.queues.get(name)
        return None if found is None else found.spec

    def queue_ids(self) -> tuple[str, ...]:
        """The ids of all queues, including removed ones that still serve calls."""
        return tuple(self._floor.queues)

    def nobody_waits(self) -> bool:
        """Whether no caller is in line, nor on the way to an agent."""
        return all(call.state is CallState.TALKING for call in self._floor.calls.values())

    def former_queue_ids(self) -> tuple[str, ...]:
        """The ids that queues had before they were renamed.

        Only those that are still configured as `renamed_from`.
        """
        return tuple(self._floor.former_queues)

    def queue_members(self, queue: str) -> dict[str, tuple[int, Mapping[str, int]]]:
        """The members of a queue at this hour, by agent; empty if there is no such queue.

        Of each: the escalation step that opens the queue's calls to them, 0 from the start, and
        their skills with the levels.
        """
        found = self._floor.queues.get(queue)
        members = {} if found is None else found.members
        return {
            agent: (member.escalation_step, member.agent.spec.skills)
            for agent, member in members.items()
        }

    def reachable_devices(self, queue: str, pbx: str) -> Iterator[DeviceSpec]:
        """The devices that could ring for a queue's calls on a PBX, the first to ring first.

        These are the enabled devices, not known to be unreachable, of members who are signed in and
        not paused, by priority and then in the order of the configuration. Members on a call count,
        since they will be free again. Read the iterator before the next event is handled.
        """
        found = self._floor.queues.get(queue)
        for member in sorted(found.members.values(), key=_order) if found is not None else ():
            if not presence.is_present(member.agent):
                continue
            for device in member.agent.spec.devices:
                if (
                    pbx in device.pbxes
                    and device.enabled
                    and agent_availability.device_state(self._floor, device, pbx)
                    is not DeviceState.UNREACHABLE
                ):
                    yield device.seen_by(pbx)

    def priority(self, call: str) -> int | None:
        """The priority of a call, 1 (first) to 100 (last); None if there is no such call.

        A call in conversation is still known.
        """
        found = self._floor.calls.get(call)
        return None if found is None else found.priority

    def callers(self) -> Mapping[str, int]:
        """The number of callers in each queue who are waiting or being connected.

        A queue without such callers has no entry.
        """
        return Counter(
            call.queue.id
            for call in self._floor.calls.values()
            if call.state is not CallState.TALKING
        )


def _order(member: Membership) -> tuple[int, int]:
    return (member.level, member.order)


def _agent_view(agent: Agent | None) -> AgentView | None:
    return None if agent is None else _view_of(agent)


def _view_of(agent: Agent) -> AgentView:
    return AgentView(
        spec=agent.spec,
        state=agent.status.state,
        signed_in=agent.signed_in,
        pause=agent.pause,
        pending_pause=agent.pending_pause,
        pending_sign_out=agent.pending_sign_out,
        off_hook=agent_availability.off_hook(agent),
        devices_off=dict(agent.devices_off),
        gone=agent.gone,
    )
