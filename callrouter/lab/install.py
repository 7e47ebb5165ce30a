"""Finds an Asterisk that runs on this machine: the system's, a given one, or a private tree."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from callrouter.lab.tree import TreeError, make_tree

Progress = Callable[[str], None]
_VERSION = re.compile(r"Asterisk (?:certified/)?(\d+)\.(\d+)(?:\.(\d+))?")
_SYSTEM_PLACES = ("/usr/sbin/asterisk", "/usr/local/sbin/asterisk")


class NoAsteriskError(RuntimeError):
    """No usable Asterisk; the text tells a person why and what would help."""


@dataclass(frozen=True, slots=True)
class Install:
    """How to run one Asterisk.

    Attributes:
        command: the command line up to Asterisk's own arguments.
        version: for example (22, 10, 1).
        modules: the folder of its modules.
        data: the folder with `documentation`, without which PJSIP rejects its configuration.
        sounds: the folder of the English prompts, if any.
        moh: a folder with music on hold, if any.
        origin: where it comes from, in words.
    """

    command: tuple[str, ...]
    version: tuple[int, ...]
    modules: Path
    data: Path
    sounds: Path | None
    moh: Path | None
    origin: str


async def find_asterisk(progress: Progress = lambda _: None) -> Install:
    """Return the Asterisk to use; builds a private tree if there is none (about half a minute).

    The order: `$CALLROUTER_ASTERISK` (a binary or a Debian tree), the system's own if it is version
    20, or 22 and later, the cached private tree, a new private tree.

    Args:
        progress: receives lines that tell a person what takes so long.

    Raises:
        NoAsteriskError: none is usable and no tree could be built.
    """
    given = os.environ.get("CALLROUTER_ASTERISK")
    if given:
        return await _describe(_given(given))
    for binary in _system_binaries():
        try:
            found = await _describe(_binary(binary))
        except NoAsteriskError as error:
            progress(f"not used: {error}")
            continue
        if found.version[0] == 20 or found.version[0] >= 22:
            return found
        progress(f"{binary} is version {found.version[0]}, which callrouter does not know")
    return await _private_tree(progress)


def _given(text: str) -> Install:
    path = Path(text).expanduser().absolute()
    return _tree(path) if path.is_dir() else _binary(path)


def _system_binaries() -> list[Path]:
    places = (shutil.which("asterisk"), *_SYSTEM_PLACES)
    found = [Path(place) for place in places if place and Path(place).exists()]
    return list(dict.fromkeys(found))


def _cache() -> Path:
    """Return the folder for files callrouter can fetch again (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callrouter"


async def _private_tree(progress: Progress) -> Install:
    tree = _cache() / "asterisk-sid"
    try:
        return await _describe(_tree(tree))
    except NoAsteriskError as error:
        problem = str(error)
    try:
        if await asyncio.to_thread(tree.exists):
            progress(f"the cached Asterisk is of no use and will be made again: {problem}")
            await asyncio.to_thread(shutil.rmtree, tree)
        await make_tree(tree, progress)
    except (TreeError, OSError) as error:
        raise NoAsteriskError(
            f"no Asterisk on this machine, and none could be fetched: {error}. "
            "Install one (apt-get install asterisk), or set CALLROUTER_ASTERISK to a binary "
            "or to a Debian tree that contains one."
        ) from error
    return await _describe(_tree(tree))


def _tree(tree: Path) -> Install:
    """Return an install run by the tree's own loader and libraries: no root, no chroot."""
    binary = tree / "usr/sbin/asterisk"
    modules = next(iter(tree.glob("usr/lib/*/asterisk/modules")), None)
    if not binary.exists() or modules is None:
        raise NoAsteriskError(f"{tree} is no Debian tree with Asterisk in it")
    libraries = modules.parent.parent
    loader = next(iter(libraries.glob("ld-linux*.so.*")), None)
    if loader is None:
        raise NoAsteriskError(f"{tree} has no loader for its programs")
    command = (str(loader), "--library-path", str(libraries), str(binary))
    return _install(command, modules, tree / "usr/share/asterisk", str(tree))


def _binary(binary: Path) -> Install:
    if not binary.exists():
        raise NoAsteriskError(f"{binary} does not exist")
    prefix = binary.resolve().parent.parent
    modules = _first(
        *prefix.glob("lib/*/asterisk/modules"),
        prefix / "lib/asterisk/modules",
        prefix / "lib64/asterisk/modules",
    )
    documented = _first(
        prefix / "share/asterisk/documentation", Path("/var/lib/asterisk/documentation")
    )
    if modules is None or documented is None:
        raise NoAsteriskError(f"{binary} has no modules or documentation folder where expected")
    return _install((str(binary),), modules, documented.parent, str(binary))


def _install(command: tuple[str, ...], modules: Path, data: Path, origin: str) -> Install:
    sounds = _first(data / "sounds/en", *sorted(data.glob("sounds/en_*")))
    return Install(
        command=command,
        version=(),
        modules=modules,
        data=data,
        sounds=sounds,
        moh=_first(data / "moh"),
        origin=origin,
    )


async def _describe(install: Install) -> Install:
    """Return the install with its version, which also proves that it runs here."""
    process = await asyncio.create_subprocess_exec(
        *install.command,
        "-V",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode(errors="replace").strip()
    match = _VERSION.search(said)
    if match is None:
        raise NoAsteriskError(f"{install.origin} does not run here: {said[:200] or 'no output'}")
    return replace(install, version=tuple(int(part) for part in match.groups() if part))


def _first(*folders: Path) -> Path | None:
    return next((folder for folder in folders if folder.is_dir()), None)
