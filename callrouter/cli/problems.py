"""How a command ends that cannot do what it was asked for."""

from __future__ import annotations

from typing import Any

import click

from callrouter.logs import clean


class Failed(click.ClickException):
    """Ends the program: `text` on stderr, and the exit status of interface section 1.

    1 the answer is no, 2 bad usage or bad configuration, 3 daemon or PBX cannot be reached.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status

    def show(self, file: Any = None) -> None:
        """Say it in one line, fit for a terminal whatever it holds."""
        click.echo(f"callrouter: {clean(self.message)}", err=True, file=file)
