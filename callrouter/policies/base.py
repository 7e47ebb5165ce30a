"""What a policy is: it ranks the agents of a queue, and never acts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias, runtime_checkable

Needs: TypeAlias = Mapping[str, int]
"""The least levels of skills that a call asks for."""

Rank: TypeAlias = float | tuple[float, ...]
"""What policies sort by; the lowest is called first. A policy always gives the same shape."""


class Candidate(Protocol):
    """An available agent as a member of one queue: all that a policy may look at.

    The values stand still while the agent is available, so that the core can keep the available
    agents in the policy's order instead of sorting them for every call. `busy_share` alone moves with
    the clock; it is brought up to date when the agent becomes free, and every minute. "Today" begins
    at midnight in the configured time zone.
    """

    @property
    def level(self) -> int:
        """The supervisor's priority, 1 (first) to 100 (last)."""

    @property
    def order(self) -> int:
        """The place in the queue's table, from 0."""

    @property
    def turn(self) -> int:
        """The number of this queue's last offer that was this agent's turn; 0 before the first."""

    @property
    def calls(self) -> int:
        """Calls of this queue that the agent was connected with today."""

    @property
    def talk(self) -> float:
        """Seconds that the agent has talked with callers of this queue today."""

    @property
    def load(self) -> float:
        """Calls in hand as a share of the agent's capacity, 0 to 1."""

    @property
    def busy_share(self) -> float:
        """Share of the last 60 minutes spent on calls of any queue, 0 to 1."""

    @property
    def offers_per_second(self) -> float:
        """How many phones may be rung in a second where the agent's ring; infinite without a limit.

        Of several PBXes that of the slowest. Twilio rings one phone a second unless it was raised.
        """

    @property
    def skills(self) -> Needs:
        """The agent's skills and their levels."""

    @property
    def idle_since(self) -> float:
        """When the agent last became free for work, in epoch seconds."""


class Policy(Protocol):
    """Ranks available agents.

    A policy is stateless. Ties that no policy of a queue's list breaks go to the agent who has been
    idle longest, then by name.
    """

    name: str
    """The word that supervisors write in `queues.yaml`."""

    draws: bool
    """True if agents of equal rank are settled by a uniform draw instead of by idle time."""

    rings_all: bool
    """True if the policy means `at_once: all`."""

    def rank(self, candidate: Candidate, needs: Needs, /) -> Rank:
        """The candidate's rank for calls with these needs; the lowest is called first."""


@runtime_checkable
class Weighted(Protocol):
    """A policy that draws with unequal chances."""

    def chances(self, candidate: Candidate, /) -> int:
        """The weight in the draw, at least 1."""
