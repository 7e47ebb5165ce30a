"""The interface of a policy: it ranks the agents of a queue, and never acts.

Only agents who are available and have the required skills are ranked. The core does the rest: it
draws, breaks ties and rings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias, runtime_checkable

Needs: TypeAlias = Mapping[str, int]
"""The minimum skill levels that a call requires."""

Rank: TypeAlias = float | tuple[float, ...]
"""What policies sort by; the lowest is called first. A policy always returns the same shape."""


class Candidate(Protocol):
    """An available agent as a member of one queue: everything a policy may look at.

    The values do not change while the agent is available. So the core can keep the available agents
    in the policy's order instead of sorting them for every call. Only `busy_share` changes with the
    clock; it is updated when the agent becomes free, and every minute. "Today" begins at midnight
    in the configured time zone.
    """

    @property
    def level(self) -> int:
        """The supervisor's priority, 1 (first) to 100 (last).

        It is written in the queue's `agents` table.
        """

    @property
    def order(self) -> int:
        """The position in the queue's table, from 0."""

    @property
    def turn(self) -> int:
        """The number of this queue's offer that was the agent's last turn; 0 before the first.

        A missed or refused offer was a turn. One that another agent won, or that was withdrawn, was
        not.
        """

    @property
    def calls(self) -> int:
        """Calls of this queue that the agent was connected to today.

        Offers that failed do not count. The number survives a restart.
        """

    @property
    def talk(self) -> float:
        """Seconds the agent has talked to callers of this queue today.

        Talks with callers of other queues do not count. The value survives a restart.
        """

    @property
    def load(self) -> float:
        """Calls in progress as a share of the agent's capacity, 0 to 1."""

    @property
    def busy_share(self) -> float:
        """Share of the last 60 minutes spent on calls of any queue, 0 to 1.

        It is updated when the agent becomes free and at every whole minute, and stays the same in
        between. It stays 0 while no queue uses a policy with `reads_busy_share = True`.
        """

    @property
    def offers_per_second(self) -> float:
        """How many phones per second the agent's PBXes may ring; infinite without a limit.

        With several PBXes, the slowest counts. Twilio rings one phone per second unless the limit
        was raised.
        """

    @property
    def skills(self) -> Needs:
        """The agent's skills and their levels.

        Empty: the agent has none.
        """

    @property
    def idle_since(self) -> float:
        """When the agent last became free for work, in epoch seconds.

        It decides between agents of equal rank, unless the policy draws.
        """


class Policy(Protocol):
    """Ranks available agents.

    A policy is stateless. Ties that no policy of a queue's list breaks go to the agent who has been
    idle longest, then by name.

    A policy whose `rank` reads `Candidate.busy_share` also has an attribute `reads_busy_share = True`:
    its order changes with time alone, and the core measures that share only for such policies. One
    that reads `Candidate.turn` has `reads_turn = True`, so that turns are restored after a restart.
    `sentence`, if there is one, tells supervisors who is rung first; else the docstring does.
    """

    name: str
    """The name used in `queues.yaml`."""

    draws: bool
    """True if a uniform draw instead of idle time decides between agents of equal rank."""

    rings_all: bool
    """True if the policy implies `at_once: all`."""

    def rank(self, candidate: Candidate, needs: Needs, /) -> Rank:
        """The candidate's rank for calls with these needs; the lowest is called first.

        It must depend on these two arguments alone, because the core keeps the available agents in
        this order between calls. The shape is the same for all candidates: numbers or tuples of
        numbers.
        """


@runtime_checkable
class Weighted(Protocol):
    """A policy that draws with unequal chances.

    Policies without this method give each agent one chance.
    """

    def chances(self, candidate: Candidate, /) -> int:
        """The weight in the draw, at least 1.

        An agent with twice the weight is drawn twice as often.
        """
