"""The versions of a pool's configuration in its database: read, and added one after the other.

A version is a `Change` with the files before and after it. The content of a file is stored once,
however many versions have it. Blocks, for some seconds at most; one thread at a time is let in.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from callrouter.settings.config_change import Change, change_view, read_change
from callrouter.settings.config_files import ConfigFiles, FileDigests, contents_only, file_digests
from callrouter.settings.config_history import KEPT
from callrouter.store.location import Address, StoreError

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")

_LINK: Final[dict[str, Any]] = {
    "connect_timeout": 2,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,
    "application_name": "callrouter configuration",
}
_ANSWER_WITHIN: Final = 4
"""Seconds for a statement, enforced by the server."""
_NEWEST: Final = (
    "SELECT number, extract(epoch FROM at)::float8, confirmed, change FROM config_versions "
    "ORDER BY number DESC LIMIT %s"
)


class NoVersionError(StoreError):
    """The pool has no configuration in this database yet."""


class OvertakenError(StoreError):
    """Another version was stored since the one that a new one was made from."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version, and whether all that it takes away was confirmed when it was stored."""

    change: Change
    confirmed: bool


class VersionTable:
    """The versions of a pool's configuration.

    Every method raises `StoreError` if the database cannot be used; the next call tries again.

    Args:
        address: the pool's part of the database. Nothing is connected before the first call.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._link: psycopg.Connection[Any] | None = None

    def __del__(self) -> None:
        """End the connection: no command and no reload that makes a table has to."""
        self._close()

    # ------------------------------------------------------------ reading

    def has_tables(self) -> bool:
        """Return whether there are tables for versions. A daemon creates them, as all others."""

        def ask(link: psycopg.Connection[Any]) -> bool:
            return link.execute("SELECT to_regclass('config_versions')").fetchone() != (None,)

        try:
            return self._use(ask)
        except NoVersionError:
            return False

    def newest_number(self) -> int:
        """Return the number of the newest version; 0: there is none."""

        def ask(link: psycopg.Connection[Any]) -> int:
            found = link.execute("SELECT max(number) FROM config_versions").fetchone()
            return int(found[0] or 0) if found else 0

        try:
            return self._use(ask)
        except NoVersionError:
            return 0

    def newest(self) -> StoredVersion:
        """Return the newest version.

        Raises:
            NoVersionError: there is none.
            StoreError: it makes no sense to this callrouter.
        """
        found = self._use(_newest)
        if found is None:
            raise _none(self.address)
        return found

    def versions(self, most: int = KEPT) -> list[StoredVersion]:
        """Return the newest versions, newest first. Those that make no sense are left out."""

        def ask(link: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
            return link.execute(_NEWEST, (most,)).fetchall()

        return list(_read(self._use(ask)))

    def contents(self, digests: Collection[str]) -> dict[str, bytes]:
        """Return the contents with these digests; those that are not stored are left out."""

        def ask(link: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
            text = "SELECT digest, content FROM config_files WHERE digest = ANY(%s)"
            return link.execute(text, (list(digests),)).fetchall()

        return {digest: bytes(content) for digest, content in self._use(ask)} if digests else {}

    # ------------------------------------------------------------ writing

    def store(
        self,
        files: ConfigFiles,
        *,
        after: int,
        who: str,
        how: str,
        lines: Sequence[str],
        removed_queues: Sequence[str],
        confirmed: bool,
    ) -> Change:
        """Store a new version, in one transaction.

        Args:
            files: all files of the pool.
            after: the number of the version from which it was made; 0: there was none.
            who: see `Change`.
            how: see `Change`.
            lines: see `Change`.
            removed_queues: see `Change`.
            confirmed: whether all that it takes away has been confirmed.

        Raises:
            OvertakenError: there is a newer version than `after`; nothing was stored.
            StoreError: the newest version makes no sense to this callrouter; nothing was stored.
        """
        draft = Change(
            number=after + 1,
            at=0.0,
            who=who,
            how=how,
            lines=tuple(lines),
            before={},
            after=file_digests(files),
            removed_queues=tuple(removed_queues),
        )

        def add(link: psycopg.Connection[Any]) -> Change:
            # One at a time: the clean-up must not delete what another is about to refer to.
            link.execute(
                "SELECT pg_advisory_xact_lock(hashtext('callrouter configuration'), "
                "hashtext(current_schema()))"
            )
            last = _newest(link)
            newest = last.change.number if last is not None else 0
            if newest != after:
                by = f", by {last.change.who}" if last is not None else ""
                raise OvertakenError(f"version {newest} was stored in the meantime{by}")
            return _add(link, replace(draft, before=last.change.after if last else {}), files,
                        confirmed=confirmed)  # fmt: skip

        return self._use(add)

    # ------------------------------------------------------------ the connection

    def _use(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Return what `work` finds or does, in one transaction."""
        import psycopg  # noqa: PLC0415 - an optional extra, slow to load

        with self._lock, self._explained(psycopg):
            try:
                if self._link is None or self._link.closed:
                    self._link = self._connect(psycopg)
                with self._link.transaction():
                    return work(self._link)
            except (psycopg.errors.UndefinedTable, OvertakenError):
                raise
            except BaseException:
                self._close()
                raise

    @contextmanager
    def _explained(self, psycopg: Any) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.UndefinedTable as error:
            raise _none(self.address) from error
        except psycopg.Error as error:
            text = " ".join(str(error).split()) or type(error).__name__
            raise StoreError(self.address.without_password(text)) from error

    def _connect(self, driver: Any) -> psycopg.Connection[Any]:
        from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415

        from callrouter.store.schemas import NoSchemaError, enter_to_read  # noqa: PLC0415

        given = make_conninfo(**{**_LINK, **conninfo_to_dict(self.address.url)})
        link: psycopg.Connection[Any] = driver.connect(given, prepare_threshold=None)
        try:
            link.execute(f"SET statement_timeout = '{_ANSWER_WITHIN}s'".encode())
            link.commit()
            enter_to_read(link, self.address)
        except NoSchemaError as error:
            link.close()
            raise _none(self.address) from error
        except BaseException:
            link.close()
            raise
        return link

    def _close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            with suppress(Exception):
                link.close()


