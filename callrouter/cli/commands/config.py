"""config push, config pull: the configuration that a pool keeps in its database."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from callrouter.cli.commands.change import readable
from callrouter.cli.commands.check import load_installed_policies
from callrouter.cli.global_options import folder_of
from callrouter.cli.output_text import CommandFailed, print_before, print_text, this_command
from callrouter.cli.suggestions import SuggestingGroup

_MARK = ".callrouter-version"
"""The file that says from which version a folder was pulled."""


@click.group(cls=SuggestingGroup, short_help="Keep the configuration in the database of a pool.")
def config() -> None:
    """Put files into the database of a pool as a new version, or get them out.

    With `config: database` in callrouter.yaml, all routers of a pool take their configuration from
    there. `callrouter history`, `rollback`, `check`, `diff` and the page work on it as on files.
    """


@config.command(short_help="Store the files of a folder as a new version.")
@click.argument("source", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask before what takes away much.")
@click.option("--dry-run", is_flag=True, help="Only check the files and say what would change.")
@click.option(
    "--overwrite", is_flag=True, help="Also what was stored since DIR was pulled is replaced."
)
@click.pass_context
def push(
    context: click.Context, *, source: Path | None, yes: bool, dry_run: bool, overwrite: bool
) -> None:
    """Store the files of DIR as a new version of the pool's configuration.

    Every running router of the pool takes it up within 2 s. What is each router's own (database,
    cluster, config, and in http listen and tls) is left out; what callrouter.yaml says of the whole
    pool becomes site.yaml. Without DIR, the files are those of the configuration folder, to move
    them into the database.

    Files with a mistake are not stored (exit status 1). A reference to a secret, such as ${NAME},
    stays a reference: each router resolves it for itself, and if it does not exist here, that is
    only a warning. What takes away much has to be confirmed.
    """
    from callrouter.cli import pool_config  # noqa: PLC0415 - SQLAlchemy takes its time

    load_installed_policies()
    folder = folder_of(context)
    target = pool_config.target_of(folder)
    source = _folder_to_push(source, folder, moves=target.fixed)
    with pool_config.database_errors():
        files = target.as_if(source)
        if not files.names:
            raise CommandFailed(2, f"{source} has no configuration files of the pool")
        found = pool_config.compared(target, files)
        if found.same:
            print_text(f"version {found.after} has the same files; nothing was stored")
            return
        _check_mark(source, found.after, overwrite=overwrite)
        print_before(found.lines or ("only comments or layout",))
        print_before(f"taken away: {line}" for line in found.lost)
        if dry_run:
            return
        if found.lost and not yes:
            _confirm()
        change = pool_config.store(target, found, "push", confirmed=bool(found.lost))
    print_text(f"stored as version {change.number} of pool {target.address.pool}")
    if target.fixed:
        print_text(
            "next, on each router: write config: database into callrouter.yaml, leave database, "
            "cluster and what is its own there, take the other files away, and restart it"
        )
    elif (source / _MARK).is_file():
        with readable():
            (source / _MARK).write_text(f"{change.number}\n", "ascii")


def _folder_to_push(source: Path | None, folder: Path, *, moves: bool) -> Path:
    """Return the folder whose files are to be stored.

    Raises:
        click.UsageError: it has to be named.
        CommandFailed: it is no folder (exit status 2).
    """
    if source is None:
        if not moves:
            raise click.UsageError(
                f"say which folder: the configuration of {folder} is in the database"
            )
        return folder
    if not source.is_dir():
        raise CommandFailed(2, f"{source} is not a folder")
    return source


def _confirm() -> None:
    """Ask whether to store what takes away much.

    Raises:
        CommandFailed: no, or there is no terminal to ask at (exit status 1).
    """
    if not sys.stdin.isatty():
        raise CommandFailed(1, "nothing was stored; say --yes if that is meant")
    if not click.confirm("Store it all the same?"):
        raise CommandFailed(1, "nothing was stored")


def _check_mark(source: Path, newest: int, *, overwrite: bool) -> None:
    """Check that a folder was pulled from the newest version, if it was pulled.

    Raises:
        CommandFailed: it was not (exit status 1).
    """
    try:
        pulled = int((source / _MARK).read_text("ascii"))
    except (OSError, ValueError):
        return
    if pulled != newest and not overwrite:
        raise CommandFailed(
            1,
            f"{source} is from version {pulled}, and version {newest} was stored since "
            "(`callrouter history` says what it changed); pull again, or replace it with --overwrite",
        )


@config.command(short_help="Write the pool's files into a folder, to edit them there.")
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace files in DIR that differ.")
@click.pass_context
def pull(context: click.Context, *, target: Path, overwrite: bool) -> None:
    """Write the files of the newest version into DIR, which is made if need be.

    `callrouter config push DIR` stores them again after you have edited them, unless another version
    was stored in the meantime. DIR must be another folder than that of the configuration.
    """
    from callrouter.cli import pool_config  # noqa: PLC0415 - SQLAlchemy takes its time
    from callrouter.files import Folder  # noqa: PLC0415 - only here
    from callrouter.settings.config_files import config_names  # noqa: PLC0415 - only here

    folder = folder_of(context)
    source = pool_config.target_of(folder)
    if target.exists() and target.resolve() == folder.resolve():
        raise CommandFailed(2, f"{target} is the configuration folder; pull into another one")
    with pool_config.database_errors():
        found = source.snapshot()
    with readable(), Folder.open(target.absolute(), make=0o750) as place:
        there = {name: (target / name).read_bytes() for name in config_names(target)}
        differ = [
            name
            for name, file in found.files.items()
            if there.get(name, file.content) != file.content
        ]
        if differ and not overwrite:
            raise CommandFailed(
                1,
                f"{', '.join(differ)} in {target} differ; nothing was written (--overwrite replaces them)",
            )
        for name, file in found.files.items():
            place.write(name, file.content, 0o640)
        place.write(_MARK, f"{found.version}\n".encode(), 0o640)
    for name in found.files:
        print_text(f"wrote {target / name}")
    for name in sorted(there.keys() - found.files.keys()):
        print_text(
            f"{name} is not in version {found.version}: take it away, or a push adds what it says"
        )
    push_it = f"{this_command()} --config {shlex.quote(str(folder))} config push {target}"
    print_text(f"version {found.version}; edit the files, then: {push_it}")
