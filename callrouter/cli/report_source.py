"""Where a report comes from: the daemon, or the database itself while no daemon runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from callrouter.cli.commands.check import read_settings
from callrouter.cli.commands.query import client_for, exit_on_refusal
from callrouter.cli.global_options import asks_remote_daemon, choose, global_options_of
from callrouter.cli.output_text import CommandFailed
from callrouter.cli.progress_line import ProgressLine
from callrouter.clock import SystemClock

if TYPE_CHECKING:
    from callrouter.reports.report import Report
    from callrouter.settings import Settings
    from callrouter.store.location import Place

REPORT_WITHIN: Final = 600.0
"""Seconds for the daemon to make a report."""


def report_from(context: click.Context, what: str, query: Mapping[str, str]) -> Report:
    """Return a report, from the daemon if it runs, else from its database.

    Args:
        context: the command's context, which says which daemon or configuration.
        what: the kind of report.
        query: what was asked for, by the names of the API's parameters.

    Raises:
        CommandFailed: the daemon refuses or cannot be reached, or there is nothing to read.
    """
    with ProgressLine("making the report") as line:
        if asks_remote_daemon(context) or _runs(context):
            return _from_daemon(context, what, query)
        return _from_database(context, what, query, line)


def _runs(context: click.Context) -> bool:
    """Return whether the daemon of this configuration runs.

    Raises:
        CommandFailed: it does, and we may not ask it.
    """
    from callrouter.api import control_socket  # noqa: PLC0415 - only here

    folder = choose(global_options_of(context).config, os.environ)
    try:
        return control_socket.find(folder, os.environ) is not None
    except control_socket.ControlSocketError as error:
        raise CommandFailed(3, str(error)) from error


def _from_daemon(context: click.Context, what: str, query: Mapping[str, str]) -> Report:
    from callrouter.reports.formats.report_json import from_json  # noqa: PLC0415 - only here

    client = client_for(context).patient(REPORT_WITHIN)
    with exit_on_refusal():
        view = client.get("reports", what, **query)
    try:
        return from_json(view)
    except ValueError as error:
        raise CommandFailed(3, f"the daemon's answer cannot be used: {error}") from error


def _from_database(
    context: click.Context, what: str, query: Mapping[str, str], line: ProgressLine
) -> Report:
    # SQLAlchemy takes its time.
    from callrouter.record.record_reader import RecordReader  # noqa: PLC0415
    from callrouter.reports.catalog import make  # noqa: PLC0415
    from callrouter.reports.periods import PeriodError, read_period  # noqa: PLC0415
    from callrouter.reports.request import (  # noqa: PLC0415
        ALL,
        ReportError,
        ReportRequest,
        Site,
    )
    from callrouter.store.location import StoreError  # noqa: PLC0415

    folder = choose(global_options_of(context).config, os.environ)
    settings = read_settings(folder)
    reader = RecordReader(_place(folder, settings))
    now = SystemClock().now()
    try:
        request = ReportRequest(
            what=what,
            period=read_period(query.get("period", ""), now, settings.table.zone),
            by=query.get("by", ""),
            queue=query.get("queue", ""),
            agent=query.get("agent", ""),
            call=query.get("call", ""),
            figure=query.get("figure", ""),
        )
        with reader.connection() as link:
            return make(request, Site.of(settings, now), ALL, link, line.tell)
    except (ReportError, PeriodError) as error:
        raise CommandFailed(2, str(error)) from error
    except StoreError as error:
        raise CommandFailed(3, f"the daemon does not run, and {error}") from error
    finally:
        reader.close()


def _place(folder: Path, settings: Settings) -> Place:
    """Return the database of a configuration, wherever its daemon could have put it.

    Raises:
        CommandFailed: there is none.
    """
    from callrouter.settings.state_location import (  # noqa: PLC0415 - only here
        SYSTEM_STATE,
        state_candidates,
    )
    from callrouter.store.location import File, StoreError  # noqa: PLC0415 - only here
    from callrouter.store.location import choose as place_of  # noqa: PLC0415 - only here

    database = settings.database
    if "://" in database:
        try:
            return place_of(database, folder, os.environ, pool=settings.pool)
        except StoreError as error:
            raise CommandFailed(2, str(error)) from error
    path = Path(database)
    places = [path]
    if not path.is_absolute():
        folders = (*state_candidates(folder, database, os.environ), SYSTEM_STATE)
        places = [place / path.name for place in folders]
    try:
        found = next((place for place in places if place.exists()), None)
    except PermissionError as error:
        raise CommandFailed(3, f"{error.filename} cannot be read: {error.strerror}") from error
    if found is None:
        raise CommandFailed(
            3,
            f"the daemon for {folder} does not run, and there is no database of its own at "
            f"{places[0]}: no calls are on record",
        )
    if not os.access(found, os.R_OK | os.W_OK):
        raise CommandFailed(
            3,
            f"the daemon for {folder} does not run, and you may not read its database {found}; "
            "run this as root or as the user the daemon runs as",
        )
    return File(found)
