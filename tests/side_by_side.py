"""Runs the stages of the tests: each as soon as what it needs is over, several beside each other.

Some stages mostly wait for real time; a stage that only computes then takes what they leave of the processors, at the
lowest priority, so that it does not disturb them. What the stages print reads as if they ran one after the other: one is followed
as it goes, and the others' output is kept until it is their turn. The first one that fails ends the others, and is shown
last; so does Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

LOOK_EVERY = 0.1
LOWEST = 19
"""Of the priorities of processes, as `nice` counts them."""
END_WITHIN = 30.0
"""Seconds in which stages that are told to end can end Asterisk, routers and browsers."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Commands that run one after the other, and what they need.

    Attributes:
        name: what `after` and the command line call it.
        title: what it is, in words.
        commands: programs with their arguments; the first that fails is the last that runs.
        after: stages that must be over before.
        gives_way: whether it gets only what the others leave of the processors.
    """

    name: str
    title: str
    commands: tuple[tuple[str, ...], ...]
    after: tuple[str, ...] = ()
    gives_way: bool = False


@dataclass(slots=True)
class _Running:
    """A stage that was started.

    Attributes:
        left: commands that are still to come.
        status: how it ended, as an exit status; None: it runs.
        shown: bytes of its output that were shown.
        cpu: seconds of the processors that its processes took, as far as they were waited for.
    """

    stage: Stage
    output: Path
    began: float
    left: list[tuple[str, ...]]
    pid: int = 0
    status: int | None = None
    shown: int = 0
    took: float = 0.0
    cpu: float = 0.0

    def next_command(self) -> None:
        """Start the next command; its output goes to the stage's file."""
        with self.output.open("ab") as file:
            process = subprocess.Popen(
                self.left.pop(0),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process.returncode = 0  # `look` waits for it, and learns what it took
        self.pid = process.pid
        if self.stage.gives_way:
            _give_way(self.pid)

    def look(self) -> None:
        """Notice that its command is over, and start the next."""
        if self.status is not None:
            return
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if not pid:
            return
        self.cpu += usage.ru_utime + usage.ru_stime
        failed = os.waitstatus_to_exitcode(status)
        if self.left and not failed:
            self.next_command()
            return
        self.status, self.took = failed, time.monotonic() - self.began

    def signal(self, number: int) -> bool:
        """Send a signal to all its processes; 0 sends none. Whether there are any."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def show(self, out: BinaryIO) -> None:
        """Show what of its output was not shown yet."""
        with self.output.open("rb") as file:
            file.seek(self.shown)
            new = file.read()
        self.shown += len(new)
        out.write(new)
        out.flush()


def _give_way(pid: int) -> None:
    """Give a process that has just begun, and those that it will start, what others leave of the processors."""
    with suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, LOWEST)


class _Run:
    """All stages of one run."""

    def __init__(self, stages: Sequence[Stage], folder: Path, out: BinaryIO) -> None:
        self._names = [stage.name for stage in stages]
        self._waiting = list(stages)
        self._started: dict[str, _Running] = {}
        self._folder = folder
        self._out = out
        self._followed: _Running | None = None
        self._done: set[str] = set()
        """Names of those whose output was shown to its end."""

    def go(self) -> int:
        """Run them all; the exit status of the first that failed, or 0."""
        began = time.monotonic()
        while self._waiting or any(one.status is None for one in self._started.values()):
            self._start()
            time.sleep(LOOK_EVERY)
            for one in self._started.values():
                one.look()
            self.follow()
            failed = next((one for one in self._started.values() if one.status), None)
            if failed is not None:
                return self._failed(failed)
        while len(self._done) < len(self._started):
            self.follow()
        figures = ", ".join(_figures(one) for one in self._started.values())
        self._say(f"— {time.monotonic() - began:.0f} s: {figures}")
        return 0

    def end(self) -> None:
        """End all that run: ask as Ctrl-C does, and in the end, or after another Ctrl-C, do not ask."""
        running = [one for one in self._started.values() if one.status is None]
        for one in running:
            one.left.clear()
        with suppress(KeyboardInterrupt):
            _signal(running, signal.SIGINT)
        _signal(running, signal.SIGKILL)  # what ignored the first, or is left of one that ended

    def _start(self) -> None:
        over = {name for name, one in self._started.items() if one.status == 0}
        for stage in list(self._waiting):
            if over.issuperset(name for name in stage.after if name in self._names):
                self._waiting.remove(stage)
                made = _Running(
                    stage,
                    output=self._folder / stage.name,
                    began=time.monotonic(),
                    left=list(stage.commands),
                )
                self._started[stage.name] = made
                made.next_command()

    def follow(self) -> None:
        """Show what is new of one of them until it is over, then go on to the next, in the order of the stages."""
        if self._followed is None:
            names = (name for name in self._names if name in self._started.keys() - self._done)
            if (name := next(names, None)) is None:
                return
            self._followed = self._started[name]
            self._say(f"— {self._followed.stage.title}")
        one = self._followed
        over = one.status is not None
        one.show(self._out)
        if over:
            self._done.add(one.stage.name)
            self._followed = None

    def _failed(self, failed: _Running) -> int:
        others = [one.stage.name for one in self._started.values() if one.status is None]
        self.end()
        self.follow()
        if failed.stage.name not in self._done:
            self._say(f"\n— {failed.stage.title}")
            failed.show(self._out)
        ended = f"; ended before they were done: {', '.join(others)}" if others else ""
        self._say(f"— {failed.stage.name} failed after {_figures(failed)}{ended}")
        assert failed.status is not None
        return failed.status if failed.status > 0 else 1

    def _say(self, line: str) -> None:
        self._out.write(f"{line}\n".encode())
        self._out.flush()


def _signal(running: Sequence[_Running], number: signal.Signals) -> None:
    """Send a signal, and wait until all processes are gone: pytest outlives the program that started it."""
    for one in running:
        one.signal(number)
    until = time.monotonic() + END_WITHIN
    while any(one.signal(0) for one in running) and time.monotonic() < until:
        time.sleep(LOOK_EVERY)
        for one in running:
            one.look()


def _figures(one: _Running) -> str:
    return f"{one.stage.name} {one.took:.0f} s (processors {one.cpu:.0f} s)"


def run(stages: Sequence[Stage], out: BinaryIO | None = None) -> int:
    """Run stages, and print what they say.

    Args:
        stages: in the order in which their output is to be read.
        out: where it is printed; None: to standard output.

    Returns:
        0, or the exit status of the first that failed; 130 after Ctrl-C.
    """
    with (
        tempfile.TemporaryDirectory(prefix="callrouter-stages-") as folder,
        # A shell in the background lets its programs ignore Ctrl-C, and so would all that they start.
        _interrupted_by(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
    ):
        made = _Run(stages, Path(folder), out or sys.stdout.buffer)
        try:
            return made.go()
        except KeyboardInterrupt:
            made.end()
            made.follow()
            return 130
        finally:
            made.end()


@contextmanager
def _interrupted_by(*numbers: signal.Signals) -> Iterator[None]:
    """Take signals for Ctrl-C."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
