"""What a command says to people: how it fails, and lines of text, cleaned and wrapped."""

from __future__ import annotations

import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

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


HELD: Final = "none of these changes is in force; put the files right, or confirm them with `callrouter reload`"
"""What to do about a configuration with unconfirmed losses."""


def print_text(text: str, *, indent: int = 2, err: bool = False) -> None:
    """Print a line. On a terminal it is wrapped, with the following lines indented by `indent`.

    In a pipe it stays whole: programs read lines.
    """
    stream = sys.stderr if err else sys.stdout
    width = shutil.get_terminal_size().columns if stream.isatty() else None
    click.echo(paragraph(clean(text), width, indent), err=err)


def print_before(lines: Iterable[str]) -> None:
    """Print what is about to be done. It is done all the same if the reader (``| head``) has gone."""
    with suppress(BrokenPipeError):
        for line in lines:
            print_text(line)


def paragraph(text: str, width: int | None, indent: int = 0) -> str:
    """Return a text wrapped between words and aligned under its first line.

    The text stays whole if `width` is None.

    Args:
        text: one line, including its leading spaces.
        width: columns of the terminal.
        indent: additional spaces before the lines after the first.
    """
    if width is None or len(text) <= width:
        return text
    start = len(text) - len(text.lstrip())
    lines = textwrap.wrap(
        text.strip(),
        max(20, width - start),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(" " * start + line for line in lines)


def excerpt(line: str, column: int) -> str:
    """Return a line without its indentation; of a long one, the part around `column` (from 1)."""
    most = 100
    start = max(0, column - 1 - most // 2) if len(line.strip()) > most else 0
    part = line[start : start + most].strip()
    return ("…" if start else "") + part + ("…" if len(line.rstrip()) > start + most else "")


def this_command() -> str:
    """Return the shell command for this program, wherever it is installed.

    It is ``callrouter`` if that name leads here in the PATH, otherwise the absolute path, or ``-m
    callrouter`` with the interpreter in use. It is quoted for a shell.
    """
    started = Path(sys.argv[0]).absolute()
    if started.name != "callrouter":
        return f"{shlex.quote(sys.executable)} -m callrouter"
    found = shutil.which("callrouter")
    is_it = found is not None and Path(found).resolve() == started.resolve()
    return "callrouter" if is_it else shlex.quote(str(started))
