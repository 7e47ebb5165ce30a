"""Detects that the event loop is blocked, and by what.

The loop records the time twenty times a second. A second thread checks that it does. While it does
not, the thread samples the stack of the loop's thread, and the log names that line.
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
"""Seconds between two heartbeats of the loop."""
HELD_UP: Final = 0.1
"""Seconds the loop may be late before it counts as blocked."""
SAY_EVERY: Final = 10.0
"""Seconds between two log lines. Blocks in between are counted and reported with the next line."""
_DEEP: Final = 6
"""Number of stack frames logged, innermost first."""


class LoopLag:
    """Counts the blocks of the loop and names their cause. Call `start` and `stop` in its thread.

    Attributes:
        count: number of blocks.
        longest: seconds of the longest block.
        last: description of the most recent one.
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
        """Begin watching the running loop.

        Call it once: after `stop` it cannot be started again.

        Raises:
            RuntimeError: no loop runs in this thread.
        """
        loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._noted = loop.time()
        self._timer = loop.call_later(BEAT, self._beat, loop)
        threading.Thread(
            target=self._look, args=(loop,), name="callrouter hold-ups", daemon=True
        ).start()

    def stop(self) -> None:
        """Stop watching.

        The second thread ends within `BEAT` seconds. The figures stay.
        """
        self._over.set()
        if self._timer is not None:
            self._timer.cancel()

    def status(self) -> dict[str, Any]:
        """Return the figures for ``/api/status``.

        ``by`` is the cause of the most recent block; None: there was none. ``longest_ms`` is in
        milliseconds.
        """
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
        """Sample the loop's thread. If this thread was late as well, the sample proves nothing."""
        before = loop.time()
        while not self._over.wait(BEAT):
            now = loop.time()
            awake, before = now - before < BEAT + HELD_UP, now
            if awake and not self._found and now - self._noted > BEAT + HELD_UP / 2:
                frame = sys._current_frames().get(self._watched)
                # If it is only waiting, the loop woke late: that is the machine's fault and not
                # that of a line of code.
                if not waits(frame):
                    self._found = where(frame)


def waits(frame: FrameType | None) -> bool:
    """Return whether a loop's thread is only waiting for sockets and timers.

    That is so if its innermost frame is in `selectors.py`. False for None: the thread is gone.
    """
    return frame is not None and frame.f_code.co_filename.endswith("selectors.py")


def where(frame: FrameType | None) -> str:
    """Format a stack as one line, innermost call first.

    It has at most `_DEEP` calls, and is empty for None.
    """
    lines: list[str] = []
    while frame is not None and len(lines) < _DEEP:
        code = frame.f_code
        name = "/".join(code.co_filename.rsplit("/", 2)[-2:])
        lines.append(f"{code.co_qualname} ({name}:{frame.f_lineno})")
        frame = frame.f_back
    return " < ".join(lines)
