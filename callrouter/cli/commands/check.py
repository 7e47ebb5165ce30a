"""The commands that need no daemon (check, dialplan), and code shared with other commands."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callrouter.cli.global_options import folder_of
from callrouter.cli.output_text import HELD, CommandFailed, excerpt, print_text
from callrouter.clock import SystemClock
from callrouter.model.text import clean, counted

if TYPE_CHECKING:
    from callrouter.config_source.current_settings import CurrentConfig
    from callrouter.settings import AsteriskSettings, ConfigError, Problem, Settings, TwilioSettings


def read_settings(folder: Path) -> Settings:
    """Return the configuration.

    Raises:
        CommandFailed: it has mistakes, which were printed (exit status 2), or the database with it
            cannot be asked (3).
    """
    from callrouter.config_source.current_settings import ConfigAwayError, current_config  # noqa: PLC0415 - slow
    from callrouter.settings import ConfigError  # noqa: PLC0415 - pydantic takes its time

    load_installed_policies()
    try:
        return current_config(folder, os.environ).settings(os.environ)
    except ConfigAwayError as error:
        raise CommandFailed(3, str(error)) from error
    except ConfigError as error:
        raise mistakes(folder, error) from error


def mistakes(folder: Path, error: ConfigError) -> CommandFailed:
    """Print the mistakes of a configuration, and return the end of a command that needs it."""
    for problem in error.problems:
        tell_problem(problem, err=True)
    return CommandFailed(2, f"{counted(error.count, 'mistake')} in {folder}")


def load_installed_policies() -> None:
    """Load the policies of installed packages.

    Raises:
        CommandFailed: one cannot be used (exit status 2).
    """
    from callrouter.settings.builders.policy_plugins import PluginError, load_policies  # noqa: PLC0415 - only here

    try:
        load_policies()
    except PluginError as error:
        raise CommandFailed(2, str(error)) from error


# ---------------------------------------------------------------- check


@click.command(short_help="Check the configuration and list every mistake.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_context
def check(context: click.Context, *, as_json: bool) -> None:
    """Read the configuration and list everything that is wrong with it.

    Each line gives the file, the line, the column, what is wrong, and what would be right. Warnings
    are about settings that are allowed but probably not intended. Exits with status 1 if there are
    mistakes; warnings do not count. With status 3 if the database with the configuration cannot be
    asked.
    """
    from callrouter.config_source.current_settings import ConfigAwayError, current_config  # noqa: PLC0415 - slow
    from callrouter.settings import ConfigError  # noqa: PLC0415 - pydantic takes its time

    folder = folder_of(context)
    settings: Settings | None = None
    found: CurrentConfig | None = None
    problems: tuple[Problem, ...] = ()
    count = 0
    away = False
    load_installed_policies()
    try:
        found = current_config(folder, os.environ)
        settings = found.settings(os.environ, now=SystemClock().now())
    except ConfigError as error:
        problems, count = error.problems, error.count
        away = isinstance(error, ConfigAwayError)
    warnings = settings.warnings if settings is not None else ()
    warnings = (*warnings, *(found.unread() if found is not None else ()))
    if as_json:
        view = {
            "ok": settings is not None,
            "count": count,
            "folder": str(folder),
            "problems": mistakes_json(problems),
            "warnings": mistakes_json(warnings),
        }
        click.echo(json.dumps(view, ensure_ascii=False, indent=2))
    else:
        if away:
            raise CommandFailed(3, "\n".join(map(str, problems)))
        for problem in problems:
            tell_problem(problem)
        for warning in warnings:
            print_text(warning_text(warning), indent=4)
        for line in _in_force(folder, settings, found):
            print_text(line)
        print_text(_summary(_place(folder, found), settings, count, len(warnings)))
    context.exit(3 if away else 0 if settings is not None else 1)


def _place(folder: Path, found: CurrentConfig | None) -> str:
    if found is None or found.snapshot.bootstrap is None:
        return str(folder)
    if found.away:
        return f"{folder}, with what was last in force from the database"
    return f"{folder}, with version {found.snapshot.version} of the database"


def _in_force(
    folder: Path, settings: Settings | None, found: CurrentConfig | None
) -> Iterator[str]:
    """Say which configuration a daemon running here keeps using, if it differs from the files.

    Nothing is yielded if no daemon has run here, or if we may not read its history. Files with
    mistakes leave the last configuration in force; files with unconfirmed losses are held back.
    """
    from callrouter.settings.config_files import content_digests  # noqa: PLC0415 - only here
    from callrouter.settings.config_history import find_history  # noqa: PLC0415 - only here

    if found is not None and found.away:
        yield f"newer versions in the database cannot be read: {found.away}"
    if found is None:
        return
    database = settings.database if settings is not None else "callrouter.db"
    try:
        past = find_history(folder, database, os.environ)
        if past is None:
            return
        if settings is None and past.head():
            yield "what was in force last stays in force, over a restart as well, until these files are fixed"
        if settings is not None and past.held() == content_digests(found.snapshot.files):
            for line in past.held_lines():
                yield f"held back by the daemon: {line}"
            yield HELD
    except OSError:
        return  # we may not read it; the daemon reports it in its log and in `callrouter status`


def tell_problem(item: Problem, *, err: bool = False) -> None:
    """Print a mistake, and below it the line as written.

    Without a written line, as for a whole file, there is only the mistake. `err`: on stderr.
    """
    print_text(str(item), indent=4, err=err)
    if item.source_line.strip():
        click.echo(f"    {clean(excerpt(item.source_line, item.column))}", err=err)


def warning_text(item: Problem) -> str:
    """Return a warning with its place, on one line."""
    place = f"{item.file}:{item.line}:{item.column}" if item.line else item.file
    return f"{place}: warning: {item.text}" + (f" ({item.hint})" if item.hint else "")


def mistakes_json(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Return mistakes in their JSON form.

    `answers.problem` prints them like those in the daemon's answers. `source_line` is among the
    keys, cut off where a secret may begin.
    """
    keys = ("file", "line", "column", "text", "hint", "source_line")
    return [{key: getattr(item, key) for key in keys} for item in problems]


