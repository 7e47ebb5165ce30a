"""Keeps the PBX drivers running, and logs when a PBX comes into sync or loses it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from callrouter.runtime import Runtime

if TYPE_CHECKING:
    from callrouter.pbx.interface import Pbx

logger = logging.getLogger(__name__)

LOOK_EVERY: Final = 0.2
"""Seconds between two checks whether a PBX is in sync (only systemd and the log depend on it)."""


async def watch_pbxes(runtime: Runtime, on_ready: Callable[[str], None]) -> None:
    """Log when a PBX comes into sync or loses it, until cancelled.

    Args:
        runtime: has the PBXes.
        on_ready: called once, when the first of them is in sync, with a text that names them.
    """
    known: set[str] = set()
    ready = False
    while True:
        up = {name for name in runtime.pbxes if runtime.in_step(name)}
        for name in sorted(up - known):
            logger.info("%s is in step: %s", name, runtime.pbxes[name].health().detail)
        for name in sorted(known - up):
            why = runtime.pbxes[name].health().detail
            text = "%s is lost (talks go on, callers keep their music; trying again): %s"
            logger.error(text, name, why)
        known = up
        if up and not ready:
            ready = True
            on_ready(f"{', '.join(sorted(up))} in step")
        await asyncio.sleep(LOOK_EVERY)


async def keep_running(pbx: Pbx) -> None:
    """Restart a driver that fails: other drivers and its own calls need the process alive.

    It returns only when cancelled. The pause before a restart doubles each time, from 1 to 30
    seconds, and is not reset.
    """
    pause = 1.0
    while True:
        try:
            await pbx.run()
            logger.error("the driver of %s ended; starting it again in %.0f s", pbx.name, pause)
        except Exception:
            logger.exception("the driver of %s failed; again in %.0f s", pbx.name, pause)
        await asyncio.sleep(pause)
        pause = min(30.0, pause * 2)
