"""The stored form of an agent: what is copied from the floor and given to a later run."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import datetime, tzinfo

from callrouter.core.agents import OFF_HOOK
from callrouter.core.state import Agent
from callrouter.model.events import AgentRestored, StoredFailureStreak


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the table `agents`. Times are epoch seconds; `calls` counts the day `day`."""

    agent: str
    signed_in: bool = False
    signed_in_at: float | None = None
    pause_reason: str | None = None
    paused_at: float | None = None
    wrap_until: float | None = None
    wrap_queue: str = ""
    idle_since: float | None = None
    misses: int = 0
    calls: int = 0
    day: str = ""
    pending: str = ""
    """``pause`` or ``sign-out``: requested during a call and not yet in effect."""
    changed_by: str = ""
    changed_at: float | None = None
    devices_off: str = "{}"
    """JSON: the devices switched off, as ``{id: [by, at]}``."""
    messages: str = "[]"
    """JSON: the agent's recent messages, ``[at, text]`` each."""
    strikes: str = "{}"
    """JSON: device failures by device id, with the fields of `StoredFailureStreak`."""
    shown: str = ""
    since: float | None = None

    def event(self, today: str) -> AgentRestored:
        """Return the event that restores this agent at a start on the day `today`."""
        return AgentRestored(
            agent=self.agent,
            signed_in=self.signed_in,
            signed_in_at=self.signed_in_at,
            pause_reason=self.pause_reason,
            paused_at=self.paused_at,
            wrap_until=self.wrap_until,
            wrap_queue=self.wrap_queue,
            idle_since=self.idle_since,
            misses=self.misses,
            calls=self.calls if self.day == today else 0,
            pending=self.pending,
            changed_by=self.changed_by,
            changed_at=self.changed_at,
            devices_off=_devices(self.devices_off),
            messages=_messages(self.messages),
            failure_streaks=_strikes(self.strikes),
            shown=self.shown,
            since=self.since,
        )


def day_of(at: float, zone: tzinfo) -> str:
    """Return the day of an instant in a zone, as ``2026-11-21``."""
    return datetime.fromtimestamp(at, zone).date().isoformat()


def copy(agent: Agent, now: float, day: str) -> Row:
    """Return the agent as they should be after a restart now.

    A request made during a call counts as done: after a restart no other part remembers it, and a
    promised pause or sign-out must be kept. The conversation itself is found on the PBX.
    """
    pause = agent.pause if agent.pause is not None else agent.pending_pause
    paused_at = None if pause is None else now if agent.paused_at is None else agent.paused_at
    asked = _asked_for(agent)
    return Row(
        agent=agent.id,
        signed_in=agent.signed_in and not agent.pending_sign_out,
        signed_in_at=agent.signed_in_at,
        pause_reason=pause,
        paused_at=paused_at,
        wrap_until=agent.wrap_until,
        wrap_queue=agent.wrap_queue if agent.wrap_until is not None else "",
        idle_since=_idle_since(agent),
        misses=agent.misses,
        calls=agent.calls,
        day=day,
        pending=asked or agent.promised,
        changed_by=agent.pending_by if asked else agent.changed_by,
        changed_at=now if asked else agent.changed_at,
        devices_off=json.dumps(agent.devices_off, sort_keys=True),
        messages=json.dumps(list(agent.messages)),
        strikes=json.dumps(
            {
                device: (item.kind.name, item.count, item.address, item.until)
                for device, item in sorted(agent.failure_streaks.items())
            }
        ),
        shown=agent.shown.value,
        since=agent.since,
    )


def _asked_for(agent: Agent) -> str:
    """Return what is to take effect after the call."""
    if agent.pending_sign_out:
        return "sign-out"
    return "pause" if agent.pending_pause is not None else ""


def _devices(text: str) -> dict[str, tuple[str, float]]:
    """Return the devices switched off. Entries that cannot be ours are left out."""
    found = _json(text)
    if not isinstance(found, dict):
        return {}
    return {
        device: (str(item[0]), float(item[1]))
        for device, item in found.items()
        if isinstance(item, list) and len(item) == 2 and _is_time(item[1])
    }


def _messages(text: str) -> tuple[tuple[float, str], ...]:
    """Return the agent's messages. Entries that cannot be ours are left out."""
    found = _json(text)
    if not isinstance(found, list):
        return ()
    return tuple(
        (float(item[0]), str(item[1]))
        for item in found
        if isinstance(item, list) and len(item) == 2 and _is_time(item[0])
    )


def _strikes(text: str) -> dict[str, StoredFailureStreak]:
    """Return the failures of devices. Entries that cannot be ours are left out."""
    found = _json(text)
    if not isinstance(found, dict):
        return {}
    return {
        device: StoredFailureStreak(str(item[0]), item[1], str(item[2]), float(item[3]))
        for device, item in found.items()
        if isinstance(item, list) and len(item) == 4 and type(item[1]) is int and _is_time(item[3])
    }


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _idle_since(agent: Agent) -> float:
    """Return since when the agent is idle; for an agent on a call, the start of the conversation.

    The conversation may end while no router is running, and an agent who has just finished a call
    must not rank as the longest idle.
    """
    talks = [
        offer.talked_since
        for offer in agent.offers.values()
        if offer.state in OFF_HOOK and offer.talked_since is not None
    ]
    return max([agent.idle_since, *talks])
