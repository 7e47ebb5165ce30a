"""Noticing that the event loop is held up, and by what.

The loop notes the time twenty times a second. A thread beside it looks whether it does, and while it
doesn't, at what the loop's thread is doing: that line is what the log names.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from types import FrameType
from typing import Any, Final

logger = logging.getLogger(__name__)

BEAT: Final = 0.05
"""Seconds between two notes of the loop."""
HELD_UP: Final = 0.1
"""Seconds that the loop may be late before it counts as held up."""
SAY_EVERY: Final = 10.0
"""Seconds between two lines in the log; what comes in between is counted and told with the next."""
_DEEP: Final = 6
"""Lines of the stack that are told, the innermost first."""


class HoldUps:
    """Counts and names what holds the loop up. `start` and `stop` belong to the loop's thread.

    Attributes:
        count: how often it was held up.
        longest: seconds of the longest one.
        last: what was found the last time, in words.
    """

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0.0
        self.last = ""
        self._noted = 0.0
        self._found = ""
        self._untold = 0
        self._told = float("-inf")
        self._over = threading.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._watched = 0

    def start(self) -> None:
        """Begin to watch the running loop."""
        loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._noted = loop.time()
        self._timer = loop.call_later(BEAT, self._beat, loop)
        threading.Thread(
            target=self._look, args=(loop,), name="callrouter hold-ups", daemon=True
        ).start()

    def stop(self) -> None:
        """Watch no more."""
        self._over.set()
        if self._timer is not None:
            self._timer.cancel()

    def status(self) -> dict[str, Any]:
        """For ``/api/status``."""
        return {
            "held_up": self.count,
            "longest_ms": round(self.longest * 1000),
            "by": self.last or None,
        }

    # ------------------------------------------------------------ on the loop

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        late, self._noted = now - self._noted - BEAT, now
        if late >= HELD_UP:
            self._was_held_up(now, late)
        self._found = ""
        self._timer = loop.call_later(BEAT, self._beat, loop)

    def _was_held_up(self, now: float, late: float) -> None:
        self.count += 1
        self._untold += 1
        self.longest = max(self.longest, late)
        self.last = self._found or "the whole process, which stood still (machine busy, or stopped)"
        if now - self._told < SAY_EVERY:
            return
        more = f"; {self._untold} times since this was last said" if self._untold > 1 else ""
        logger.warning("calls were held up for %.0f ms by %s%s", late * 1000, self.last, more)
        self._told, self._untold = now, 0

    # ------------------------------------------------------------ in the thread

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """When this thread, too, was late, what it sees is not what held the loop up."""
        before = loop.time()
        while not self._over.wait(BEAT):
            now = loop.time()
            awake, before = now - before < BEAT + HELD_UP, now
            if awake and not self._found and now - self._noted > BEAT + HELD_UP / 2:
                frame = sys._current_frames().get(self._watched)
                if not waits(frame):  # woken late: that is the machine, and nobody's line
                    self._found = where(frame)


def waits(frame: FrameType | None) -> bool:
    """Whether a loop's thread has nothing to do but to wait for sockets and timers."""
    return frame is not None and frame.f_code.co_filename.endswith("selectors.py")


def where(frame: FrameType | None) -> str:
    """A stack in one line, the innermost call first."""
    lines: list[str] = []
    while frame is not None and len(lines) < _DEEP:
        code = frame.f_code
        name = "/".join(code.co_filename.rsplit("/", 2)[-2:])
        lines.append(f"{code.co_qualname} ({name}:{frame.f_lineno})")
        frame = frame.f_back
    return " < ".join(lines)
