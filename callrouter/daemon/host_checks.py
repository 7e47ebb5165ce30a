"""Checks of `doctor` on this machine: access to secrets, the database, the port and limits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import re
import resource
import shutil
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from callrouter.api.server.sockets import CannotListen, listen_tcp
from callrouter.config_source.current_settings import current_config
from callrouter.pbx.interface import Finding
from callrouter.settings import ConfigError, HttpSettings, Settings
from callrouter.settings.config_files import read_snapshot
from callrouter.settings.config_history import HISTORY_FOLDER
from callrouter.settings.state_location import state_candidates
from callrouter.store.database import server_at
from callrouter.store.file_permissions import OTHERS, loose
from callrouter.store.location import File, Place, StoreError, choose

FEWEST: Final = 4096
"""File descriptors for a busy call centre: HTTP may use a thousand; links and files need more."""
LEAST_FREE: Final = 200 * 1024 * 1024
"""Free bytes recommended on the disk of the database."""
_SECRET: Final = re.compile(
    rb"(?im)^[^#\n]*\b(?:secret|auth_token|api_secret|token|password|pin)\s*:\s*[\"']?(?!\$\{)[^\s\"'#{}\[]"
)
_URL_WITH_PASSWORD: Final = re.compile(rb"(?m)^[^#\n]*://[^\s/@:]+:(?!\$\{)[^\s/@]+@")
_LEADS_TO: Final = re.compile(rb"\$\{file:([^{}\n]+)\}")
_ENVIRONMENT: Final = "environment"
"""The file in the configuration folder from which the systemd unit reads secrets."""


async def look(
    settings: Settings, folder: Path, environ: Mapping[str, str], status: Mapping[str, Any] | None
) -> AsyncIterator[Finding]:
    """Run all checks, yielding one finding at a time.

    Args:
        settings: a valid configuration.
        folder: its folder.
        environ: the environment.
        status: ``/api/status`` of the running daemon; None: none is running.
    """
    if status is not None:
        yield Finding(True, f"the daemon runs (process {status['pid']})")
        if status["config"]["needs_restart"]:
            waits = ", ".join(status["config"]["needs_restart"])
            yield Finding(None, f"changed, and counts after a restart: {waits}")
    else:
        who = pwd.getpwuid(os.getuid()).pw_name
        advice = f"database and port are tried from here, as user {who}"
        yield Finding(None, "the daemon does not run", advice)
    for finding in (*_files(folder), *_kept_files(settings, folder, environ)):
        yield finding
    for finding in await asyncio.to_thread(_stored_configuration, settings, folder, environ):
        yield finding
    if status is not None:
        yield _kept(status["store"])
    else:
        for finding in _database(settings, folder, environ):
            yield finding
        yield await _port(settings.http)
    yield _descriptors(status)


# ---------------------------------------------------------------- files


def _files(folder: Path) -> Iterator[Finding]:
    secrets, open_to = [folder / _ENVIRONMENT], False
    for name, file in read_snapshot(folder).files.items():
        if _SECRET.search(file.content) or _URL_WITH_PASSWORD.search(file.content):
            secrets.append(folder / name)
        secrets += [folder / os.fsdecode(found) for found in _LEADS_TO.findall(file.content)]
        if _mode(folder / name) & stat.S_IWOTH:
            open_to = True
            yield Finding(False, f"every user may change {name}", f"chmod o-w {folder / name}")
    for path in dict.fromkeys(secrets):
        if _mode(path) & stat.S_IROTH and _others_get_to(path):
            open_to = True
            what = f"every user of this machine may read {path}, and it has secrets"
            yield Finding(False, what, f"chmod o-rwx {path}")
    if not open_to:
        yield Finding(True, "files and secrets are not open to other users")


def _kept_files(settings: Settings, folder: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Check the files the daemon has written: they contain agents' private numbers and secrets."""
    paths = [
        place / HISTORY_FOLDER for place in state_candidates(folder, settings.database, environ)
    ]
    found = [path for path in paths if _mode(path) & OTHERS]
    with contextlib.suppress(StoreError):
        place = choose(settings.database, folder, environ, pool=settings.pool)
        found += loose(place.path) if isinstance(place, File) else []
    for path in found:
        what = f"others on this machine may read {path}, which has private numbers or secrets in it"
        yield Finding(False, what, f"chmod go-rwx {path}")


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _others_get_to(path: Path) -> bool:
    """Return whether every folder on the path is accessible to all users."""
    return all(_mode(place) & stat.S_IXOTH for place in path.resolve().parents)


def _stored_configuration(
    settings: Settings, folder: Path, environ: Mapping[str, str]
) -> list[Finding]:
    """Check that the configuration in the database can be read, if it is there."""
    if settings.config != "database":
        return []
    try:
        config = current_config(folder, environ)
    except ConfigError as error:
        return [Finding(False, error.problems[0].text)]
    found = [Finding(None, f"{item.file} {item.text}", item.hint) for item in config.unread()]
    if config.away:
        what = f"the configuration in the database cannot be read: {config.away}"
        return [*found, Finding(False, what, "this is what was last in force here")]
    what = f"the configuration is version {config.snapshot.version} of the database"
    return [*found, Finding(True, what)]


# ---------------------------------------------------------------- database


def _kept(store: Mapping[str, Any]) -> Finding:
    """Report the database as the running daemon sees it."""
    if store["state"] == "good":
        return Finding(True, f"states are kept in {store['database']}")
    what = f"states cannot be kept in {store['database']}: {store['problem']}"
    return Finding(False, what, "see the page on the database in docs/operator.md")


def _database(settings: Settings, folder: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    try:
        place = choose(settings.database, folder, environ, pool=settings.pool)
        why = _why_not_kept(place)
    except StoreError as error:
        yield Finding(False, str(error))
        return
    if why:
        what = f"states cannot be kept in {place}: {why}"
        yield Finding(False, what, "check database in callrouter.yaml, and whose the folder is")
        return
    yield Finding(True, f"states can be kept in {place}")
    if isinstance(place, File):
        free = shutil.disk_usage(place.path.parent).free
        if free < LEAST_FREE:
            what = f"{free // 1024 // 1024} MB are free where the database is"
            yield Finding(False, what, "agents' states could soon not be kept: make room")


def _why_not_kept(place: Place) -> str:
    """Return why a database cannot be used. Creates and changes nothing.

    Raises:
        StoreError: the same, in the database's own words.
    """
    if not isinstance(place, File):
        server_at(place, lambda: 0.0).open().close()
        return ""
    path = place.path
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    if path.is_dir():
        return "that is a folder"
    for what in (path.parent, path) if path.exists() else (path.parent,):
        if not os.access(what, os.W_OK):
            return f"this user may not write to {what}"
    if not path.exists() or not path.stat().st_size:
        return ""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as link:
            said = link.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        return str(error)
    return "" if said == "ok" else f"it is damaged ({said})"


# ---------------------------------------------------------------- the rest


async def _port(http: HttpSettings) -> Finding:
    try:
        listening = await listen_tcp(http)
    except CannotListen as error:
        return Finding(False, str(error))
    listening.close()
    return Finding(True, f"{listening.url} is free to be served")


def _descriptors(status: Mapping[str, Any] | None) -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if status is not None:
        with contextlib.suppress(OSError):
            _, hard = resource.prlimit(status["pid"], resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FEWEST:
        what = f"only {hard} files may be open at once"
        return Finding(False, what, "LimitNOFILE=65536 in the systemd unit, or ulimit -Hn")
    return Finding(True, "enough files may be open at once")
