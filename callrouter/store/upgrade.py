"""Checks the database's version and upgrades it to ours. alembic is loaded only if needed."""

from __future__ import annotations

import logging
import threading
from contextlib import AbstractContextManager
from typing import Final, Protocol

import sqlalchemy as sa

from callrouter.store.location import StoreError
from callrouter.store.upgrade_progress import progress_of

logger = logging.getLogger(__name__)

REVISIONS: Final = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
)
"""Versions of the database, oldest first: the files in ``migrations/versions``."""
VERSION_TABLE: Final = "callrouter_version"
"""Our own name: a PostgreSQL database may contain the tables of other programs."""

_ALEMBIC: Final = threading.Lock()
"""It keeps its state in a module, so one thread of a process uses it at a time."""
_OLD_TABLE: Final = "migrations"
"""Table with the version in SQLite files older than REVISIONS."""
_OLD: Final = {1: "0001", 6: "0002"}
"""The versions of those files."""


class Upgraded(Protocol):
    """What an upgrade needs from a kind of database; see `callrouter.store.database.Server`."""

    def keep_copy(self, link: sa.Connection, version: str) -> None:
        """Called with the old version before anything is changed.

        It is not called for a new database. An error stops the upgrade.
        """

    def upgrading(self, link: sa.Connection) -> AbstractContextManager[None]:
        """Wraps the statements that change the database.

        It wraps the creation of a new database too.
        """


def bring_up(link: sa.Connection, server: Upgraded) -> None:
    """Upgrade a database to the newest version, or create it: completely or not at all.

    `link` has no open transaction.

    Raises:
        StoreError: a later version of callrouter created it.
    """
    with link.begin():
        version = _version(link)
        old = _old_version(link) if version is None else None
    if version == REVISIONS[-1]:
        return
    before = version or old
    if before is not None:
        server.keep_copy(link, before)
    what = f"bringing the database from version {before} to {REVISIONS[-1]}"
    with _ALEMBIC, server.upgrading(link), progress_of(what), link.begin():
        _upgrade(link, old)
        if old is not None:
            link.exec_driver_sql(f"DROP TABLE {_OLD_TABLE}")
    if before is not None:
        logger.info("the database was brought from version %s to %s", before, REVISIONS[-1])


def _version(link: sa.Connection) -> str | None:
    if not link.dialect.has_table(link, VERSION_TABLE):
        return None
    found = link.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608
    version: str | None = found.scalar_one_or_none()
    if version is not None and version not in REVISIONS:
        raise _too_new(version)
    return version


def _old_version(link: sa.Connection) -> str | None:
    """Return the version of a file older than REVISIONS.

    None: it is not such a file.

    Raises:
        StoreError: a later version of callrouter created it.
    """
    if link.dialect.name != "sqlite" or not link.dialect.has_table(link, _OLD_TABLE):
        return None
    newest = link.exec_driver_sql(f"SELECT max(version) FROM {_OLD_TABLE}").scalar_one()  # noqa: S608
    if newest not in _OLD:
        raise _too_new(str(newest))
    return _OLD[newest]


def _too_new(version: str) -> StoreError:
    return StoreError(
        f"a later version of callrouter made it (the database is of version {version}, this "
        f"callrouter knows up to {REVISIONS[-1]}); install that callrouter again, or put back the "
        "copy of the database from before it"
    )


def _upgrade(link: sa.Connection, stamp: str | None) -> None:
    """Migrate to the newest version, after recording that the database has version `stamp`."""
    logging.getLogger("alembic").setLevel(
        logging.WARNING
    )  # it logs the names of its plugins while loading
    from alembic import command  # noqa: PLC0415 - half a second, seldom needed
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "callrouter.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["link"] = link
    if stamp is not None:
        command.stamp(config, stamp)
    command.upgrade(config, "head")
