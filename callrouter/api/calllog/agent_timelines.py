"""What each agent was doing at any serial number of the call log."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from callrouter.model.agent_status import AgentStatus

STATES: Final = 300
"""Number of recent state changes kept for each agent."""
_MOST_REASONS: Final = 60_000
"""Distinct standings stored with their reasons. A number of one must fit into 16 bits."""
_CUT_AT: Final = STATES + STATES // 4
"""Trim rarely, so that trimming costs next to nothing."""


class Standing(NamedTuple):
    """What an agent was doing. The fields are those of `AgentStatusChanged`."""

    status: AgentStatus
    pause_reason: str = ""


NO_PHONE: Final = Standing(AgentStatus.NO_PHONE)
SIGNED_OUT: Final = Standing(AgentStatus.SIGNED_OUT)


class Standings(Protocol):
    """Says what agents were doing at the steps of a call, by their serial numbers."""

    def standing(self, agent: str, serial: int) -> Standing | None:
        """What an agent was doing just before `serial`; None: no longer kept."""

    def standing_after(self, agent: str, serial: int) -> Standing | None:
        """What an agent did next after `serial`; None: nothing else."""


class _Timeline:
    """An agent's recent state changes by serial number. Two arrays: 35 MB for 10,000 agents."""

    __slots__ = ("codes", "cut", "serials")

    def __init__(self) -> None:
        self.serials = array("q")
        self.codes = array("H")
        self.cut = False


class AgentTimelines:
    """Keeps the recent states of every agent.

    Args:
        always_signed_in: says whether an agent of this id needs no sign-in. It decides what an
            agent was doing of whom nothing was reported yet.
    """

    def __init__(self, always_signed_in: Callable[[str], bool]) -> None:
        self._always_signed_in = always_signed_in
        self._timelines: dict[str, _Timeline] = {}
        self._codes: dict[tuple[AgentStatus, str], int] = {}
        self._standings: list[Standing] = []

    def add(self, agent: str, serial: int, status: AgentStatus, pause_reason: str) -> None:
        """Note what an agent is doing from `serial` on. Serial numbers must not fall.

        Args:
            agent: the id of the agent.
            serial: the serial number of the notice that says so.
            status: what the agent is doing.
            pause_reason: why, if the agent is paused; otherwise empty.
        """
        code = self._codes.get((status, pause_reason))
        if code is None:
            code = self._new_code(Standing(status, pause_reason))
        timeline = self._timelines.get(agent)
        if timeline is None:
            timeline = self._timelines[agent] = _Timeline()
        timeline.serials.append(serial)
        timeline.codes.append(code)
        if len(timeline.codes) >= _CUT_AT:
            del timeline.serials[:-STATES], timeline.codes[:-STATES]
            timeline.cut = True

    def rename(self, former_id: str, agent: str) -> None:
        """Carry the states of an agent over to a new id.

        Nothing happens if none are kept. States kept under the new id are replaced.
        """
        was = self._timelines.pop(former_id, None)
        if was is not None:
            self._timelines[agent] = was

    def before(self, agent: str, serial: int) -> Standing | None:
        """Return what an agent was doing just before a moment.

        Args:
            agent: the id of the agent.
            serial: the serial number of what happened at that moment.

        Returns:
            None if that is no longer kept. If nothing was ever reported of the agent, what is true of one
            at the start of the daemon.
        """
        timeline = self._timelines.get(agent)
        if timeline is not None:
            place = bisect_left(timeline.serials, serial) - 1
            if place >= 0:
                return self._standings[timeline.codes[place]]
            if timeline.cut:
                return None
        return NO_PHONE if self._always_signed_in(agent) else SIGNED_OUT

    def after(self, agent: str, serial: int) -> Standing | None:
        """Return what an agent did next after `serial`; None: nothing else.

        Args:
            agent: the id of the agent.
            serial: the serial number of a notice. What that notice itself reports is not returned.
        """
        timeline = self._timelines.get(agent)
        if timeline is None:
            return None
        place = bisect_left(timeline.serials, serial + 1)
        return self._standings[timeline.codes[place]] if place < len(timeline.codes) else None

    def _new_code(self, standing: Standing) -> int:
        """Return the number under which a state and its reason are stored.

        Once there are `_MOST_REASONS`, new reasons are dropped and only the status is kept.
        """
        if len(self._standings) >= _MOST_REASONS:  # reasons are free text, so there must be a limit
            standing = Standing(standing.status)
        code = self._codes.setdefault(standing, len(self._standings))
        if code == len(self._standings):
            self._standings.append(standing)
        return code
