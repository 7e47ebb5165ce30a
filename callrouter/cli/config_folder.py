"""Selects the configuration folder of a command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from callrouter.cli.failures import CommandFailed

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
