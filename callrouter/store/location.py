"""The location of the database."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import unquote

from callrouter.files import Folder
from callrouter.settings import extras
from callrouter.settings.extras import POSTGRESQL
from callrouter.settings.loaded import ALONE
from callrouter.settings.state_location import state_folder


class StoreError(Exception):
    """Something cannot be stored or read now; the text says why and what to do."""


class FencedError(StoreError):
    """Nothing may be written any more: another router of the pool is active."""


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


REFUSED: Final = "XCR01"
"""The SQLSTATE of a transaction that was refused. Classes that begin with I to Z are free for users."""


@dataclass(frozen=True, slots=True)
class EpochFence:
    """Each transaction that writes is checked at its end.

    The check and the commit are one message, and the check locks the pool's row. So the server puts each commit either
    before the take-over by another router, which then reads it, or refuses it.

    Attributes:
        pool: the pool.
        epoch: returns the epoch of this router.
        overtaken: called in the store's thread, with a text, when a transaction was refused.
    """

    pool: str
    epoch: Callable[[], int]
    overtaken: Callable[[str], None]

    def check(self) -> str:
        """Return the statement that raises `REFUSED` unless this router is the active one."""
        pool = self.pool.replace("'", "''")
        return f"""DO $fence$ BEGIN
PERFORM FROM callrouter_cluster.pools
    WHERE pool = '{pool}' AND epoch = {int(self.epoch())} AND NOT released FOR SHARE;
IF NOT FOUND THEN
    RAISE EXCEPTION 'another router of the pool is active' USING ERRCODE = '{REFUSED}';
END IF;
END $fence$"""


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
