"""Time zones, and detecting that the system's rules for one have changed.

`zoneinfo` caches what it has read forever. Here, a zone stays the same object as long as its file
does, so that a reload can detect by identity whether its rules have changed.
"""

from __future__ import annotations

import zoneinfo
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Final

from callrouter.settings.errors.problems import Nearest, quoted
from callrouter.settings.yaml.source import Document, KeyPath

_Seen = tuple[str, int, int, int]

_known: Final[dict[str, tuple[_Seen | None, zoneinfo.ZoneInfo]]] = {}


def find_zone(name: str, path: KeyPath, document: Document, nearest: Nearest) -> tzinfo:
    """Return the time zone; UTC for an unknown one, which is reported at `path`.

    For the same name it is the same object as before, unless the zone's file has changed.
    """
    # The directories posix and right repeat all zones, in right with leap seconds.
    found = None if name.startswith(("posix", "right/")) else _zone(name)
    if found is not None:
        return found
    zones = sorted(zoneinfo.available_timezones())
    if zones:
        close = {zone.lower(): zone for zone in zones}
        hint = nearest.hint(name, tuple(close))
        for small, zone in close.items():
            hint = hint.replace(f"'{small}'", f"'{zone}'")
        text = f"unknown time zone {quoted(name)}"
        document.error(path, text, hint or "such as Europe/London")
    elif name != "UTC":
        text = f"time zone {quoted(name)} cannot be looked up: this machine has no time zones"
        document.error(path, text, "install tzdata")
    return UTC


def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        seen = _file_of(name)
        known = _known.get(name)
        if known is not None and known[0] != seen:
            zoneinfo.ZoneInfo.clear_cache(only_keys=(name,))
        made = zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return None
    _known[name] = seen, made
    return made


def _file_of(name: str) -> _Seen | None:
    """Return the file of a zone and what identifies its version; None: it is from a package.

    The version is the inode, the size in bytes and the time of the last change in ns. The first
    folder of `zoneinfo.TZPATH` with such a file counts.
    """
    for folder in zoneinfo.TZPATH:
        try:
            status = (Path(folder) / name).stat()
        except OSError:
            continue
        return folder, status.st_ino, status.st_size, status.st_mtime_ns
    return None
