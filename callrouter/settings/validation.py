"""Validates a document against the schema.

Invalid parts are reported and removed, and the rest is validated again until it fits. So one run
finds all mistakes, including those that only show across keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydantic import ValidationError

from callrouter.settings.errors.explanations import explain_error
from callrouter.settings.errors.problems import Nearest
from callrouter.settings.schema.number_parsing import at_home
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.reader import Items, Section
from callrouter.settings.yaml.source import Document, KeyPath

_ROUNDS: Final = 20
_GONE: Final = object()
"""Stands for a removed item of a list until all paths into the list have been used."""


def validate(document: Document, nearest: Nearest) -> RootOptions | None:
    """Return the options in a document; invalid parts are reported to it and removed from it.

    Args:
        document: The document.
        nearest: Finds the right name for a mistyped one.

    Returns:
        The valid options; None if an invalid part cannot be removed.
    """
    with at_home(_region(document.root)):
        return _validate(document, nearest)


def _region(root: object) -> object:
    """Return the home country of numbers as written; the files are not validated yet."""
    numbers = root.get("numbers") if isinstance(root, dict) else None
    return numbers.get("region") if isinstance(numbers, dict) else None


def _validate(document: Document, nearest: Nearest) -> RootOptions | None:
    for _ in range(_ROUNDS):
        try:
            return RootOptions.model_validate(document.root)
        except ValidationError as error:
            found = error.errors(include_url=False)
        paths = [explain_error(document, nearest, each) for each in found]
        if not _take_out(document.root, paths):
            break
    return None


def _take_out(root: Section, paths: Iterable[KeyPath]) -> bool:
    """Remove the values at `paths`; True if at least one existed.

    Indexes in `paths` are those before the removal. A list that loses items is marked as `thinned`.
    """
    lists: dict[int, Items] = {}  # rebuild each list once: it may have ten thousand bad items
    done = False
    for path in paths:
        owner: object = root
        for part in path[:-1]:
            if isinstance(owner, Section):
                owner = owner.get(str(part))
            elif isinstance(owner, Items) and isinstance(part, int):
                owner = owner[part]
        last = path[-1] if path else None
        if isinstance(owner, Section) and last in owner:
            del owner[str(last)]
            done = True
        elif isinstance(owner, Items) and isinstance(last, int):
            owner[last] = _GONE
            lists[id(owner)] = owner
            done = True
    # Only now, so that the indexes in other paths stayed valid.
    for items in lists.values():
        kept = [i for i, item in enumerate(items) if item is not _GONE]
        items.thinned = True
        items.at[:] = [items.at[i] for i in kept]
        items[:] = [items[i] for i in kept]
    return done