def _summary(folder: str, settings: Settings | None, problems: int, warnings: int) -> str:
    if settings is None:
        return f"{folder}: {counted(problems, 'mistake')}"
    table = settings.table
    contents = (
        f"{counted(len(table.agents), 'agent')}, {counted(len(table.queues), 'queue')}, "
        f"{counted(len(settings.pbxes), 'telephone system')}"
    )
    return f"{folder}: good, with {contents}; {counted(warnings, 'warning')}"


# ---------------------------------------------------------------- dialplan


@click.command(short_help="Write the files that Asterisk includes.")
@click.option(
    "--output",
    metavar="DIR",
    default=".",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write; made if need be. Default: here.",
)
@click.pass_context
def dialplan(context: click.Context, *, output: Path) -> None:
    """Write the files for Asterisk: extensions_callrouter.conf and manager_callrouter.conf.

    Include them from extensions.conf and manager.conf, then reload Asterisk. Existing files with
    these names are overwritten. With several Asterisks, the manager_callrouter.conf of each is in a
    folder named after it.
    """
    from callrouter.pbx.asterisk.dialplan import (  # noqa: PLC0415 - only here
        render_extensions,
        render_manager,
    )

    settings = read_settings(folder_of(context))
    pbxes = asterisks(settings)
    if not pbxes:
        raise CommandFailed(
            2, "the configuration has no pbx with driver: asterisk, so there is no dialplan"
        )
    written = [output / "extensions_callrouter.conf"]
    try:
        _write(written[0], render_extensions(settings.codes), 0o644)
        for pbx in pbxes:
            place = output / pbx.id if len(pbxes) > 1 else output
            written.append(place / "manager_callrouter.conf")
            # It contains the secret, so other users must not read it.
            _write(written[-1], render_manager(pbx.username, pbx.secret), 0o640)
    except OSError as error:
        raise CommandFailed(
            2, f"cannot write to {error.filename or output} ({error.strerror}); see --output DIR"
        ) from error
    for path in written:  # when all are there: a reader of this may go
        click.echo(f"wrote {path}")
    click.echo("next: #include them from extensions.conf and manager.conf, and in Asterisk's CLI:")
    click.echo("  dialplan reload")
    click.echo("  manager reload")


def _write(path: Path, text: str, mode: int) -> None:
    """Put a file in place atomically, with its permissions from the start.

    As root, give it the folder's owner: Asterisk, for which the folder was made, must be able to
    read it.
    """
    from callrouter.files import Folder  # noqa: PLC0415 - only here

    with Folder.open(path.parent, make=0o755) as folder:
        folder.write(path.name, text.encode(), mode)


def asterisks(settings: Settings) -> list[AsteriskSettings]:
    """Return the Asterisks of a configuration.

    They are in the order of the files; the list is empty if there is none.
    """
    from callrouter.settings import AsteriskSettings  # noqa: PLC0415 - pydantic takes its time

    return [pbx for pbx in settings.pbxes.values() if isinstance(pbx, AsteriskSettings)]


def twilios(settings: Settings) -> list[TwilioSettings]:
    """Return the Twilio accounts of a configuration.

    They are in the order of the files; the list is empty if there is none.
    """
    from callrouter.settings import TwilioSettings  # noqa: PLC0415 - pydantic takes its time

    return [pbx for pbx in settings.pbxes.values() if isinstance(pbx, TwilioSettings)]
