"""The demo's output: a terminal or a pipe, either of which may disappear at any time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from rich.console import Console
from rich.text import Text


class Terminal(Console):
    """Standard output.

    When its reader is gone, `on_gone` is called once and all output is dropped.
    """

    def __init__(self, on_gone: Callable[[], None]) -> None:
        super().__init__(highlight=False)
        self._on_gone = on_gone
        self._gone = False

    @property
    def shows_frames(self) -> bool:
        """Whether this is a terminal that can show a live view.

        False for a pipe and for a dumb terminal, which get plain lines.
        """
        return sys.stdout.isatty() and not self.is_dumb_terminal

    def say(self, *lines: str) -> None:
        """Print plain lines and flush. Never fails.

        A terminal that has gone counts as a closed pipe: `on_gone` is called. Markup is not
        interpreted.
        """
        try:
            for line in lines:
                self.print(Text(line), soft_wrap=True)
        except OSError:  # the terminal was closed
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Called by Rich when a pipe is closed. Its default would exit the process at once."""
        if self._gone:
            return
        self._gone = self.quiet = True
        # Data still in the buffer must not cause an error when Python flushes it on exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        self._on_gone()
