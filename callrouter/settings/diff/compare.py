"""Helpers shared by all descriptions of changes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from callrouter.model.text import phrase
from callrouter.settings.schema.options import OptionGroup, key_of, options_of

UP: Final = phrase("way-up", "up")
DOWN: Final = phrase("way-down", "down")
ADDED: Final = phrase("was-added", "added")
REMOVED: Final = phrase("was-removed", "removed")
CHANGED: Final = phrase("was-changed", "changed")
_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between two configurations.

    Attributes:
        text: What differs, in a supervisor's words.
        needs_restart: Whether the running daemon cannot apply it.
    """

    text: str
    needs_restart: bool = False

    def __str__(self) -> str:
        if not self.needs_restart:
            return self.text
        return phrase("with-restart", "{change} (needs a restart)", change=self.text)


def option_differences(
    where: str, group: type[OptionGroup], old: object, new: object
) -> Iterator[Difference]:
    """Yield a difference for every option of a group that is described by its words.

    Args:
        where: What the options belong to, as the text begins: ``support:``.
        group: The group; see `callrouter.settings.schema.options`.
        old: The spec before.
        new: The spec now.
    """
    for name, declared in options_of(group).items():
        attribute = declared.attribute or name
        if declared.attribute is None or not (declared.words or declared.secret):
            continue
        before, after = getattr(old, attribute), getattr(new, attribute)
        if before == after:
            continue
        key = key_of(name, group.model_fields[name])
        if declared.words is None:
            yield Difference(
                phrase("changed", "{where} {key} changed", where=where, key=key), declared.restart
            )
            continue
        # Hours may differ in their zone or holidays alone, which have lines of their own.
        was, now = declared.words(before), declared.words(after)
        if was != now:
            text = "{where} {key} {was} -> {now}"
            words = phrase("option-was-now", text, where=where, key=key, was=was, now=now)
            yield Difference(words, declared.restart)


def heading(what: str) -> str:
    """Return what the options of a thing begin with, for `option_differences`."""
    return phrase("heading", "{what}:", what=what)


def differing(old: Mapping[_Key, object], new: Mapping[_Key, object]) -> list[_Key]:
    """Return the keys whose values differ: first those of `old` in order, then the new ones.

    A key that only one of them has differs, whatever its value.
    """
    found = [key for key, value in old.items() if key not in new or new[key] != value]
    return found + [key for key in new if key not in old]


def mapping_lines(what: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    """Yield lines such as ``alice: skill french 2 -> 3``.

    `what` is how each line begins. The order is that of `differing`.
    """
    for key in differing(old, new):
        if key not in old:
            yield phrase(
                "entry-added",
                "{what} {key} {new} added",
                what=what,
                key=str(key),
                new=str(new[key]),
            )
        elif key not in new:
            yield phrase(
                "removed-was",
                "{what} {key} removed (was {old})",
                what=what,
                key=str(key),
                old=str(old[key]),
            )
        else:
            text = "{what} {key} {old} -> {new}"
            yield phrase(
                "entry-was-now", text, what=what, key=str(key), old=str(old[key]), new=str(new[key])
            )


def added_or_removed(name: str, old: Mapping[str, object], new: Mapping[str, object]) -> str:
    """Return ``added``, ``removed`` or, for a name in both, ``changed``."""
    return ADDED if name not in old else REMOVED if name not in new else CHANGED


def reordered(old: Sequence[_Key], new: Sequence[_Key]) -> list[tuple[_Key, bool]]:
    """Return the fewest moves that bring the common keys into their new order; True: up.

    The keys on the longest increasing subsequence of old positions have stayed (patience sorting,
    see Aldous and Diaconis, "Longest increasing subsequences", 1999). Of several such subsequences,
    the one with the lowest positions is used, so that after a swap of two keys, one has moved up.
    """
    place = {key: index for index, key in enumerate(old)}
    common = [key for key in new if key in place]
    if len(common) == len(old) and common == list(old):
        return []
    # tails[n] is the lowest old position at which an increasing subsequence of n + 1 keys ends, and
    # ends[n] the key there. Each key follows the end of the longest subsequence that it can extend
    # (`before`), so the last end leads back through a longest one.
    tails: list[int] = []
    ends: list[_Key] = []
    before: dict[_Key, _Key] = {}
    for key in common:
        at = bisect_left(tails, place[key])
        if at:
            before[key] = ends[at - 1]
        tails[at : at + 1], ends[at : at + 1] = [place[key]], [key]
    stayed: set[_Key] = set()
    key_ = ends[-1] if ends else None
    while key_ is not None:
        stayed.add(key_)
        key_ = before.get(key_)
    ranks = {key: rank for rank, key in enumerate(sorted(common, key=place.__getitem__))}
    return [(key, rank < ranks[key]) for rank, key in enumerate(common) if key not in stayed]
