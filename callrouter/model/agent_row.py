"""What survives a restart of an agent, as one row. The core makes it and takes it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime, tzinfo
from typing import NamedTuple

from callrouter.model.agent_status import AgentState, PendingRequest
from callrouter.model.device_failures import FailureStreak
from callrouter.model.frozen import frozen


class QueueTotal(NamedTuple):
    """What an agent did for one queue on one day. `fewest-calls` and `least-talk-time` rank by it.

    `talk_s` is in seconds.
    """

    calls: int
    talk_s: float


@frozen
class AgentRow:
    """An agent as they should be after a restart. Times are epoch seconds.

    A request made during a call counts as done, because no other part remembers it over a restart;
    `pending` names it. The conversation itself is found on the PBX.

    - `pause_reason`, `paused_at`: the reason of the pause (None: not paused), and when it began.
    - `wrap_until`, `wrap_queue`: the end of after-call work, and the queue whose call it follows.
    - `idle_since`: when the agent last became free for work.
    - `misses`: number of calls missed in a row.
    - `calls`: number of calls on the day `day`, written as `day_of` does.
    - `queue_totals`: calls and talk time on that day, by queue. Only queues that the agent serves
      at the time, and took a call of, are listed.
    - `pending`: what was requested during a call; None: nothing.
    - `changed_by`, `changed_at`: who last changed the agent's requested state, and when.
    - `devices_off`: devices switched off at run time, each with who did it and when.
    - `messages`: the messages the agent was sent last, each with its time, oldest first.
    - `failure_streaks`: the failures of the agent's devices, by device.
    - `shown`, `since`: the status last shown (None: not known), and when it began.
    """

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
    pending: PendingRequest | None = None
    changed_by: str = ""
    changed_at: float | None = None
    devices_off: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    messages: tuple[tuple[float, str], ...] = ()
    failure_streaks: Mapping[str, FailureStreak] = field(default_factory=dict)
    shown: AgentState | None = None
    since: float | None = None
    queue_totals: Mapping[str, QueueTotal] = field(default_factory=dict)


def moved(row: AgentRow, by: float) -> AgentRow:
    """Return the row with each of its times later by so many seconds.

    The day of the counts stays: it is the one on which the calls were.
    """

    def at(value: float | None) -> float | None:
        return None if value is None else value + by

    return replace(
        row,
        signed_in_at=at(row.signed_in_at),
        paused_at=at(row.paused_at),
        wrap_until=at(row.wrap_until),
        idle_since=at(row.idle_since),
        changed_at=at(row.changed_at),
        since=at(row.since),
        devices_off={name: (who, since + by) for name, (who, since) in row.devices_off.items()},
        messages=tuple((sent + by, text) for sent, text in row.messages),
        failure_streaks={
            name: replace(streak, until=streak.until + by)
            for name, streak in row.failure_streaks.items()
        },
    )


def day_of(at: float, zone: tzinfo) -> str:
    """The day of an instant in a zone, as ``2026-11-21``.

    The counts of the day are not restored after a restart on another day.
    """
    return datetime.fromtimestamp(at, zone).date().isoformat()
