"""``callrouter report``: figures of days gone by, as a table, JSON, CSV, a workbook or a plot."""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from callrouter.cli.commands.query import console, json_option, show_on
from callrouter.cli.output_text import CommandFailed, print_text
from callrouter.cli.suggestions import SuggestingChoice, meant, sentence
from callrouter.model.text import counted, listed

if TYPE_CHECKING:
    from callrouter.reports.report import Report

WHATS: Final = ("queues", "agents", "calls", "abandoned", "pauses", "hours", "fairness", "call")
"""The kinds of reports, in the order of the help."""
INTERVALS: Final = ("15m", "30m", "1h", "1d", "1w", "1mo")
PERIODS: Final = ("today", "yesterday", "this week", "last week", "this month", "last month")
"""The periods that have names."""
_FORMATS: Final = {"as_json": "--json", "as_csv": "--csv", "xlsx": "--xlsx", "plot": "--plot"}


@click.command(short_help="Report on calls, queues and agents of a day, a week or a month.")
@click.argument("what", metavar="WHAT", type=SuggestingChoice(WHATS))
@click.argument("period", metavar="[PERIOD]", nargs=-1)
@click.option(
    "--by",
    metavar="LENGTH",
    type=SuggestingChoice(INTERVALS),
    help="Divide the period: 15m, 30m, 1h, 1d, 1w or 1mo.",
)
@click.option("--queue", metavar="QUEUE", help="Only this queue.")
@click.option("--agent", metavar="AGENT", help="Only this agent.")
@click.option(
    "--figure",
    metavar="WHAT.NAME",
    help="With calls: those that make a figure, as queues.answered.",
)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for spreadsheets and programs.")
@click.option("--xlsx", metavar="FILE", help="Write a workbook.")
@click.option("--plot", metavar="FILE", help="Draw queues, hours or agents into a PNG file.")
@click.pass_context
def report(
    context: click.Context,
    *,
    what: str,
    period: tuple[str, ...],
    by: str | None,
    queue: str | None,
    agent: str | None,
    figure: str | None,
    as_json: bool,
    as_csv: bool,
    xlsx: str | None,
    plot: str | None,
) -> None:
    """Report on the calls of a period, from the record of the daemon.

    \b
    queues     calls, waits and service level of each queue
    agents     calls, talk time and time by state of each agent
    calls      every call
    abandoned  callers who hung up while waiting, and who called them back
    pauses     breaks of each agent by reason
    hours      calls, waits and service level by interval
    fairness   whether calls are shared out as the policy promises
    call ID    the whole story of one call

    PERIOD is today (default), yesterday, this week, last week, this month, last month, a date, two
    dates, or two times: 2026-11-27, 2026-11-01..2026-11-07, 2026-11-27T09:00..2026-11-27T12:00. Times
    are those of the site's time zone. Each figure is defined in docs/figures.md.

    \b
    Examples:
      callrouter report queues
      callrouter report queues last week --by 1d --queue support
      callrouter report hours 2026-11-27 --by 30m --plot friday.png
      callrouter report agents this month --xlsx agents.xlsx
      callrouter report calls yesterday --csv > calls.csv
      callrouter report calls yesterday --figure queues.abandoned_short --queue support
      callrouter report call office-1795775041.77

    The daemon makes the report; if it does not run, the database is read directly.
    """  # noqa: D301 - \b is click's own, and has to be the character
    _one_of({"as_json": as_json, "as_csv": as_csv, "xlsx": xlsx, "plot": plot})
    query = _query(what, period, {"by": by, "queue": queue, "agent": agent, "figure": figure})
    if xlsx is not None:
        _check_extra("xlsx", xlsx)
    if plot is not None:
        _check_extra("png", plot)
    from callrouter.cli.report_source import report_from  # noqa: PLC0415 - only when used

    made = report_from(context, what, query)
    if xlsx is not None:
        _write(xlsx, "xlsx", made)
    elif plot is not None:
        _write(plot, "png", made)
    else:
        with _output_errors():
            _print(made, as_json=as_json, as_csv=as_csv)


def _one_of(given: dict[str, str | bool | None]) -> None:
    """Refuse two formats at once.

    Raises:
        click.UsageError: there are two.
    """
    names = [_FORMATS[name] for name, value in given.items() if value not in {None, False}]
    if len(names) > 1:
        raise click.UsageError(f"{listed(names)} are different formats; choose one of them")


