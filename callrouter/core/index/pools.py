"""Pools: the available agents of a lane, in the order of the queue's policies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from sortedcontainers import SortedDict

from callrouter.policies.base import Candidate, Policy, Rank, Weighted

Ranks: TypeAlias = tuple[Rank, ...]

RankedAgent: TypeAlias = tuple[Ranks, float, str]
"""Ranks, start of idle time, agent: the sort key of `OrderedPool`."""

_Flat: TypeAlias = tuple[Any, ...]
"""A `RankedAgent` with its ranks flattened into the tuple: three times faster to compare."""

NO_SAY = -1.0
"""The idle time in a `RankedAgent` where a draw decides."""


class RandomSource(Protocol):
    """The only randomness the core uses. `random.Random` implements it."""

    def randrange(self, stop: int, /) -> int:
        """A uniform draw from 0 to `stop` - 1."""


class PoolAgent(Protocol):
    """What a pool reads of an agent."""

    @property
    def id(self) -> str:
        """The agent's id."""

    @property
    def idle_since(self) -> float:
        """When the agent last became free for work, in epoch seconds."""


class PoolMember(Candidate, Protocol):
    """What a pool reads of an agent as a member of a queue."""

    @property
    def agent(self) -> PoolAgent:
        """The agent."""


MemberT = TypeVar("MemberT", bound=PoolMember)


class Front(NamedTuple):
    """The best agents of a pool: their sort key, and their combined chances in a draw.

    Where nothing is drawn, that is one agent, and `chances` is 1.
    """

    key: RankedAgent
    chances: int


class Pool(Protocol[MemberT]):
    """The available agents of a lane, in the order of the queue's policies."""

    def add(self, member: MemberT) -> None:
        """The agent is available from now on.

        Their rank is computed here. After it changes, add them again: this replaces the entry.
        """

    def discard(self, agent: str) -> None:
        """The agent is no longer available. Does nothing if they were not."""

    def first(self, excluded: Collection[str]) -> MemberT | None:
        """The agent to ring next, leaving out the agents in `excluded`.

        None if there is none. Where policies draw, each call of this draws again. The agent stays
        in the pool.
        """

    def front(self, excluded: Collection[str]) -> Front | None:
        """The front from which `first` would choose. Draws nothing.

        None if there is no agent outside `excluded`.
        """

    def chances(self, excluded: Collection[str]) -> int:
        """Number of chances in the draw that `first` would make; 0 if it makes none."""

    def has(self, excluded: Collection[str]) -> bool:
        """Whether there is an agent not in `excluded`. Draws nothing."""

    def top(self, count: int) -> list[RankedAgent]:
        """The first `count` entries, for display.

        The best comes first. Agents who were already tried are included.
        """

    def glance(self) -> tuple[RankedAgent, ...]:
        """The first few entries, as many as are cheap to get, in no order.

        No agent left out ranks above them.
        """

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[MemberT]: ...


