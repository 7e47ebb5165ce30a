"""What each notice about an agent changes in the record. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

from callrouter.model.agent_status import AgentState, AgentStatus
from callrouter.model.call_notices import WrapUpStarted
from callrouter.model.notices import (
    AgentNotice,
    AgentPaused,
    AgentRenamed,
    AgentResumed,
    AgentSignedIn,
    AgentSignedOut,
    AgentStatusChanged,
    WrapUpEnded,
)
from callrouter.record import record_tables
from callrouter.record.live_rows import LiveAgentState, LiveCall, LiveConversation, Touched

_ENDS: Final = 100
"""How many ends of after-call work are remembered of an agent."""
_NAMES: Final = {status: status.name.lower().replace("_", "-") for status in AgentStatus}


class AgentRecording:
    """Follows what agents are doing.

    Args:
        touch: is told everything that has changed.
    """

    def __init__(self, touch: Touched) -> None:
        self._touch = touch
        self._states: dict[str, LiveAgentState] = {}
        self._by: dict[str, tuple[float, str]] = {}
        """Who last changed each agent, and when."""
        self._wrap_ups: dict[str, tuple[float, LiveConversation]] = {}
        self._wrap_up_ends: dict[str, deque[float]] = {}
        """When each agent's after-call work ended lately. Notices of calls may be taken up later."""

    def follow(self, serial: int, notice: AgentNotice) -> None:
        """Take over what a notice says of an agent.

        A reason of an absence that changes while the absence continues is a state of its own, though
        the core does not report it as one.
        """
        match notice:
            case AgentStatusChanged():
                at, by = self._by.pop(notice.agent, (0.0, ""))
                reason, who = notice.pause_reason, by if at == notice.at else ""
                self._begin(serial, notice, notice.status, reason, who)
            case WrapUpEnded():
                self._wrap_up_over(notice.agent, notice.at)
            case AgentSignedIn():
                self._goes_on(serial, notice, AgentStatus.NO_PHONE, "", notice.by)
            case AgentSignedOut():
                self._wrap_up_over(notice.agent, notice.at)
                self._goes_on(serial, notice, AgentStatus.SIGNED_OUT, "", notice.by)
            case AgentPaused():
                self._goes_on(serial, notice, AgentStatus.PAUSED, notice.reason, notice.by)
            case AgentResumed():
                self._by[notice.agent] = (notice.at, notice.by)
            case AgentRenamed():
                self._renamed(serial, notice)
            case _:
                pass

    def _goes_on(
        self, serial: int, notice: AgentNotice, status: AgentStatus, reason: str, by: str
    ) -> None:
        self._by[notice.agent] = (notice.at, by)
        now = self._states.get(notice.agent)
        state = AgentState.OFFLINE.value if now is None else now.state
        if state == status.state.value:
            self._begin(serial, notice, status, reason, by)

    def _begin(
        self, serial: int, notice: AgentNotice, status: AgentStatus, reason: str, by: str
    ) -> None:
        agent, at = notice.agent, notice.at
        self._end(agent, at)
        state = self._states[agent] = LiveAgentState(
            serial=serial, agent=agent, at=at, status=_NAMES[status], state=status.state.value,
            reason=reason, by=by,
        )  # fmt: skip
        self._touch(record_tables.AGENT_STATES, (str(serial),), state)

    def _end(self, agent: str, at: float) -> None:
        state = self._states.pop(agent, None)
        if state is not None:
            state.until = at
            self._touch(record_tables.AGENT_STATES, (str(state.serial),), state)

    def _renamed(self, serial: int, notice: AgentRenamed) -> None:
        """Go on under the new id. What was under the former one stays under it."""
        was = self._states.get(notice.former_id)
        self._end(notice.former_id, notice.at)
        if was is not None:
            self._end(notice.agent, notice.at)
            state = self._states[notice.agent] = LiveAgentState(
                serial=serial, agent=notice.agent, at=notice.at, status=was.status, state=was.state,
                reason=was.reason, by="",
            )  # fmt: skip
            self._touch(record_tables.AGENT_STATES, (str(serial),), state)
        wrap_up = self._wrap_ups.pop(notice.former_id, None)
        if wrap_up is not None:
            self._wrap_ups[notice.agent] = wrap_up

    # ------------------------------------------------------------ after-call work

    def wrap_up_began(self, call: LiveCall, notice: WrapUpStarted) -> None:
        """Note that after-call work for the call's last conversation began.

        With several calls at once, the work for an earlier one ends where that for the next begins.
        A call that waits to be looked up tells of its work later, perhaps when that is over.
        """
        talk = call.conversation
        if talk is not None and talk.agent != notice.agent:
            talk = call.before
        self._wrap_up_ended(notice.agent, notice.at)
        if talk is None or talk.agent != notice.agent:
            return
        self._wrap_ups[notice.agent] = (notice.at, talk)
        for ended in self._wrap_up_ends.get(notice.agent, ()):
            if ended > notice.at:
                self._wrap_up_ended(notice.agent, ended)
                return

    def _wrap_up_over(self, agent: str, at: float) -> None:
        self._wrap_up_ends.setdefault(agent, deque(maxlen=_ENDS)).append(at)
        self._wrap_up_ended(agent, at)

    def _wrap_up_ended(self, agent: str, at: float) -> None:
        began, talk = self._wrap_ups.pop(agent, (0.0, None))
        if talk is not None:
            talk.wrap_up_s = max(0.0, at - began)
            self._touch(record_tables.CONVERSATIONS, (talk.call, str(talk.n)), talk)
