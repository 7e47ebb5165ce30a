"""Adds to the core's notices the names, queues and channels that lines of queue_log need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from callrouter.model.call_notices import CallEntered
from callrouter.model.notices import (
    AgentNotice,
    AgentPaused,
    AgentResumed,
    AgentSignedIn,
    AgentSignedOut,
    CallAndAgentNotice,
    Notice,
)
from callrouter.model.routing_table import QueueSpec, Table
from callrouter.queue_log import log_lines

_FOR_EACH_QUEUE: Final = (AgentPaused, AgentResumed, AgentSignedIn, AgentSignedOut)
"""The notices that give one line per queue of the agent."""


class QueueLogTranslator:
    """Turns notices into lines of queue_log and passes each to `add` with its time.

    Args:
        add: receives each line, and the time of its notice (None: now).
        signed_in: tells whether the agent with this id is signed in now.
    """

    def __init__(
        self,
        add: Callable[[log_lines.QueueLogLine, float | None], None],
        signed_in: Callable[[str], bool],
        table: Table,
    ) -> None:
        """Start with a routing table, whose members are not news.

        Args:
            add: receives each line and its time (epoch seconds), or None for now.
            signed_in: whether the agent with this id is signed in now.
            table: the routing table at the start.
        """
        self._signed_in = signed_in
        self._add = add
        self._table = table
        self._queues_of: dict[str, list[str]] | None = None
        self._names: dict[str, str] | None = None
        """Both caches are filled when first needed, so that a reload does not wait for them."""

    def use(self, before: Table, table: Table) -> None:
        """Use a new routing table.

        Log agents who are signed in and have joined or left a queue through it.
        """
        self._table = table
        if table.agents is not before.agents:
            self._names = None
        if table.queues is before.queues:
            return
        self._queues_of = None
        for name in sorted(before.queues.keys() | table.queues.keys()):
            was, is_now = before.queues.get(name), table.queues.get(name)
            if was is not is_now:
                self._joined_and_left(name, _members(was), _members(is_now))

    def _joined_and_left(self, queue: str, before: set[str], after: set[str]) -> None:
        for event, agents in (("REMOVEMEMBER", before - after), ("ADDMEMBER", after - before)):
            for agent in sorted(agents):
                if self._signed_in(agent):
                    self._add(log_lines.member_line(event, queue, self._name(agent)), None)

    def listen(self, notice: Notice, channels: log_lines.CallChannels) -> None:
        """Log a notice.

        A call that was found waiting gets the time at which it entered the queue.

        Args:
            notice: what happened.
            channels: the channels of the call, if one is concerned.
        """
        agent = notice.agent if isinstance(notice, AgentNotice | CallAndAgentNotice) else ""
        context = log_lines.LineContext(
            channels=channels,
            agent=self._name(agent),
            queues=self._queues(agent) if isinstance(notice, _FOR_EACH_QUEUE) else (),
        )
        at = notice.at
        if isinstance(notice, CallEntered) and notice.waited_s is not None:
            at -= notice.waited_s
        for line in log_lines.lines(notice, context):
            self._add(line, at)

    def _queues(self, agent: str) -> Sequence[str]:
        if self._queues_of is None:
            self._queues_of = {}
            for queue in self._table.queues.values():
                for member in queue.members:
                    self._queues_of.setdefault(member.agent, []).append(queue.id)
        return self._queues_of.get(agent, ())

    def _name(self, agent: str) -> str:
        """An agent's name for the agent column, or the id if the name is not unique."""
        if self._names is None:
            self._names = _unique_names(self._table)
        return self._names.get(agent, agent)


def _members(spec: QueueSpec | None) -> set[str]:
    return set() if spec is None else {member.agent for member in spec.members}


def _unique_names(table: Table) -> dict[str, str]:
    shown = {agent.id: log_lines.clean(agent.name) for agent in table.agents.values()}
    count = Counter(shown.values())
    return {
        id_: name
        for id_, name in shown.items()
        if name and count[name] == 1 and (name == id_ or name not in table.agents)
    }
