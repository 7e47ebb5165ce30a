"""The location of the database."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

from callrouter.files import Folder
from callrouter.settings import extras
from callrouter.settings.extras import POSTGRESQL
from callrouter.settings.loaded import ALONE
from callrouter.settings.state_location import state_folder


class StoreError(Exception):
    """Something cannot be stored or read now; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class File:
    """A SQLite file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Address:
    """The part of a PostgreSQL database that belongs to a pool.

    `url` may contain a password. So `repr()` leaves it out, and `str()` shows it without secrets.
    """

    url: str = field(repr=False)
    pool: str = ALONE

    @property
    def schema(self) -> str:
        """The schema of the pool's tables; empty: the one that the connection has by itself.

        The names of two pools may lead to the same schema: see `callrouter.store.schemas`.
        """
        return "" if self.pool == ALONE else "callrouter_" + self.pool.replace("-", "_")

    def __str__(self) -> str:
        """Return the address without its secrets: user, password and options."""
        rest = self.url.removeprefix(POSTGRESQL).split("?")[0].split("#")[0]
        where = POSTGRESQL + rest.rpartition("@")[2]
        return f"{where} (schema {self.schema})" if self.schema else where

    def without_password(self, text: str) -> str:
        """Return a text with the password masked, if it contains it.

        It is found as written in the address and with its escapes (``%40``) decoded.
        """
        user = self.url.removeprefix(POSTGRESQL).split("?")[0].rpartition("@")[0]
        password = user.partition(":")[2]
        for secret in {password, unquote(password)} - {""}:
            text = text.replace(secret, "…")
        return text


Place: TypeAlias = File | Address


def choose(database: str, folder: Path, environ: Mapping[str, str], *, pool: str = ALONE) -> Place:
    """Return the database that the setting `database` names for the configuration in `folder`.

    In PostgreSQL it is the part of `pool`.

    A relative path is resolved in the state folder (`settings.state_location.state_folder`): beside the
    configuration if the daemon may write there, else in ``$STATE_DIRECTORY``, else in its own
    folder under ``~/.local/state/callrouter``.

    Raises:
        StoreError: it is PostgreSQL and the client library is not installed.
    """
    if database.startswith(POSTGRESQL):
        if lack := extras.lacks("postgres"):
            raise StoreError(f"database: PostgreSQL needs {lack}: {extras.remedy('postgres')}")
        return Address(database, pool)
    path = Path(database)
    if path.is_absolute():
        return File(path)
    place = state_folder(folder, database, environ)
    with contextlib.suppress(OSError):  # opening the file will report it, repeatedly
        Folder.open(place, make=0o700).close()
    return File(place / path.name)
