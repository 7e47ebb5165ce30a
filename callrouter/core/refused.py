"""Calls that agents have refused, so kept that who has not is found without a walk past the others.

A tree in the order of the line (a treap: of two nodes the one with the higher weight is above). Each
node knows which agents refused every call below it, so that whoever looks for a call steps over whole
branches: a look, a call more or a call less touch some log2(n) nodes, however many calls everybody
who is free has refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from callrouter.core.state import Call

Entry: TypeAlias = tuple[float, float, float, int, "Call"]
"""`Call.rank` and the call: the order over all lanes. No two calls have the same rank."""

Passed: TypeAlias = frozenset[str]
"""The agents who are not to be rung for a call now."""

Skips: TypeAlias = Callable[[Passed], bool]
"""Whether a call for which these agents are not to be rung is to be stepped over. Then one for which
these and others are not to be rung must be as well."""


class _Node:
    """One call, and what is known of it and of all below it.

    Its weight must look like chance and not be chance: a hash of a number is the same everywhere.
    """

    __slots__ = ("common", "entry", "left", "passed", "right", "weight")

    def __init__(self, entry: Entry, passed: Passed) -> None:
        self.entry = entry
        self.passed = self.common = passed
        self.weight = hash((entry[3],))
        self.left: _Node | None = None
        self.right: _Node | None = None


class Refused:
    """Calls, each with the agents who are not to be rung for it now."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root: _Node | None = None

    def add(self, entry: Entry, passed: Passed) -> None:
        """Keep a call that is not kept yet."""
        before, after = _split(self._root, entry)
        self._root = _joined(_joined(before, _Node(entry, passed)), after)

    def discard(self, entry: Entry) -> None:
        """Keep it no longer; nothing happens if it was not kept."""
        self._root = _without(self._root, entry)

    def first(self, skips: Skips) -> Entry | None:
        """The first call that is not stepped over."""
        node = self._root
        if node is None or skips(node.common):
            return None
        while True:  # somewhere from here down is one, since not all are stepped over
            if node.left is not None and not skips(node.left.common):
                node = node.left
            elif not skips(node.passed):
                return node.entry
            else:
                assert node.right is not None  # noqa: S101 - it must be there, then
                node = node.right

    def __bool__(self) -> bool:
        return self._root is not None


def _split(node: _Node | None, entry: Entry) -> tuple[_Node | None, _Node | None]:
    """Those before an entry, and those after it."""
    if node is None:
        return None, None
    if node.entry < entry:
        node.right, after = _split(node.right, entry)
        return _summed(node), after
    before, node.left = _split(node.left, entry)
    return before, _summed(node)


def _joined(before: _Node | None, after: _Node | None) -> _Node | None:
    """One tree of two, of which one is all before the other."""
    if before is None:
        return after
    if after is None:
        return before
    if before.weight > after.weight:
        before.right = _joined(before.right, after)
        return _summed(before)
    after.left = _joined(before, after.left)
    return _summed(after)


def _without(node: _Node | None, entry: Entry) -> _Node | None:
    if node is None:
        return None
    if node.entry is entry:
        return _joined(node.left, node.right)
    if entry < node.entry:
        node.left = _without(node.left, entry)
    else:
        node.right = _without(node.right, entry)
    return _summed(node)


def _summed(node: _Node) -> _Node:
    """Who refused all from here down, worked out anew from one level below."""
    common = node.passed
    for below in (node.left, node.right):
        if below is not None:
            common &= below.common
    node.common = common
    return node
