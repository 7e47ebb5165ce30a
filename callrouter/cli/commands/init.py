"""init: creates a configuration folder to start from."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shlex
import socket
from pathlib import Path
from typing import Final

import click

from callrouter.cli.global_options import global_options_of
from callrouter.cli.output_text import CommandFailed, this_command
from callrouter.files import Folder
from callrouter.model.text import clean

NAMES: Final = ("callrouter.yaml", "agents.yaml", "queues.yaml", "callrouter.schema.json")
SECRET: Final = "ami-secret"  # noqa: S105 - the name of a file
_IN_THE_SAMPLES: Final = "${CALLROUTER_AMI_SECRET}"
_MODE: Final = 0o640
_OWN_FILE: Final = """\
# This router's own file. All else is in the database, for all routers of the pool: `callrouter config pull DIR`
# writes it into files, and `callrouter config push DIR` stores them. See docs/operator.md.
database: {url}
cluster:
  name: {name}   # of this router; each has another one
  pool: {pool}
  # url: http://10.0.0.1:8080   # where the other routers reach this one
config: database
http:
  listen: 127.0.0.1:8080
"""
_FOLDER_MODE: Final = 0o750


@click.command(short_help="Make a configuration folder with sample files.")
@click.argument("folder", metavar="DIR", required=False, type=click.Path(path_type=Path))
@click.option(
    "--database",
    metavar="URL",
    help="Make DIR for a router whose configuration is in this PostgreSQL database.",
)
@click.option("--name", metavar="NODE", help="With --database: its name. Default: this machine's.")
@click.option("--pool", metavar="POOL", help="With --database: its pool. Default: main.")
@click.pass_context
def init(
    context: click.Context,
    *,
    folder: Path | None,
    database: str | None,
    name: str | None,
    pool: str | None,
) -> None:
    """Create DIR with sample files that explain every key, to start from.

    They pass `callrouter check` as they are; replace the samples by your own PBX, agents and
    queues. The secret for Asterisk's manager interface is created too, in its own file. Existing
    files are never overwritten. If root runs this, the files belong to the group of DIR, so that
    the daemon's user can read them.

    With --database, DIR gets only callrouter.yaml, which says where the configuration is; `callrouter
    config push` puts it there.
    """
    if database is None and (name or pool):
        raise click.UsageError("--name and --pool go with --database")
    given = folder or global_options_of(context).config
    if not given:
        raise click.UsageError("say which folder, such as `callrouter init /etc/callrouter`")
    place = Path(given).absolute()
    _is_free(place)
    try:
        if database is None:
            written = _make(place)
        else:
            written = _make_node(place, _own_file(place, database, name, pool or "main"))
    except FileExistsError as error:
        what = _named(place, error)
        raise CommandFailed(1, f"{what} is there already; nothing was written over") from error
    except OSError as error:
        raise CommandFailed(2, f"cannot write {_named(place, error)} ({error.strerror})") from error
    for made in written:
        click.echo(f"wrote {clean(str(place / made))}")
    if database is None:
        _say_next(place)
    else:
        _say_push(place)


def _own_file(place: Path, database: str, name: str | None, pool: str) -> str:
    """Return the file of a router whose configuration is in the database.

    Raises:
        CommandFailed: it would have a mistake (exit status 2).
    """
    from callrouter.settings import ConfigError  # noqa: PLC0415 - pydantic takes its time
    from callrouter.settings.bootstrap import bootstrap_of  # noqa: PLC0415

    made = re.sub("[^a-z0-9_-]", "-", socket.gethostname().partition(".")[0].lower())
    own = name or made[:64].lstrip("-_") or "router-1"
    text = _OWN_FILE.format(name=json.dumps(own), pool=json.dumps(pool), url=json.dumps(database))
    try:
        bootstrap_of(place, text.encode(), os.environ)
    except ConfigError as error:
        first = error.problems[0]
        raise CommandFailed(
            2, f"{first.text}" + (f" ({first.hint})" if first.hint else "")
        ) from error
    return text


def _make_node(place: Path, text: str) -> list[str]:
    """Write the router's own file, and return its name.

    Raises:
        OSError: it cannot be written.
    """
    written: list[str] = []
    with Folder.open(place, make=_FOLDER_MODE) as folder:
        _write(folder, NAMES[0], text, written)
    return written


def _say_push(place: Path) -> None:
    command = f"{this_command()} --config {shlex.quote(str(place))}"
    for line in (
        "next: put the pool's files into the database, unless another router has done so, such as",
        f"  {this_command()} init site",
        f"  {command} config push site",
        "then",
        f"  {command} check",
        f"  {command} run",
    ):
        click.echo(clean(line))


def _named(place: Path, error: OSError) -> Path:
    """Return the path an error is about: a file of ours (opened by its bare name) or the folder."""
    return place / error.filename if error.filename in {*NAMES, SECRET} else place


def _is_free(place: Path) -> None:
    """Check before creating anything: a folder in use, or with any of the files, is left alone.

    Raises:
        CommandFailed: it is in use (exit status 1), or not a folder (exit status 2).
    """
    if not place.exists():
        return
    if not place.is_dir():
        raise CommandFailed(2, f"{place} is not a folder")
    try:
        there = {entry.name for entry in place.iterdir()}
    except OSError as error:
        raise CommandFailed(2, f"cannot read {place} ({error.strerror})") from error
    in_use = sorted((there & {*NAMES, SECRET}) | {name for name in there if name.endswith(".yaml")})
    if in_use:
        raise CommandFailed(1, f"{place} has {', '.join(in_use)} already; nothing was written")


def _make(place: Path) -> list[str]:
    """Write all files, or remove those already written; return their names.

    Raises:
        OSError: something cannot be written.
    """
    from callrouter import resources  # noqa: PLC0415 - only here

    samples = resources.folder("config")
    made = not place.exists()
    written: list[str] = []
    with Folder.open(place, make=_FOLDER_MODE) as folder:
        try:
            for name in NAMES:
                text = (samples / name).read_text(encoding="utf-8")
                text = text.replace(_IN_THE_SAMPLES, f"${{file:{SECRET}}}")
                _write(folder, name, text, written)
            _write(folder, SECRET, secrets.token_hex(16) + "\n", written)
        except OSError:
            with contextlib.suppress(OSError):
                for name in written:
                    folder.remove(name)
                if made:
                    place.rmdir()
            raise
    return written


def _write(folder: Folder, name: str, text: str, written: list[str]) -> None:
    """Create a new file with its permissions from the start.

    As root, it gets the group of the folder. Its name is added to `written` as soon as it exists,
    so that `_make` can remove it after a failure.

    Raises:
        OSError: it is there already, or cannot be written.
    """
    descriptor = folder.create(name)
    written.append(name)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if os.geteuid() == 0:
            os.fchown(descriptor, -1, folder.owner[1])
        os.fchmod(descriptor, _MODE)
        file.write(text)


def _say_next(place: Path) -> None:
    command = f"{this_command()} --config {shlex.quote(str(place))}"
    for line in (
        "next: put your phones into agents.yaml and your queues into queues.yaml, then",
        f"  {command} check",
        f"  {command} dialplan --output /etc/asterisk",
        f"  {command} run",
    ):
        click.echo(clean(line))
