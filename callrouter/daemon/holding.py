"""Changes of the files that take away much: they wait until a second sign is given.

What is lost and why it matters is worked out by `callrouter.settings.losses`. Here it is kept what waits, since
when, and whether it was said; and the files must have been quiet for a while before a second sign counts, so that a
copy on its way is not taken for what is meant.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from callrouter.api.backend import ConfigState
from callrouter.clock import Clock
from callrouter.core.state import CallState, Floor
from callrouter.daemon.watch import names

logger = logging.getLogger(__name__)

QUIET_FOR: Final = 3.0
"""Seconds without a change of any file, before what they have lost is said aloud and may be confirmed."""
CONFIRM: Final = (
    "put the files right, or confirm the change with `callrouter reload` "
    "(`reload: {removals: at-once}` takes such changes up without)"
)


def callers(floor: Floor) -> Mapping[str, int]:
    """How many callers wait in each queue, or are just being connected."""
    return Counter(
        call.queue.id for call in floor.calls.values() if call.state is not CallState.TALKING
    )


def left_of_quiet(folder: Path, now: float) -> float:
    """Seconds until the files have been quiet for `QUIET_FOR`; 0: they have."""
    newest = 0.0
    for path in (folder, *(folder / name for name in names(folder))):
        try:
            newest = max(newest, path.stat().st_ctime)
        except OSError:
            newest = now  # one that comes and goes is not quiet
    return min(QUIET_FOR, max(0.0, newest + QUIET_FOR - now))


class Holding:
    """What is held back now, if anything is."""

    def __init__(self, state: ConfigState, clock: Clock) -> None:
        self._clock = clock
        self._state = state
        self._since: float | None = None

    def begin(self, lines: Sequence[str]) -> None:
        """These losses wait from now on; the same as before wait on."""
        if self._state.held != tuple(lines):
            self._state.held = tuple(lines)
            self._since = self._clock.now()
            logger.info(
                "configuration: the files have lost something; looking whether it comes back"
            )

    def end(self) -> None:
        """Nothing waits any more."""
        if self._state.held:
            logger.info("configuration: nothing is held back any more")
        self._state.held = ()
        self._since = None

    def say(self) -> None:
        """Say aloud what is held back once it has been for a while; once."""
        if self._since is None or self._clock.now() - self._since < QUIET_FOR:
            return
        self._since = None
        say_held(self._state)


def say_held(state: ConfigState) -> None:
    """Log what is held back, and what to do."""
    for line in state.held:
        logger.error("configuration held back: %s", line)
    logger.error(
        "the files in %s take away so much that none of their changes is taken up; what was in force stays in "
        "force: %s",
        *(state.folder, CONFIRM),
    )
