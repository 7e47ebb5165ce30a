"""Where the demo writes: a terminal or a pipe, which may go away at any time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from rich.console import Console
from rich.text import Text


class Terminal(Console):
    """Standard output. When nobody reads it any more, `on_gone` is called once and all is dropped."""

    def __init__(self, on_gone: Callable[[], None]) -> None:
        super().__init__(highlight=False)
        self._on_gone = on_gone
        self._gone = False

    @property
    def shows_frames(self) -> bool:
        """Whether this is a terminal that can show a live view."""
        return sys.stdout.isatty() and not self.is_dumb_terminal

    def say(self, *lines: str) -> None:
        """Print plain lines, flushed. Never fails."""
        try:
            for line in lines:
                self.print(Text(line), soft_wrap=True)
        except OSError:  # the terminal was closed
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Rich asks this when a pipe is closed; its own answer is to end the process at once."""
        if self._gone:
            return
        self._gone = self.quiet = True
        # What is still in the buffer must not fail when Python flushes it at its end.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        self._on_gone()
