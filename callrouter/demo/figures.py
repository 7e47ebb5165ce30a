"""Counts and times for the demo. Pure: takes the daemon's records and the phones' INVITEs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]

SAME_STEP: Final = 1.0
"""Seconds after which an INVITE no longer belongs to the moment its agent became available."""
_RINGS: Final = "offered"
_NO_LONGER_WAITS: Final = frozenset({"connected", "abandoned", "taken", "left"})


def epoch(moment: str) -> float:
    """Return a time of the API (ISO 8601) as epoch seconds.

    Raises:
        ValueError: it is not a time.
    """
    return datetime.fromisoformat(moment).timestamp()


@dataclass(slots=True)
class Figures:
    """Counts since the start, and two lists of times in seconds.

    `waits` run from entry to connect. `reactions` run from the moment an agent became available
    (the end of wrap-up, as the daemon records it) to the arrival of that agent's next INVITE at the
    phone. They are measured only if a caller was then waiting in one of the agent's queues without
    any phone ringing. The daemon reports milliseconds, so a single reaction is exact to one.

    Attributes:
        queues_of: the queues of each agent.
    """

    queues_of: dict[str, frozenset[str]] = field(default_factory=dict)
    entered: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    abandoned: set[str] = field(default_factory=set)
    completed: set[str] = field(default_factory=set)
    waits: list[float] = field(default_factory=list)
    reactions: list[float] = field(default_factory=list)
    _waiting: dict[str, str] = field(default_factory=dict)
    _ringing: dict[str, set[str]] = field(default_factory=dict)
    _freed: dict[str, float] = field(default_factory=dict)
    _rang: dict[str, float] = field(default_factory=dict)

    def serves(self, agents: list[Json]) -> None:
        """Learn from ``/api/agents`` which agents serve which queues.

        It replaces what was known. Without it no reaction is measured.
        """
        self.queues_of = {
            agent["id"]: frozenset(queue["id"] for queue in agent["queues"]) for agent in agents
        }

    def record(self, record: Json) -> None:
        """Take a record of ``/api/live``.

        Records must come in the daemon's order. A call that is connected for a second time counts
        once.
        """
        kind, call = record["kind"], record.get("call", "")
        match kind:
            case "entered":
                self.entered.add(call)
                self._waiting[call] = record["queue"]
            case "requeued" | "moved":
                self._waiting[call] = record["queue"]
            case "connected":
                if call not in self.answered:
                    self.waits.append(record["wait_s"])
                self.answered.add(call)
            case "abandoned":
                self.abandoned.add(call)
            case "completed" | "transferred":
                self.completed.add(call)
            case "wrap-up-ended":
                self._is_free(record["agent"], epoch(record["at"]))
            case _:
                pass
        self._lines(record)

    def _lines(self, record: Json) -> None:
        """Update which calls are waiting and for which of them a phone rings."""
        kind, call = record["kind"], record.get("call", "")
        if kind == _RINGS:
            self._ringing.setdefault(call, set()).add(record["agent"])
        elif kind == "offer-ended":
            self._ringing.get(call, set()).discard(record["agent"])
        elif kind in _NO_LONGER_WAITS:
            self._waiting.pop(call, None)
            self._ringing.pop(call, None)

    def _is_free(self, agent: str, at: float) -> None:
        mine = self.queues_of.get(agent, frozenset())
        unserved = any(
            queue in mine and not self._ringing.get(call) for call, queue in self._waiting.items()
        )
        self._freed.pop(agent, None)
        if unserved:
            self._freed[agent] = at
            self._match(agent)

    def invited(self, agent: str, at: float) -> None:
        """Note that an INVITE reached the agent's phone at `at`, in epoch seconds.

        It completes a reaction if the agent became available up to `SAME_STEP` seconds before. Only
        the latest INVITE of each agent is remembered.
        """
        self._rang[agent] = at
        self._match(agent)

    def _match(self, agent: str) -> None:
        """Pair the two times. They arrive by different routes, so either may come first."""
        freed, rang = self._freed.get(agent), self._rang.get(agent)
        if freed is None or rang is None:
            return
        # The record's time is rounded to the millisecond, perhaps up.
        if -0.001 <= rang - freed <= SAME_STEP:
            self.reactions.append(max(0.0, rang - freed))
            del self._freed[agent]

    @property
    def waiting(self) -> int:
        """Number of callers waiting now.

        Known from records alone, not from the daemon's list of calls.
        """
        return len(self._waiting)

    @property
    def median_wait(self) -> float | None:
        """The median of `waits`; None if there are none.

        In seconds.
        """
        return median(self.waits) if self.waits else None

    @property
    def median_reaction(self) -> float | None:
        """The median of `reactions`; None if there are none.

        In seconds. Always None without phones, since nothing is then measured.
        """
        return median(self.reactions) if self.reactions else None
