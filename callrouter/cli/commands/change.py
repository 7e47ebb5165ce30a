"""diff, reload, history, rollback: preview, apply, list and undo configuration changes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callrouter.api import control_socket
from callrouter.cli.commands.check import load_installed_policies, mistakes_json
from callrouter.cli.commands.query import client_for, exit_on_refusal, json_option
from callrouter.cli.daemon_client import DaemonClient, DaemonRefused
from callrouter.cli.global_options import asks_remote_daemon, folder_of
from callrouter.cli.output_text import HELD, CommandFailed, print_before, print_text
from callrouter.cli.tables import answers
from callrouter.model.text import clean, counted

if TYPE_CHECKING:
    from callrouter.api.schemas.config_answers import OutcomeJson
    from callrouter.config_source.config_sources import DatabaseSource
    from callrouter.settings.config_change import Change
    from callrouter.settings.config_files import ConfigFile, FileDigests
    from callrouter.settings.config_history import ConfigHistory

SHOWN = 3
"""Number of changes described in one line of the list."""
LINES_SHOWN = 1_000
"""Maximum number of diff lines per file."""
NOTHING = "nothing would change"


def print_outcome(
    context: click.Context, view: OutcomeJson, *, as_json: bool, nothing: str
) -> None:
    """Print the result of reading the files, and end the command.

    Args:
        context: the command's context. Exits with 1 if the files have mistakes, else with 0.
        view: the daemon's answer.
        as_json: whether to print it as JSON.
        nothing: the words if nothing changes.
    """
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False, indent=2))
    elif view["ok"]:
        for line in view["changes"] or [nothing]:
            print_text(line)
        for line in view.get("held", ()):
            print_text(f"held back: {line}")
        if view.get("held"):
            print_text(HELD)
    else:
        for item in view["problems"]:
            for line in answers.problem(item):
                print_text(line)
        count = len(view["problems"])
        told = "more than 100 mistakes" if count > 100 else counted(count, "mistake")
        print_text(f"{told}; what is in force stays in force")
    context.exit(0 if view["ok"] else 1)


@click.command(short_help="Show what the files would change in the running daemon.")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@json_option
@click.pass_context
def diff(context: click.Context, *, folder: Path | None, as_json: bool) -> None:
    """Say in words what the configuration files would change in the running daemon.

    With DIR: what the files there would change if they replaced the daemon's own, so that you can
    prepare a change in a copy of the folder. Without: the daemon's own files, which it applies by
    itself within 2 s unless they have mistakes. Exits with status 1 if there are mistakes.
    """
    if folder is not None and asks_remote_daemon(context):
        raise click.UsageError(f"{folder} is on this machine, and the daemon is elsewhere (--url)")
    if folder is not None and not folder.is_dir():
        raise CommandFailed(2, f"{folder} is not a folder")
    query = {} if folder is None else {"folder": str(folder.absolute())}
    client = client_for(context)
    with exit_on_refusal():
        view: OutcomeJson = client.get("config", "diff", **query)
    print_outcome(context, view, as_json=as_json, nothing=NOTHING)


@click.command(short_help="Load the configuration files now.")
@click.option("--yes", is_flag=True, help="Do not ask before what takes away much.")
@json_option
@click.pass_context
def reload(context: click.Context, *, yes: bool, as_json: bool) -> None:
    """Make the daemon read its configuration files now, and say what has changed.

    The daemon does this by itself within 2 s of a change. A change that removes a queue with
    callers, or much of the floor, waits for this command, which shows what would be lost and, on a
    terminal, asks for confirmation. Exits with status 1 if the files have mistakes; nothing has
    changed then.
    """
    client = client_for(context)
    with exit_on_refusal():
        view: OutcomeJson = client.post("config", "reload", body={"confirm": False})
        if view.get("held"):
            if not as_json:
                for line in view["held"]:
                    print_text(f"taken away: {line}")
            asks = not yes and not as_json and sys.stdin.isatty()
            if asks and not click.confirm("Take it up all the same?"):
                print_text("nothing has changed; what is in force stays in force")
                context.exit(1)
            view = client.post("config", "reload", body={"confirm": True})
    print_outcome(context, view, as_json=as_json, nothing="nothing has changed")


# ---------------------------------------------------------------- history


@click.command(short_help="Show who changed what in the configuration, and when.")
@click.argument("number", type=click.IntRange(min=1), required=False)
@json_option
@click.pass_context
def history(context: click.Context, *, number: int | None, as_json: bool) -> None:
    """List the configuration changes that the daemon has applied, newest first.

    With NUMBER: everything that this change did, in words and line by line in the files. Possible
    secrets are not shown.
    """
    folder = folder_of(context)
    with readable():
        past = find_past(folder)
        if number is not None:
            change = the_change(past, number)
            view = {**_view(change), "diff": _files_diff(past, change)}
            _show(view) if not as_json else _json(view)
            return
        found = past.changes() if past is not None else []
    if as_json:
        _json([_view(change) for change in found])
        return
    for change in found:
        print_text(_line(change), indent=5)
    if not found:
        print_text("no change has been applied since the daemon was first started")


def _json(view: Any) -> None:
    click.echo(json.dumps(view, ensure_ascii=False, indent=2))


def _view(change: Change) -> dict[str, Any]:
    when = datetime.fromtimestamp(change.at, UTC).isoformat(timespec="seconds")
    return {
        "number": change.number,
        "at": when.replace("+00:00", "Z"),
        "who": change.who,
        "how": change.how,
        "changes": list(change.lines),
    }


def _head(view: Mapping[str, Any]) -> str:
    when = datetime.fromisoformat(view["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    how = {"file": "", "reload": " (reload)", "start": " (before the start)"}
    return f"{view['number']:>3}  {when}  {view['who']}{how.get(view['how'], ' (' + view['how'] + ')')}"


def _line(change: Change) -> str:
    lines = change.lines or ("only comments or layout",)
    more = len(lines) - SHOWN
    return f"{_head(_view(change))}: {'; '.join(lines[:SHOWN])}" + (
        f"; and {more} more" if more > 0 else ""
    )


def _show(view: Mapping[str, Any]) -> None:
    print_text(f"change {_head(view).strip()}")
    for line in view["changes"] or ["only comments or layout"]:
        print_text(f"  {line}")
    for line in view["diff"]:
        click.echo(clean(line))


def _files_diff(past: ConfigHistory | None, change: Change) -> list[str]:
    """Return the line-by-line effect of a change on the files, without secrets.

    Files come in the order of their names, at most `LINES_SHOWN` lines each; equal ones are left
    out.

    Raises:
        OSError: a stored content is missing or damaged.
    """
    from callrouter.settings.errors.hiding import difference  # noqa: PLC0415 - only here

    lines: list[str] = []
    for name in sorted({*change.before, *change.after}):
        before, after = _text(past, change.before, name), _text(past, change.after, name)
        if before != after:
            lines += ["", *difference(name, before, after, LINES_SHOWN)]
    return lines


def _text(past: ConfigHistory | None, files: FileDigests, name: str) -> list[str]:
    if past is None or name not in files:
        return []
    return past.content(files[name][0]).decode("utf-8", "replace").splitlines()


# ---------------------------------------------------------------- storage


@contextmanager
def readable() -> Iterator[None]:
    """Turn errors of the file system into words.

    Raises:
        CommandFailed: a file or folder cannot be used (exit status 2), or the database with the
            configuration cannot be asked (3).
    """
    try:
        yield
    except BrokenPipeError:
        raise  # of our output
    except PermissionError as error:
        raise CommandFailed(
            2, f"not allowed to use {error.filename}: run this as root or as the daemon's user"
        ) from error
    except OSError as error:
        from callrouter.config_source.version_history import VersionsUnreadError  # noqa: PLC0415 - slow

        if isinstance(error, VersionsUnreadError):
            raise CommandFailed(2 if error.none_stored else 3, error.reason) from error
        raise CommandFailed(2, f"{error.filename}: {error.strerror}") from error


def find_past(folder: Path) -> ConfigHistory | None:
    """Return the history of the running daemon, or of the last one.

    Raises:
        CommandFailed: as root, if the daemon names a folder that is not its own.
    """
    from callrouter.cli.pool_config import is_in_database  # noqa: PLC0415 - SQLAlchemy takes its time
    from callrouter.files import Folder  # noqa: PLC0415 - only here
    from callrouter.settings.config_history import ConfigHistory, find_history  # noqa: PLC0415 - only here

    if (source := is_in_database(folder)) is not None:
        return source.history
    client = DaemonClient.of_folder(folder, os.environ)
    try:
        place = Path(client.get("status")["history"])
    except (CommandFailed, DaemonRefused):
        return find_history(folder, _database(folder), os.environ)
    if os.geteuid() == 0:
        socket = control_socket.find(folder, os.environ)
        with Folder.open(place) as held:
            if socket is None or held.owner[0] != control_socket.peer_user(socket):
                raise CommandFailed(2, f"the daemon names {place}, which is not its own")
    return ConfigHistory(place)


def _database(folder: Path) -> str:
    from callrouter.settings import ConfigError, load  # noqa: PLC0415 - pydantic takes its time

    load_installed_policies()
    try:
        return load(folder, environ=os.environ).database
    except ConfigError:
        return "callrouter.db"  # the default: a mistake elsewhere must not hide the history


def the_change(past: ConfigHistory | None, number: int) -> Change:
    """Return the change with this number.

    Raises:
        CommandFailed: there is none.
    """
    change = past.change(number) if past is not None else None
    if change is None:
        raise CommandFailed(2, f"there is no change {number}; `callrouter history` lists them")
    return change


# ---------------------------------------------------------------- rollback


@click.command(short_help="Restore the files as they were before a change.")
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.pass_context
def rollback(context: click.Context, *, number: int | None, dry_run: bool) -> None:
    """Restore the configuration files to their state before change NUMBER.

    Without NUMBER: to the state in force, for files that have a mistake. The daemon applies them
    like any change, and the history records the rollback as one. Refuses files that would not pass
    `callrouter check`.
    """
    from callrouter.cli.pool_config import is_in_database  # noqa: PLC0415 - SQLAlchemy takes its time
    from callrouter.settings.config_change import rollback_words  # noqa: PLC0415 - only here
    from callrouter.settings.config_files import content_digests, contents_only, read_snapshot  # noqa: PLC0415 - only here

    folder = folder_of(context)
    if (source := is_in_database(folder)) is not None:
        _rollback_in_database(source, number, dry_run=dry_run)
        return
    with readable():
        past = find_past(folder)
        wanted = the_change(past, number).before if number is not None else None
        if past is not None and wanted is None:
            wanted = past.head()
        if past is None or not wanted:
            raise CommandFailed(2, "there is nothing to go back to: no daemon has run here yet")
        now = read_snapshot(folder).files
        if content_digests(now) == contents_only(wanted):
            print_text("nothing to restore: the files are already like that")
            return
        print_before(_would_change(folder, past, wanted))
        if dry_run:
            return
        _put_back(folder, past, wanted, now, rollback_words(number))
    _have_taken_up(folder)


def _rollback_in_database(source: DatabaseSource, number: int | None, *, dry_run: bool) -> None:
    """Store the files of before a change as a new version, or those in force here."""
    from callrouter.cli import pool_config  # noqa: PLC0415 - SQLAlchemy takes its time
    from callrouter.settings.config_change import rollback_words  # noqa: PLC0415 - only here

    load_installed_policies()
    with pool_config.database_errors(), readable():
        past = source.history
        wanted = the_change(past, number).before if number is not None else past.head()
        if not wanted:
            raise CommandFailed(2, "there is nothing to go back to")
        found = pool_config.compared(source, past.snapshot(source.folder, wanted))
        if found.same:
            print_text("nothing to restore: the files are already like that")
            return
        print_before(found.lines or (NOTHING + " for the daemon",))
        if dry_run:
            return
        change = pool_config.store(source, found, rollback_words(number), confirmed=True)
    print_text(f"stored as version {change.number}; the routers take it up within 2 s")


def _would_change(folder: Path, past: ConfigHistory, wanted: FileDigests) -> list[str]:
    """Describe in words what the rollback would change.

    Raises:
        CommandFailed: the files would have mistakes.
    """
    with past.laid_out(wanted) as place:
        try:
            view = DaemonClient.of_folder(folder, os.environ).get(
                "config", "diff", folder=str(place)
            )
        except DaemonRefused as no:
            raise CommandFailed(1, str(no)) from no
        except CommandFailed:  # no daemon: read them here
            view = _checked(folder, place)
    if not view["ok"]:
        for item in view["problems"]:
            for line in answers.problem(item):
                print_text(line)
        raise CommandFailed(
            1, "these files would not pass `callrouter check`; nothing was put back"
        )
    return view["changes"] or [NOTHING + " for the daemon"]


def _checked(folder: Path, place: Path) -> dict[str, Any]:
    from callrouter.settings import ConfigError, load  # noqa: PLC0415 - pydantic takes its time

    load_installed_policies()
    try:
        load(place, environ=os.environ, base=folder)
    except ConfigError as error:
        return {"ok": False, "problems": mistakes_json(error.problems)}
    return {"ok": True, "changes": ["(the daemon does not run; it would start with these files)"]}


def _put_back(
    folder: Path, past: ConfigHistory, wanted: FileDigests, now: Mapping[str, ConfigFile], how: str
) -> None:
    from callrouter.cli.pool_config import this_user  # noqa: PLC0415 - SQLAlchemy takes its time
    from callrouter.settings.config_files import ConfigFile, put_back, remove_file  # noqa: PLC0415 - only here

    _set_aside(past, now)
    files = {
        name: ConfigFile(past.content(digest), mode, "") for name, (digest, mode) in wanted.items()
    }
    past.announce(who=this_user(), how=how, files=files)
    for name, file in files.items():
        if name not in now or now[name].content != file.content:
            put_back(folder, name, file.content, file.mode)
            print_text(f"put back {folder / name}")
    for name in now:
        if name not in files:
            remove_file(folder, name)
            print_text(f"took away {folder / name}, which was not there then")


def _set_aside(past: ConfigHistory, now: Mapping[str, ConfigFile]) -> None:
    """Keep content that no daemon has ever applied, so that no work is lost.

    The copy is in the folder of the history, and its path is printed.

    Raises:
        OSError: it cannot be kept. Nothing has been put back then.
    """
    for name, file in now.items():
        if not past.has(file.digest):
            place = past.set_aside(name, file.content)
            print_text(f"what {name} says now was never in force; it is kept in {place}")


def _have_taken_up(folder: Path) -> None:
    """Make a running daemon read the files at once; it logs the result.

    A daemon that refuses or cannot be reached counts as not running.

    Raises:
        CommandFailed: the daemon finds mistakes in the files (exit status 1).
    """
    try:
        view = DaemonClient.of_folder(folder, os.environ).post("config", "reload")
    except (CommandFailed, DaemonRefused):
        print_text("done; the daemon does not run, and starts with these files")
        return
    if not view["ok"]:
        raise CommandFailed(1, "the daemon finds mistakes in the files; see `callrouter check`")
    print_text("done; the daemon has taken it up")
