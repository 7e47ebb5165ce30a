"""Lines of text for people: clean, and wrapped between words on a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap

import click

from callrouter.logs import clean


def tell(text: str, *, indent: int = 2, err: bool = False) -> None:
    """Print a line; on a terminal it is wrapped between words, its further lines set in by `indent`.

    In a pipe it stays whole: programs read lines.
    """
    stream = sys.stderr if err else sys.stdout
    width = shutil.get_terminal_size().columns if stream.isatty() else None
    click.echo(paragraph(clean(text), width, indent), err=err)


def paragraph(text: str, width: int | None, indent: int = 0) -> str:
    """A text wrapped between words, its further lines under its first; whole where `width` is None.

    Args:
        text: one line, with the blanks it begins with.
        width: columns of the terminal.
        indent: further blanks in front of the lines after the first.
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
