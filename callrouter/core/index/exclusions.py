"""Calls with their excluded agents, indexed so that any agent quickly finds their first call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

CallT = TypeVar("CallT")

RankedCall: TypeAlias = tuple[float, float, float, int, CallT]
"""A call's rank and the call: the order over all lanes. No two calls have the same rank."""

Excluded: TypeAlias = frozenset[str]
"""The agents who are not to be rung for a call now."""

SkipTest: TypeAlias = Callable[[Excluded], bool]
"""Whether to skip a call from which these agents are excluded.

It must be monotonic: if it skips for a set, it skips for every larger set. Only then does skipping
a subtree by what its calls have in common skip no call that would have been accepted.
"""


class _Node(Generic[CallT]):
    """One call, and a summary of it and everything below it.

    The weight must look random without being random. The hash of a tuple of numbers is the same in
    every process, so runs can be replayed.
    """

    __slots__ = ("common", "entry", "excluded", "left", "right", "weight")

    def __init__(self, entry: RankedCall[CallT], excluded: Excluded) -> None:
        self.entry = entry
        self.excluded = self.common = excluded
        self.weight = hash((entry[3],))
        self.left: _Node[CallT] | None = None
        self.right: _Node[CallT] | None = None


class ExclusionTree(Generic[CallT]):
    """Calls, each with the agents who are not to be rung for it now.

    A search tree by rank. Each node knows the agents that everything below it excludes, so `first`
    can skip a whole subtree.
    """

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root: _Node[CallT] | None = None

    def add(self, entry: RankedCall[CallT], excluded: Excluded) -> None:
        """Insert a call that is not in the tree.

        `excluded` is read only here. After it changes, the call must be removed and inserted again.
        """
        before, after = _split(self._root, entry)
        self._root = _joined(_joined(before, _Node(entry, excluded)), after)

    def discard(self, entry: RankedCall[CallT]) -> None:
        """Remove a call. Does nothing if it is not in the tree.

        `entry` must be the very object that was inserted: an equal one is not found.
        """
        self._root = _without(self._root, entry)

    def first(self, skips: SkipTest) -> RankedCall[CallT] | None:
        """The first call that is not skipped.

        The first is that of the lowest rank. None if every call is skipped.
        """
        node = self._root
        if node is None or skips(node.common):
            return None
        while True:  # the current subtree is not skipped as a whole, so it contains a match
            if node.left is not None and not skips(node.left.common):
                node = node.left
            elif not skips(node.excluded):
                return node.entry
            else:
                # Neither the left subtree nor this call matched.
                assert node.right is not None  # noqa: S101
                node = node.right

    def __bool__(self) -> bool:
        return self._root is not None


def _split(
    node: _Node[CallT] | None, entry: RankedCall[CallT]
) -> tuple[_Node[CallT] | None, _Node[CallT] | None]:
    """Split a tree into the entries before `entry` and those after it."""
    if node is None:
        return None, None
    if node.entry < entry:
        node.right, after = _split(node.right, entry)
        return _summed(node), after
    before, node.left = _split(node.left, entry)
    return before, _summed(node)


def _joined(before: _Node[CallT] | None, after: _Node[CallT] | None) -> _Node[CallT] | None:
    """Join two trees, where every entry of the first comes before every entry of the second."""
    if before is None:
        return after
    if after is None:
        return before
    if before.weight > after.weight:
        before.right = _joined(before.right, after)
        return _summed(before)
    after.left = _joined(before, after.left)
    return _summed(after)


def _without(node: _Node[CallT] | None, entry: RankedCall[CallT]) -> _Node[CallT] | None:
    if node is None:
        return None
    if node.entry is entry:
        return _joined(node.left, node.right)
    if entry < node.entry:
        node.left = _without(node.left, entry)
    else:
        node.right = _without(node.right, entry)
    return _summed(node)


def _summed(node: _Node[CallT]) -> _Node[CallT]:
    """Update the set of agents excluded from the whole subtree, from the values one level below."""
    common = node.excluded
    for below in (node.left, node.right):
        if below is not None:
            common &= below.common
    node.common = common
    return node
