"""What the HTTP side refuses and what fails in it: counted by kind, logged a few times.

No stranger fills the disk with either. Imports nothing of HTTP: the daemon needs it before that is loaded.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from callrouter.logs import clean

if TYPE_CHECKING:
    from aiohttp import web

logger = logging.getLogger(__name__)

FIRST: Final = 10
"""Lines of one kind that are all logged; from then on …"""
ONE_IN: Final = 100
"""… one in this many is."""
_LOGGED: Final = frozenset({400, 401, 403, 408, 413, 415, 417, 429, 431, 503})
"""Statuses worth a line. The others are answers to programs that were let in: counted only."""
_KINDS: Final = 1000
"""Kinds that are told apart. They are fixed words, so there are far fewer."""


class Refusals:
    """Counts refusals and faults of the HTTP side.

    Attributes:
        counts: refused requests since the start, by kind (the end of the problem's `type`).
        faults: requests that failed by a fault of ours.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.faults = 0
        self._seen: Counter[str] = Counter()

    def refused(self, kind: str, status: int, request: web.BaseRequest) -> None:
        """Count a refusal, and log it unless there were many of its kind."""
        self.counts[kind] += 1
        if status in _LOGGED and (count := self.worth_a_line(f"refused {kind}")):
            logger.warning(
                "http: refused, %s: %s from %s (%d so far)",
                *(kind, _what(request), request.remote or "the command line", count),
            )

    def failed(self, request: web.BaseRequest, error: BaseException) -> None:
        """Count a fault, and log it with its traceback unless there were many like it."""
        self.faults += 1
        if count := self.worth_a_line(f"failed {type(error).__name__}"):
            text = "%s failed (%d of its kind so far)"
            logger.error(text, _what(request), count, exc_info=error)

    def worth_a_line(self, kind: str) -> int:
        """How many of a kind there were, this one included; 0 if this one is not to be logged."""
        if kind not in self._seen and len(self._seen) >= _KINDS:
            kind = "others"
        self._seen[kind] += 1
        count = self._seen[kind]
        return count if count <= FIRST or count % ONE_IN == 0 else 0


def _what(request: web.BaseRequest) -> str:
    """Method and route. The path as it came is a stranger's text and may hold numbers of people."""
    method = clean(request.method[:20])
    try:
        resource = request.match_info.route.resource  # type: ignore[attr-defined]
    except (AttributeError, AssertionError):  # it never came to a route
        return f"{method} of no route"
    return f"{method} {resource.canonical}" if resource is not None else f"{method} of no route"
