"""Changes of the files that remove a lot: they wait for confirmation.

`callrouter.settings.removals` works out what is lost and why it matters. This module keeps what is
waiting, since when, and whether it was logged. The files must also have been stable for a while
before a confirmation counts, so that a copy still in progress is not mistaken for the intended
content.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from callrouter.api.context import ConfigState
from callrouter.clock import Clock
from callrouter.settings.config_files import config_names

logger = logging.getLogger(__name__)

QUIET_FOR: Final = 3.0
"""Seconds without a change of any file before its losses are logged and may be confirmed."""
CONFIRM: Final = (
    "put the files right, or confirm the change with `callrouter reload` "
    "(`reload: {removals: at-once}` takes such changes up without)"
)


def left_of_quiet(folder: Path, now: float) -> float:
    """Return the seconds until the files have been stable for `QUIET_FOR`; 0: they are.

    It reads the status of every file: call it in a thread. A file that vanishes counts as changed
    at `now` (epoch seconds).
    """
    newest = 0.0
    for path in (folder, *(folder / name for name in config_names(folder))):
        try:
            newest = max(newest, path.stat().st_ctime)
        except OSError:
            newest = now  # a file that comes and goes is not stable
    return min(QUIET_FOR, max(0.0, newest + QUIET_FOR - now))


class HeldChanges:
    """The losses that are held back now, if any.

    It is used on the loop only. What it holds is in `state`, from which the API shows it.
    """

    def __init__(self, state: ConfigState, clock: Clock) -> None:
        self._clock = clock
        self._state = state
        self._since: float | None = None

    def begin(self, lines: Sequence[str]) -> None:
        """Hold these losses back from now on.

        If they are the same as before, their start time stays.
        """
        if self._state.held != tuple(lines):
            self._state.held = tuple(lines)
            self._since = self._clock.now()
            logger.info(
                "configuration: the files have lost something; looking whether it comes back"
            )

    def end(self) -> None:
        """Hold nothing back any more.

        Called when the files are accepted, and when they have mistakes.
        """
        if self._state.held:
            logger.info("configuration: nothing is held back any more")
        self._state.held = ()
        self._since = None

    def say(self) -> None:
        """Log once what is held back, after it has been held for a while.

        Called after every poll of the files; most calls do nothing.
        """
        if self._since is None or self._clock.now() - self._since < QUIET_FOR:
            return
        self._since = None
        say_held(self._state)


def say_held(state: ConfigState) -> None:
    """Log what is held back and what to do about it.

    Each loss is a line of its own. At the start it is called at once, later by `HeldChanges.say`.
    """
    for line in state.held:
        logger.error("configuration held back: %s", line)
    logger.error(
        "the files in %s take away so much that none of their changes is taken up; what was in force stays in "
        "force: %s",
        *(state.folder, CONFIRM),
    )
