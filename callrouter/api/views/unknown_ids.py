"""An id that no agent, queue or call has."""

from __future__ import annotations

from collections.abc import Iterable

from callrouter.model.call_requests import no_agent, no_queue
from callrouter.model.text import phrase


class UnknownIdError(Exception):
    """There is no agent, queue or call of this id.

    Args:
        what: ``agent``, ``queue`` or ``call``.
        name: the id that was asked for.
        known: ids that the client may see, of which the nearest is suggested.
    """

    def __init__(self, what: str, name: str, known: Iterable[str] = ()) -> None:
        shown = name[:80]
        unknown: str = phrase("no-call-named", "there is no call '{call}'", call=shown)
        if what == "agent":
            unknown = no_agent(shown, known)
        elif what == "queue":
            unknown = no_queue(shown, known)
        super().__init__(unknown)
        self.what = what
        self.name = name