def _none(address: Address) -> NoVersionError:
    return NoVersionError(
        f"pool {address.pool} has no configuration in {address} yet; put one there with "
        "`callrouter config push DIR`"
    )


def _newest(link: psycopg.Connection[Any]) -> StoredVersion | None:
    """Return the newest version; None: there is none.

    Raises:
        StoreError: it makes no sense to this callrouter. It is not taken for none: then a new one would be
            put in its place.
    """
    row = link.execute(_NEWEST, (1,)).fetchone()
    if row is None:
        return None
    found = next(_read([row]), None)
    if found is None:
        raise StoreError(
            f"version {row[0]} of the configuration cannot be read: a newer callrouter or another "
            "program has stored it; upgrade callrouter here"
        )
    return found


def _read(rows: Sequence[tuple[Any, ...]]) -> Iterator[StoredVersion]:
    for number, at, confirmed, text in rows:
        try:
            change = read_change({**json.loads(text), "number": number, "at": at})
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # other programs can write to the database
        yield StoredVersion(change, bool(confirmed))


def _add(
    link: psycopg.Connection[Any], change: Change, files: ConfigFiles, *, confirmed: bool
) -> Change:
    for file in files.values():
        link.execute(
            "INSERT INTO config_files (digest, content) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (file.digest, file.content),
        )
    found = link.execute(
        "INSERT INTO config_versions (number, at, confirmed, change) "
        "VALUES (%s, clock_timestamp(), %s, %s) RETURNING extract(epoch FROM at)::float8",
        (change.number, confirmed, json.dumps(change_view(change))),
    ).fetchone()
    assert found is not None  # noqa: S101 - RETURNING
    _forget(link, change.number)
    return replace(change, at=float(found[0]))


def _forget(link: psycopg.Connection[Any], newest: int) -> None:
    """Delete all versions but the last `KEPT`, and the contents that none of those has."""
    if newest <= KEPT:
        return
    link.execute("DELETE FROM config_versions WHERE number <= %s", (newest - KEPT,))
    rows = link.execute(_NEWEST, (KEPT,)).fetchall()
    needed = {
        digest
        for version in _read(rows)
        for files in (version.change.before, version.change.after)
        for digest in contents_only(files).values()
    }
    link.execute("DELETE FROM config_files WHERE NOT digest = ANY(%s)", (list(needed),))


def made_of(files: FileDigests, contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the content of each file.

    Raises:
        StoreError: one is missing.
    """
    if lack := [name for name, (digest, _) in files.items() if digest not in contents]:
        raise StoreError(f"the database has lost the content of {', '.join(lack)}")
    return {name: contents[digest] for name, (digest, _) in files.items()}
