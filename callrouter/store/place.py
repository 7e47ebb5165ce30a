"""Where the database is."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from callrouter.settings.past import state_folder


class StoreError(Exception):
    """Something can't be kept or read now; the text says why and what would be right."""


@dataclass(frozen=True, slots=True)
class File:
    """A SQLite file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


def choose(database: str, folder: Path, environ: Mapping[str, str]) -> File:
    """The file that the setting `database` means for the configuration in `folder`.

    A relative one is where the state of the configuration is (`settings.past.state_folder`): beside
    it if the daemon may write there, else in ``$STATE_DIRECTORY``, else in a folder of its own under
    ``~/.local/state/callrouter``.

    Raises:
        StoreError: it is no file.
    """
    if database.startswith("postgresql://"):
        # Not quoted: it may hold a password.
        raise StoreError(
            "database: this version keeps agents' states in SQLite only; "
            "give the name of a file, such as callrouter.db, in place of postgresql://…"
        )
    path = Path(database)
    if path.is_absolute():
        return File(path)
    place = state_folder(folder, database, environ)
    with contextlib.suppress(OSError):  # who opens the file says so, again and again
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return File(place / path.name)
