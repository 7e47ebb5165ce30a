"""How a command that fails ends."""

from __future__ import annotations

from typing import Any

import click

from callrouter.model.text import clean


class CommandFailed(click.ClickException):
    """Ends the program with `text` on stderr and an exit status.

    1 the answer is no, 2 bad usage or bad configuration, 3 daemon or PBX cannot be reached.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status

    def show(self, file: Any = None) -> None:
        """Print it on one line, safe for a terminal whatever it contains.

        It goes to stderr unless `file` is given. `main` calls it, then exits with `status`.
        """
        click.echo(f"callrouter: {clean(self.message)}", err=True, file=file)
