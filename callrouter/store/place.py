"""Where the database is."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import unquote

from callrouter.files import Folder
from callrouter.settings import extras
from callrouter.settings.past import state_folder

POSTGRESQL: Final = "postgresql://"


class StoreError(Exception):
    """Something can't be kept or read now; the text says why and what would be right."""


@dataclass(frozen=True, slots=True)
class File:
    """A SQLite file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Address:
    """A PostgreSQL database."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        """The address without what may be secret: user, password and options."""
        rest = self.url.removeprefix(POSTGRESQL).split("?")[0].split("#")[0]
        return POSTGRESQL + rest.rpartition("@")[2]

    def without_password(self, text: str) -> str:
        """A text in which the password, should it stand there, is hidden."""
        user = self.url.removeprefix(POSTGRESQL).split("?")[0].rpartition("@")[0]
        password = user.partition(":")[2]
        for secret in {password, unquote(password)} - {""}:
            text = text.replace(secret, "…")
        return text


Place: TypeAlias = File | Address


def choose(database: str, folder: Path, environ: Mapping[str, str]) -> Place:
    """The database that the setting `database` means for the configuration in `folder`.

    A relative one is where the state of the configuration is (`settings.past.state_folder`): beside
    it if the daemon may write there, else in ``$STATE_DIRECTORY``, else in a folder of its own under
    ``~/.local/state/callrouter``.

    Raises:
        StoreError: it is PostgreSQL, and what speaks to that is not installed.
    """
    if database.startswith(POSTGRESQL):
        if lack := extras.lacks("postgres"):
            raise StoreError(f"database: PostgreSQL needs {lack}: {extras.remedy('postgres')}")
        return Address(database)
    path = Path(database)
    if path.is_absolute():
        return File(path)
    place = state_folder(folder, database, environ)
    with contextlib.suppress(OSError):  # who opens the file says so, again and again
        Folder.open(place, make=0o700).close()
    return File(place / path.name)
