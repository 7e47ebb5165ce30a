"""What alarms watch on the floor: waiting calls, agents signed in, pauses, phones that are away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from callrouter.core.agents.agent_availability import device_state, switched_off
from callrouter.core.floor import Floor
from callrouter.core.state import Agent
from callrouter.model.events import DeviceState


class WatchedViews:
    """Answers about the floor, made when asked.

    Answers about agents are given for a part of them at a time, so that no question holds up calls.

    Args:
        floor: the core's state. It is only read.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def queues(self) -> list[str]:
        """The queues that take calls. One that is being removed is not watched."""
        return [name for name, queue in self._floor.queues.items() if not queue.gone]

    def pbxes_in_step(self) -> frozenset[str]:
        """The PBXes that have shown their calls and phones since their link came up."""
        return frozenset(self._floor.up)

    def call_known(self, call: str) -> bool:
        """Whether a call waits or talks."""
        return call in self._floor.calls

    def waits(self, queue: str, now: float) -> list[float]:
        """The seconds for which each caller of a queue has waited; none for an unknown queue."""
        found = self._floor.queues.get(queue)
        if found is None:
            return []
        return [max(0.0, now - call.queued_at) for call in found.waiting.values()]

    def signed_in(self, queue: str) -> int:
        """How many members of a queue are signed in now."""
        found = self._floor.queues.get(queue)
        members = found.members.values() if found is not None else ()
        return sum(member.agent.signed_in for member in members)

    def present(self, queue: str) -> int:
        """How many members of a queue are signed in and not paused."""
        found = self._floor.queues.get(queue)
        return 0 if found is None else found.members_present

    def agents(self, start: int, count: int) -> list[str]:
        """The ids of some of the agents, in a fixed order as long as none is added or removed."""
        return list(islice(self._floor.agents, start, start + count))

    def is_member_of(self, agent: str, queues: Sequence[str]) -> bool:
        """Whether an agent takes calls of one of these queues, at this hour or another."""
        found = self._floor.agents.get(agent)
        return found is not None and any(queue in found.memberships for queue in queues)

    def pause(self, agent: str, now: float) -> tuple[float, str] | None:
        """For how many seconds an agent has been paused, and the reason; None: not paused."""
        found = self._floor.agents.get(agent)
        if found is None or found.pause is None:
            return None
        return max(0.0, now - (found.paused_at or now)), found.pause

    def unreachable_phones(self, agent: str) -> list[str]:
        """The phones of an agent that no PBX can reach, though the agent is signed in.

        Phones that are switched off, and those behind a PBX that is away itself, are left out.
        """
        found = self._floor.agents.get(agent)
        if found is None or not found.signed_in:
            return []
        return list(self._unreachable(found))

    def _unreachable(self, agent: Agent) -> Iterator[str]:
        for device in agent.spec.devices:
            through = [pbx for pbx in device.pbxes if pbx in self._floor.up]
            if not device.enabled or switched_off(self._floor, device) or not through:
                continue
            states = {device_state(self._floor, device, pbx) for pbx in through}
            if states == {DeviceState.UNREACHABLE}:
                yield device.id
