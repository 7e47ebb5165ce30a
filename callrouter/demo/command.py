"""``callrouter demo``: a complete call centre on this machine, which leaves no trace."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
from collections.abc import Iterator

from callrouter.clock import SystemClock
from callrouter.daemon.process import LastResort
from callrouter.demo.centre import Centre
from callrouter.demo.child import DaemonFailedError
from callrouter.demo.demo_config import NoDialplanError
from callrouter.demo.screen import Terminal
from callrouter.demo.show import Limits, Show, summary
from callrouter.lab import (
    AsteriskFailedError,
    Install,
    NoAsteriskError,
    NoFreePortsError,
    RegistrationFailedError,
    find_asterisk,
)
from callrouter.tasks import Tasks

STOP_WITHIN = 4.8
"""Seconds after which we exit even if something hangs; Asterisk and the daemon die with us."""

_FAILURES = (
    AsteriskFailedError,
    DaemonFailedError,
    NoDialplanError,
    NoFreePortsError,
    RegistrationFailedError,
    OSError,
)


def run(*, calls: int | None = None, seconds: float | None = None, simulated: bool = False) -> int:
    """Run the demo until Ctrl-C, SIGTERM or a limit.

    Args:
        calls: stop after this many connected calls.
        seconds: stop after this many seconds of calls.
        simulated: run without Asterisk.

    Returns:
        The exit status: 0, or 1 if something did not start or stopped by itself; the terminal says
        what.
    """
    demo = Demo(Limits(calls, seconds), simulated=simulated)
    return asyncio.run(demo.run())


class Demo:
    """One run of the demo.

    Args:
        limits: when it ends by itself.
        simulated: whether to run without Asterisk, even if there is one.
    """

    def __init__(self, limits: Limits, *, simulated: bool) -> None:
        self._limits, self._simulated = limits, simulated
        self._clock = SystemClock()
        self._stop = asyncio.Event()
        self._terminal = Terminal(self._stop.set)

    async def run(self) -> int:
        """Run all of it; a signal stops it in order, within 5 s.

        Returns:
            The exit status, as `run` returns it. If the end after a signal takes longer
            than `STOP_WITHIN` seconds, the process exits with status 1.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        tasks = Tasks()
        play = tasks.spawn(self._play(), "demo")
        told = tasks.spawn(self._stop.wait(), "signals")
        await asyncio.wait({play, told}, return_when=asyncio.FIRST_COMPLETED)
        last_resort = LastResort(STOP_WITHIN)
        if not play.done():
            last_resort.begin()
            play.cancel()
        try:
            return await play
        except asyncio.CancelledError:
            return 0
        finally:
            last_resort.cancel()
            await tasks.close()

    async def _play(self) -> int:
        with _quiet_logs():
            install = None if self._simulated else await self._find()
            # Not for secrets: it decides who calls when and who misses a call.
            centre = Centre(install, random.Random(), self._progress)  # noqa: S311
            show = Show(centre, self._terminal, self._clock)
            fault = ""
            try:
                await centre.open(show.rang)
                fault = await show.run(self._limits)
            except _FAILURES as error:
                fault = str(error)
            finally:
                began = show.story.started_at
                ended = self._clock.now()
                self._terminal.say("ending …")
                await centre.close()
                self._last_words(show, ended - began, fault)
            return 1 if fault else 0

    async def _find(self) -> Install | None:
        """Return the Asterisk to use; None if there is none, after printing why.

        It may build a private tree first, which takes about half a minute.
        """
        self._progress("looking for Asterisk …")
        try:
            return await find_asterisk(self._progress)
        except NoAsteriskError as error:
            self._terminal.say(
                f"No Asterisk: {error}", "Showing the simulated telephone system instead."
            )
            return None

    def _last_words(self, show: Show, seconds: float, fault: str) -> None:
        if show.figures.entered:
            self._terminal.say(*summary(show.figures, seconds))
        if fault:
            self._terminal.say(f"callrouter demo: {fault}")

    def _progress(self, text: str) -> None:
        self._terminal.say(f"callrouter demo: {text}")


@contextlib.contextmanager
def _quiet_logs() -> Iterator[None]:
    """Silence the logs of our own phones.

    They are for tests and would clutter the demo's screen.
    """
    root = logging.getLogger()
    handler = logging.NullHandler()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
