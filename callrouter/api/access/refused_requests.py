"""Refused and failed HTTP requests: counted by kind, only some logged.

So a stranger cannot fill the disk. Imports no HTTP, since the daemon needs it earlier.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from callrouter.model.text import clean

if TYPE_CHECKING:
    from aiohttp import web

logger = logging.getLogger(__name__)

FIRST: Final = 10
"""Lines of one kind that are all logged; after that …"""
ONE_IN: Final = 100
"""… one line in this many."""
_LOGGED: Final = frozenset({400, 401, 403, 408, 413, 415, 417, 429, 431, 503})
"""Statuses worth a log line. Other errors are answers to authenticated programs: only counted."""
_KINDS: Final = 1000
"""Maximum number of distinct kinds. They are fixed words, so there are far fewer."""


class RefusedRequests:
    """Counts refusals and faults of the HTTP side.

    Attributes:
        counts: refused requests since the start, by kind (the end of the problem's `type`).
        delayed: answers that were delayed since the start, by why: ``refusals`` (too many in all) or
            ``wrong-tokens`` (too many of one address).
        faults: requests that failed because of a fault of ours.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.delayed: Counter[str] = Counter()
        self.faults = 0
        self._seen: Counter[str] = Counter()

    def refused(self, kind: str, status: int, request: web.BaseRequest) -> None:
        """Count a refusal, and log it unless there were many of its kind.

        Args:
            kind: the end of the problem's `type`. Must be a fixed word.
            status: the HTTP status of the answer. It decides whether a line is logged at all.
            request: the request. Only its method, route and address are logged.
        """
        self.counts[kind] += 1
        if status in _LOGGED and (count := self.worth_a_line(f"refused {kind}")):
            logger.warning(
                "http: refused, %s: %s from %s (%d so far)",
                *(kind, _what(request), request.remote or "the command line", count),
            )

    def failed(self, request: web.BaseRequest, error: BaseException) -> None:
        """Count a fault, and log it with its traceback unless there were many like it.

        Args:
            request: the request during which it happened.
            error: what was raised.
        """
        self.faults += 1
        if count := self.worth_a_line(f"failed {type(error).__name__}"):
            text = "%s failed (%d of its kind so far)"
            logger.error(text, _what(request), count, exc_info=error)

    def worth_a_line(self, kind: str) -> int:
        """Return the number of this kind so far, including this one; 0: do not log it.

        The first `FIRST` of a kind are logged, then one in `ONE_IN`. Kinds beyond the limit are
        counted together.

        Args:
            kind: what happened. It need not be a kind of `counts`: aiohttp's own log lines are
                counted here too.
        """
        if kind not in self._seen and len(self._seen) >= _KINDS:
            kind = "others"
        self._seen[kind] += 1
        count = self._seen[kind]
        return count if count <= FIRST or count % ONE_IN == 0 else 0


def _what(request: web.BaseRequest) -> str:
    """Return method and route. The raw path is a stranger's text and may contain phone numbers."""
    method = clean(request.method[:20])
    try:
        resource = request.match_info.route.resource  # type: ignore[attr-defined]
    except (AttributeError, AssertionError):  # not routed
        return f"{method} of no route"
    return f"{method} {resource.canonical}" if resource is not None else f"{method} of no route"