class OrderedPool(Generic[MemberT]):
    """Agents by rank, then by idle time, then by name.

    A heap with lazy removal. The entry of an agent who has left stays until it reaches the top, or
    until the heap has grown to twice its live size and is rebuilt. Every agent enters and leaves
    every lane with every call, and this makes that nearly free. `_entries` is the truth: a heap
    entry counts only if it is the very object stored there.
    """

    def __init__(self, policies: tuple[Policy, ...], needs: Mapping[str, int]) -> None:
        self._ranks = [policy.rank for policy in policies]
        self._only = self._ranks[0]
        self._needs = needs
        self._heap: list[_Flat] = []
        self._entries: dict[str, _Flat] = {}
        self._members: dict[str, MemberT] = {}
        self._sweep_at = 64

    def add(self, member: MemberT) -> None:
        """Push an entry for the agent.

        An earlier entry of the same agent is stale from here on.
        """
        agent = member.agent
        name = agent.id
        entry: _Flat
        # One policy is by far the usual case, and this runs for every agent, lane and call.
        if len(self._ranks) == 1:
            entry = (self._only(member, self._needs), agent.idle_since, name)
        else:
            ranks = [rank(member, self._needs) for rank in self._ranks]
            entry = (*ranks, agent.idle_since, name)
        self._entries[name] = entry
        self._members[name] = member
        heap = self._heap
        heappush(heap, entry)
        if len(heap) > self._sweep_at:
            heap[:] = self._entries.values()
            heapify(heap)
            self._sweep_at = 2 * len(heap) + 64

    def discard(self, agent: str) -> None:
        """Forget the agent. Their heap entry is stale from here on."""
        self._entries.pop(agent, None)

    def first(self, excluded: Collection[str]) -> MemberT | None:
        """The best agent not in `excluded`.

        None if there is none. Entries of excluded agents above it are taken off the heap and put
        back.
        """
        entry = self._first(excluded)
        return self._members[entry[-1]] if entry is not None else None

    def front(self, excluded: Collection[str]) -> Front | None:
        """The entry of that agent. A single chance: nothing is drawn.

        None if there is no such agent.
        """
        entry = self._first(excluded)
        return Front(_as_ranked(entry), 1) if entry is not None else None

    def _first(self, excluded: Collection[str]) -> _Flat | None:
        heap, entries = self._heap, self._entries
        aside = []
        found = None
        while heap and found is None:
            entry = heap[0]
            if entries.get(entry[-1]) is not entry:
                heappop(heap)
            elif entry[-1] in excluded:
                aside.append(heappop(heap))
            else:
                found = entry
        for entry in aside:
            heappush(heap, entry)
        return found

    def has(self, excluded: Collection[str]) -> bool:
        """Whether there is an agent not in `excluded`."""
        return _others(self._entries, excluded)

    def chances(self, excluded: Collection[str]) -> int:
        """Always 0: nothing is drawn."""
        return 0

    def top(self, count: int) -> list[RankedAgent]:
        """The first `count` entries. Walks down from the top of the heap and visits no other entries."""
        heap, entries = self._heap, self._entries
        found: list[RankedAgent] = []
        ahead = [(heap[0], 0)] if heap else []
        while ahead and len(found) < count:
            entry, index = heappop(ahead)
            if entries.get(entry[-1]) is entry:
                found.append(_as_ranked(entry))
            for below in (2 * index + 1, 2 * index + 2):
                if below < len(heap):
                    heappush(ahead, (heap[below], below))
        return found

    def glance(self) -> tuple[RankedAgent, ...]:
        """The first few entries, in no order. Reads three levels of the heap, which gives 3 to 7 agents.

        In a heap, an entry below the third level ranks after some entry of that level, and so after
        the least of them. Every entry up to that least one is therefore among the first seven.
        """
        heap, entries = self._heap, self._entries
        if len(heap) <= 7:
            return tuple([_as_ranked(entry) for entry in heap if entries.get(entry[-1]) is entry])
        last = min(heap[3:7])
        return tuple(
            [
                _as_ranked(entry)
                for entry in heap[:7]
                if entry <= last and entries.get(entry[-1]) is entry
            ]
        )

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[MemberT]:
        return (self._members[entry[-1]] for entry in sorted(self._entries.values()))


def _as_ranked(entry: _Flat) -> RankedAgent:
    return entry[:-2], entry[-2], entry[-1]