def _query(what: str, words: tuple[str, ...], options: dict[str, str | None]) -> dict[str, str]:
    """Return what is asked for as the API's parameters.

    Raises:
        click.UsageError: the words make no period, or no call.
    """
    text = " ".join(" ".join(words).split())
    query = {name: value for name, value in options.items() if value is not None}
    if what == "call":
        if not text or query:
            given = f"takes no {listed([f'--{name}' for name in query], 'or')}"
            need = "needs the id of a call, as `callrouter report calls` shows it"
            raise click.UsageError(f"report call {given if query else need}")
        return {"call": text}
    # Dates are looked at where the site's time zone is known.
    if text and not text[0].isdigit() and text.lower() not in PERIODS:
        hint = sentence(meant(text, PERIODS))
        raise click.UsageError(
            f"'{text[:60]}' is not a period: use {listed(PERIODS, 'or')}, or dates such as "
            f"2026-11-27 or 2026-11-01..2026-11-07.{hint}"
        )
    return {
        **query,
        **({"period": text.lower() if text.lower() in PERIODS else text} if text else {}),
    }


# ---------------------------------------------------------------- output


def _print(made: Report, *, as_json: bool, as_csv: bool) -> None:
    if as_json:
        from callrouter.reports.formats.report_json import to_json  # noqa: PLC0415 - only here

        click.echo(json.dumps(to_json(made), ensure_ascii=False, indent=2))
        return
    if as_csv:
        from callrouter.reports.formats.report_csv import csv_blocks  # noqa: PLC0415 - only here

        for block in csv_blocks(made):
            click.echo(block, nl=False)
    else:
        from callrouter.cli.tables import report_table  # noqa: PLC0415 - only here

        out = console()
        show_on(out, report_table.lines(made, out.width))
    for number, note in enumerate(made.notes):
        if number == 0 and not as_csv:
            click.echo()
        print_text(note, err=as_csv)  # in CSV, notes would be rows


@contextmanager
def _output_errors() -> Iterator[None]:
    """Write all of the output, or say that it cannot be written, such as to a full disk.

    With ``PYTHONUNBUFFERED``, Python itself drops what a disk that gets full does not take.

    Raises:
        CommandFailed: so it is (exit status 2).
        BrokenPipeError: the reader has gone, which is no error.
    """
    raw: object = getattr(sys.stdout, "buffer", None)
    if isinstance(raw, io.RawIOBase):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(raw), sys.stdout.encoding, sys.stdout.errors, line_buffering=True
        )
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # What Python still holds would fail once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise CommandFailed(2, f"the report cannot be written: {error.strerror}") from error


def _check_extra(name: str, file: str) -> None:
    """Refuse a file that cannot be made, before anything is read.

    Raises:
        CommandFailed: a library is missing, or the folder of the file (exit status 2).
    """
    from callrouter.reports.formats.file_formats import FILE_FORMATS  # noqa: PLC0415 - only here

    if lack := FILE_FORMATS[name].lacks():
        raise CommandFailed(2, lack)
    folder = Path(file).parent
    if not folder.is_dir():
        raise CommandFailed(2, f"cannot write {file}: there is no folder {folder}")
    if Path(file).is_dir():
        raise CommandFailed(2, f"cannot write {file}: it is a folder; name a file in it")


def _write(file: str, name: str, made: Report) -> None:
    """Make a file, which appears only when it is whole. ``-`` is the standard output.

    Raises:
        CommandFailed: the report cannot be had in this format, or the file cannot be written (exit
            status 2).
    """
    from callrouter.reports.formats.file_formats import FILE_FORMATS  # noqa: PLC0415 - only here

    try:
        content = FILE_FORMATS[name].make(made)
    except ValueError as error:
        raise CommandFailed(2, str(error)) from error
    if file == "-":
        with _output_errors():
            sys.stdout.buffer.write(content)
        return
    try:
        _put(Path(file), content)
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        kept = "; nothing was left of it" if full else ""
        raise CommandFailed(2, f"cannot write {file}: {error.strerror}{kept}") from error
    click.echo(f"wrote {file} ({counted(len(made.rows), 'row')})")


def _put(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it; a device or a pipe is written to as it is.

    Raises:
        OSError: it cannot be written. An earlier file is unchanged.
    """
    from callrouter.files import write  # noqa: PLC0415 - only here

    mode = path.stat().st_mode if path.exists() else stat.S_IFREG
    if not stat.S_ISREG(mode):
        with path.open("wb") as device:
            device.write(content)
        return
    mask = os.umask(0)
    os.umask(mask)
    write(path.absolute(), content, stat.S_IMODE(mode) or 0o666 & ~mask)
