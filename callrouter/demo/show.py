"""Shows the demo: reads the daemon's API, writes a live view or plain lines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.live import Live

from callrouter.clock import Clock
from callrouter.demo.centre import Centre
from callrouter.demo.child import DaemonFailedError
from callrouter.demo.demo_config import QUEUES
from callrouter.demo.figures import Figures, Json
from callrouter.demo.screen import UNKNOWN, Picture, Terminal, clock, milliseconds
from callrouter.demo.sentences import Story, StoryLine
from callrouter.model.text import clock_duration
from callrouter.tasks import Tasks

EVERY = 0.25
"""Seconds between two frames."""
STATUS_EVERY = 15.0
"""Seconds between two lines of figures if there is no terminal."""

_SILENT = frozenset({"signed-in", "signed-out"})
"""Records that the opening summarizes in one line."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When the demo ends by itself: after a number of connected calls or of seconds.

    None: there is no such limit. With both, the first one reached counts.
    """

    calls: int | None = None
    seconds: float | None = None


class Show:
    """The visible side of a centre.

    Args:
        centre: what is shown. `Show.run` lets its people begin to work, but does not open or close
            it.
        terminal: where to show it.
        now: source of the time.
    """

    def __init__(self, centre: Centre, terminal: Terminal, now: Clock) -> None:
        self.figures = Figures()
        self.story = Story(now.now())
        self._centre, self._terminal, self._now = centre, terminal, now
        self._live = terminal.shows_frames
        self._picture = Picture(
            title=centre.title,
            join=(),
            figures=self.figures,
            story=self.story,
            now=now.now(),
            measured=centre.real,
        )
        self._tasks = Tasks()
        self._followed = asyncio.Event()

    def rang(self, agent: str, at: float) -> None:
        """Note that an INVITE reached an agent's phone at `at` (the event loop's time).

        `Staff` calls it on the event loop. The figures need epoch seconds, so the time is
        converted.
        """
        offset = self._now.now() - asyncio.get_running_loop().time()
        self.figures.invited(agent, at + offset)

    async def run(self, limits: Limits) -> str:
        """Show until a limit is reached. Returns what has stopped by itself, or an empty string.

        Limits are checked about four times a second. A daemon that refuses or does not answer ends
        it too.
        """
        started = self.story.started_at = self._now.now()
        self._picture.join = self._centre.join()
        self._tasks.spawn(self._follow(), "live records")
        try:
            with self._frames() as draw:
                await self._followed.wait()
                await self._centre.begin_work()
                if not self._live:
                    self._terminal.say(f"{clock(0)} {len(self.figures.queues_of)} agents signed in")
                while not (fault := self._centre.fault()):
                    await self._look()
                    draw()
                    if _reached(limits, self.figures, self._now.now() - started):
                        break
                    await asyncio.sleep(EVERY)
                return fault
        except DaemonFailedError as error:
            await asyncio.sleep(EVERY)  # it may be about to exit
            return self._centre.fault() or str(error)
        finally:
            await self._tasks.close()

    @contextlib.contextmanager
    def _frames(self) -> Iterator[Callable[[], None]]:
        """Provide the function that shows a frame to the user."""
        if not self._live:
            yield self._lines()
            return
        with Live(self._picture, console=self._terminal, screen=True, auto_refresh=False) as live:
            yield lambda: live.update(self._picture, refresh=True)

    def _lines(self) -> Callable[[], None]:
        """Without frames: print how to join once, and the figures now and then."""
        self._terminal.say(*self._centre.join())
        last = self._now.now()

        def draw() -> None:
            nonlocal last
            if self._now.now() - last >= STATUS_EVERY:
                last = self._now.now()
                self._terminal.say(
                    f"{clock(last - self.story.started_at)} -- {short(self.figures)}"
                )

        return draw

    async def _look(self) -> None:
        """Fetch the current state from the daemon."""
        if not self._live:
            return
        daemon, picture = self._centre.daemon, self._picture
        picture.agents = await daemon.get("/api/agents")
        queues = await daemon.get("/api/queues")
        picture.queues = sorted(queues, key=_as_written)
        calls = await daemon.get("/api/calls?only=live")
        picture.calls = {call["id"]: call for call in calls}
        picture.now = self._now.now()

    async def _follow(self) -> None:
        """Take every record; reconnect if the connection is lost while the daemon is running."""
        while True:
            async for message in self._centre.daemon.live():
                if message["type"] == "state":
                    self.figures.serves(message["agents"])
                    self._followed.set()
                elif message["type"] == "record":
                    self.figures.record(message)
                    self._tell(self.story.take(message))
            await asyncio.sleep(EVERY)

    def _tell(self, line: StoryLine | None) -> None:
        if line is not None and not self._live and line.kind not in _SILENT:
            self._terminal.say(f"{clock(line.seconds)} {line.text}")


def _reached(limits: Limits, figures: Figures, seconds: float) -> bool:
    enough = limits.calls is not None and len(figures.answered) >= limits.calls
    return enough or (limits.seconds is not None and seconds >= limits.seconds)


def short(figures: Figures) -> str:
    """Return the figures in one line."""
    return (
        f"{len(figures.entered)} calls, {len(figures.answered)} answered, "
        f"{len(figures.abandoned)} gave up, {figures.waiting} waiting; {waits(figures)}"
    )


def waits(figures: Figures) -> str:
    """Say how long callers waited for an agent.

    A dash stands for what is unknown, as long as no caller has been connected.
    """
    longest = max(figures.waits, default=None)
    median, worst = (
        clock_duration(seconds, digits=1, unknown=UNKNOWN)
        for seconds in (figures.median_wait, longest)
    )
    return f"wait: median {median}, worst {worst}"


def summary(figures: Figures, seconds: float) -> list[str]:
    """Return the lines to print at the end.

    Args:
        figures: the counts.
        seconds: how long calls were shown.
    """
    counts = (
        f"{clock_duration(seconds)}: {len(figures.entered)} calls, {len(figures.answered)} answered, "
        f"{len(figures.abandoned)} gave up, {figures.waiting} were still waiting"
    )
    lines = [counts, waits(figures)]
    if figures.reactions:
        lines.append(
            "agent free, a caller waiting → that agent's phone rings: median "
            f"{milliseconds(figures.median_reaction)}, worst "
            f"{milliseconds(max(figures.reactions))} ({len(figures.reactions)} times)"
        )
    return lines


def _as_written(queue: Json) -> tuple[int, str]:
    """Sort key for the file's order. Queues added to the file during a run come last."""
    name = queue["id"]
    return (QUEUES.index(name) if name in QUEUES else len(QUEUES), name)
