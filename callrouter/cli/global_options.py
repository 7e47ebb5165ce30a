"""Options that every command has, and the daemon or folder they select."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from callrouter.cli.output_text import CommandFailed

VALUED: Final = ("--config", "--url", "--token")
"""Options of the program itself. They may be before or after the command."""
FLAGS: Final = ("--json", "--watch")
"""Options of commands that may also be before the command."""


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The values on the command line; None for those left out.

    What is left out may still come from the environment: see `global_options.choose` and
    `client_for`.
    """

    config: str | None = None
    url: str | None = None
    token: str | None = None


def in_order(args: Sequence[str]) -> list[str]:
    """Return the words with the program's options first and a command's flags after it.

    Words after ``--`` stay where they are.

    Raises:
        click.BadOptionUsage: an option lacks its value.
    """
    first: list[str] = []
    middle: list[str] = []
    flags: list[str] = []
    words = list(args)
    while words and words[0] != "--":
        word = words.pop(0)
        if word in VALUED:
            if not words:
                raise click.BadOptionUsage(word, f"Option '{word}' requires an argument.")
            first += [word, words.pop(0)]
        elif word.startswith(tuple(f"{option}=" for option in VALUED)):
            first.append(word)
        elif word in FLAGS and not middle:
            flags.append(word)
        else:
            middle.append(word)
    return [*first, *middle, *flags, *words]


def folder_of(context: click.Context) -> Path:
    """Return the configuration folder that a command reads.

    Raises:
        CommandFailed: there is none (exit status 2).
        click.UsageError: the command line names a remote daemon.
    """
    given = global_options_of(context)
    if given.url is not None:
        name = context.info_name
        raise click.UsageError(
            f"--url is for commands that ask a running daemon; {name} works on this machine's files"
        )
    return choose(given.config, os.environ)


def asks_remote_daemon(context: click.Context) -> bool:
    """Return whether the daemon is queried over HTTP and not over the local socket.

    That is so with ``--url``, or with ``CALLROUTER_URL`` in the environment unless ``--config`` is
    given.
    """
    given = global_options_of(context)
    return given.url is not None or (
        given.config is None and bool(os.environ.get("CALLROUTER_URL"))
    )


def global_options_of(context: click.Context) -> GlobalOptions:
    """Return the values of these options on the command line.

    They are kept in the context of the outermost command. If that has none, all values are None.
    """
    found = context.find_root().obj
    return found if isinstance(found, GlobalOptions) else GlobalOptions()


# ---------------------------------------------------------------- the configuration folder

HERE = Path("config")
SYSTEM = Path("/etc/callrouter")


def choose(given: str | None, environ: Mapping[str, str]) -> Path:
    """Return the given folder, else ``$CALLROUTER_CONFIG``, ``./config`` or ``/etc/callrouter``.

    A symbolic link is not resolved: it may be pointed to another folder while the daemon runs.

    Raises:
        CommandFailed: the folder does not exist (exit status 2).
    """
    for source, name in (
        ("--config", given),
        ("CALLROUTER_CONFIG", environ.get("CALLROUTER_CONFIG")),
    ):
        if name:
            folder = Path(name)
            if not folder.is_dir():
                what = "is not a folder" if folder.exists() else "does not exist"
                raise CommandFailed(2, f"{source} says {name}, which {what}")
            return folder.absolute()
    for folder in (HERE, SYSTEM):
        if folder.is_dir():
            return folder.absolute()
    raise CommandFailed(
        2,
        f"no configuration: neither ./config (that is {HERE.absolute()}) nor {SYSTEM} exists; "
        "say where it is with --config DIR or CALLROUTER_CONFIG",
    )