class DrawnPool(Generic[MemberT]):
    """Agents grouped by equal rank. The first group is drawn from.

    A group has one list of names for each number of chances; usually there is a single list. A draw
    picks a list by its weight, then a name within it. Both steps are exact.
    """

    def __init__(
        self, policies: tuple[Policy, ...], needs: Mapping[str, int], rng: RandomSource
    ) -> None:
        self._rank = _ranker(policies, needs)
        self._rng = rng
        last = policies[-1]
        self._chances = last.chances if isinstance(last, Weighted) else _one
        self._groups: SortedDict[Ranks, dict[int, list[str]]] = SortedDict()
        self._slots: dict[str, tuple[Ranks, int, int]] = {}
        self._members: dict[str, MemberT] = {}

    def add(self, member: MemberT) -> None:
        """Append the agent to the list of their group and weight.

        If they are in the pool, they are removed first.
        """
        agent = member.agent.id
        self.discard(agent)
        ranks, chances = self._rank(member), self._chances(member)
        names = self._groups.setdefault(ranks, {}).setdefault(chances, [])
        self._slots[agent] = (ranks, chances, len(names))
        self._members[agent] = member
        names.append(agent)

    def discard(self, agent: str) -> None:
        """Remove the agent, in constant time.

        Does nothing if they are not in the pool. The last name of the list takes their place in it.
        """
        slot = self._slots.pop(agent, None)
        if slot is None:
            return
        ranks, chances, index = slot
        del self._members[agent]
        group = self._groups[ranks]
        names = group[chances]
        last = names.pop()
        if last != agent:  # fill the gap, so that removal takes constant time
            names[index] = last
            self._slots[last] = (ranks, chances, index)
        if not names:
            del group[chances]
            if not group:
                del self._groups[ranks]

    def first(self, excluded: Collection[str]) -> MemberT | None:
        """Draw an agent from the first group with any not in `excluded`.

        None if there is no such group. Each call draws again.
        """
        for group in self._groups.values():
            chosen = self._draw(group, excluded)
            if chosen is not None:
                return self._members[chosen]
        return None

    def front(self, excluded: Collection[str]) -> Front | None:
        """The first group with any agent not in `excluded`.

        None if there is no such group. Idle time and name in the key are empty, since a draw
        decides.
        """
        for ranks, group in self._groups.items():
            weight = self._weight(ranks, group, excluded)
            if weight:
                return Front((ranks, 0.0, ""), weight)
        return None

    def chances(self, excluded: Collection[str]) -> int:
        """The combined chances of that group.

        0 if there is no such group.
        """
        if len(self._groups) == 1 and not excluded:  # the common case, at every offer
            weight = 0
            for chances, names in self._groups.peekitem(0)[1].items():
                weight += chances * len(names)
            return weight
        front = self.front(excluded)
        return front.chances if front is not None else 0

    def _weight(
        self, ranks: Ranks, group: Mapping[int, list[str]], excluded: Collection[str]
    ) -> int:
        """The combined chances of a group. `excluded` is short, whatever the size of the group."""
        weight = sum(chances * len(names) for chances, names in group.items())
        for agent in excluded:
            slot = self._slots.get(agent)
            if slot is not None and slot[0] == ranks:
                weight -= slot[1]
        return weight

    def _draw(self, group: Mapping[int, list[str]], excluded: Collection[str]) -> str | None:
        if len(group) == 1:
            (names,) = group.values()
            return self._name(names, excluded)
        weights = _weights(group, excluded)
        at = self._rng.randrange(sum(weight for weight, _ in weights)) if weights else 0
        for weight, names in weights:
            if at < weight:
                return self._name(names, excluded)
            at -= weight
        return None

    def _name(self, names: list[str], excluded: Collection[str]) -> str | None:
        """A uniform draw among the names not in `excluded`. Tries rejection first: few are."""
        for _ in range(4):
            agent = names[self._rng.randrange(len(names))]
            if agent not in excluded:
                return agent
        left = [agent for agent in names if agent not in excluded]
        return left[self._rng.randrange(len(left))] if left else None

    def has(self, excluded: Collection[str]) -> bool:
        """Whether there is an agent not in `excluded`."""
        return _others(self._slots, excluded)

    def top(self, count: int) -> list[RankedAgent]:
        """The first `count` entries. Within a group, order and idle time mean nothing."""
        found: list[RankedAgent] = []
        for ranks, group in self._groups.items():
            for names in group.values():
                found += [(ranks, NO_SAY, agent) for agent in names[: count - len(found)]]
            if len(found) >= count:
                break
        return found

    def glance(self) -> tuple[RankedAgent, ...]:
        """Up to five entries of the first groups.

        No agent left out is in a group before theirs.
        """
        # The usual case, at every offer: walking a sorted dict would cost more than all the rest.
        if len(self._groups) == 1:
            ranks, group = self._groups.peekitem(0)
            if len(group) == 1:
                (names,) = group.values()
                return tuple([(ranks, NO_SAY, agent) for agent in names[:5]])
        return tuple(self.top(5))

    def __len__(self) -> int:
        return len(self._slots)

    def __iter__(self) -> Iterator[MemberT]:
        return (self._members[agent] for _, _, agent in self.top(len(self)))


def _weights(
    group: Mapping[int, list[str]], excluded: Collection[str]
) -> list[tuple[int, list[str]]]:
    """The lists of a group, each with the total chances of its names that are not in `excluded`."""
    if not excluded:
        return [(chances * len(names), names) for chances, names in group.items()]
    weighed = [
        (chances * sum(agent not in excluded for agent in names), names)
        for chances, names in group.items()
    ]
    return [(weight, names) for weight, names in weighed if weight]


def _one(_member: object) -> int:
    return 1


def _others(there: Collection[str], excluded: Collection[str]) -> bool:
    return len(there) > len(excluded) or any(agent not in excluded for agent in there)


def _ranker(
    policies: tuple[Policy, ...], needs: Mapping[str, int]
) -> Callable[[PoolMember], Ranks]:
    """One ranking function for a list of policies. Later ones break the ties of earlier ones."""
    if len(policies) == 1:
        only = policies[0].rank
        return lambda member: (only(member, needs),)
    ranks = [policy.rank for policy in policies]
    return lambda member: tuple(rank(member, needs) for rank in ranks)


def make_pool(
    policies: tuple[Policy, ...], needs: Mapping[str, int], rng: RandomSource
) -> Pool[MemberT]:
    """The pool for a queue's list of policies. A policy that comes after a draw has no effect.

    Args:
        policies: those of the queue, the most important first.
        needs: the skills that the lane requires, each with the lowest level.
        rng: the source of randomness. Only a pool that draws uses it.

    Raises:
        IndexError: there is no policy.
    """
    for position, policy in enumerate(policies):
        if policy.draws:
            return DrawnPool(policies[: position + 1], needs, rng)
    return OrderedPool(policies, needs)
