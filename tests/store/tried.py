"""The databases that the store's tests are run on, and what is done to them: SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
import pytest

from callrouter.store import postgres
from callrouter.store.location import Address, File, Place
from callrouter.store.sqlite import Sqlite
from tests.store.server import PostgresServer

Rows = list[tuple[Any, ...]]


class Tried(ABC):
    """A database of one kind. What is done to it within a `with` is undone at its end."""

    place: Place
    AWAY: str
    """Part of what is said while it is away; the next ones likewise."""
    FULL: str
    LOCKED: str
    READ_ONLY: str
    TAKEN: str

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    @abstractmethod
    def ask(self, text: str) -> Rows:
        """Read or change something by hand."""

    @abstractmethod
    def away(self) -> Any:
        """Nobody can reach it."""

    @abstractmethod
    def full(self) -> Any:
        """Its disk is full."""

    @abstractmethod
    def read_only(self) -> Any:
        """It can be read and not written."""

    @abstractmethod
    def locked(self, *, reading: bool = False) -> Any:
        """Another program holds it; with `reading` nobody can even read."""

    @abstractmethod
    def columns(self, table: str) -> set[str]:
        """The columns of a table."""

    @abstractmethod
    def tables(self) -> set[str]:
        """The tables there are."""

    def held(self) -> dict[str, bool]:
        """Who is signed in, as it stands there."""
        return {agent: bool(on) for agent, on in self.ask("SELECT agent, signed_in FROM agents")}


class TriedFile(Tried):
    """A SQLite file."""

    AWAY = "unable to open"
    FULL = "full"
    LOCKED = "locked"
    READ_ONLY = "readonly"
    TAKEN = "dialled already exists"

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        super().__init__(monkeypatch)
        self.path = path
        self.place = File(path)

    def ask(self, text: str) -> Rows:
        link = sqlite3.connect(self.path)
        try:
            with link:
                return link.execute(text).fetchall()
        finally:
            link.close()

    @contextmanager
    def away(self) -> Iterator[None]:
        aside = self.path.with_name("aside")
        if self.path.exists():
            self.path.rename(aside)
        self.path.mkdir()
        try:
            yield
        finally:
            self.path.rmdir()
            if aside.exists():
                aside.rename(self.path)

    def full(self) -> Any:
        return self._pragma("max_page_count = 1")  # as many pages as there are

    def read_only(self) -> Any:
        return self._pragma(
            "query_only = on"
        )  # the tests may run as root, whom no rights hold back

    @contextmanager
    def _pragma(self, words: str) -> Iterator[None]:
        """Every connection begins with a pragma."""
        on = True
        real = Sqlite._connect

        def connect(sqlite: Sqlite) -> sqlite3.Connection:
            link = real(sqlite)
            if on:
                link.execute(f"PRAGMA {words}")
            return link

        self.monkeypatch.setattr(Sqlite, "_connect", connect)
        try:
            yield
        finally:
            on = False

    @contextmanager
    def locked(self, *, reading: bool = False) -> Iterator[None]:
        other = sqlite3.connect(self.path, isolation_level=None)
        if reading:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE" if reading else "BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()

    def columns(self, table: str) -> set[str]:
        return {name for _, name, *_ in self.ask(f"PRAGMA table_info({table})")}

    def tables(self) -> set[str]:
        return {name for (name,) in self.ask("SELECT name FROM sqlite_master WHERE type = 'table'")}


class TriedServer(Tried):
    """A database on a PostgreSQL server."""

    AWAY = "not currently accepting connections"
    FULL = "could not extend file"
    LOCKED = "lock timeout"
    READ_ONLY = "read-only"
    TAKEN = '"dialled" already exists'

    def __init__(self, monkeypatch: pytest.MonkeyPatch, server: PostgresServer) -> None:
        super().__init__(monkeypatch)
        self.place = Address(server.database())
        self._name: Final = urlsplit(self.place.url).path.removeprefix("/")
        self._server = server

    def ask(self, text: str) -> Rows:
        assert isinstance(self.place, Address)
        with psycopg.connect(self.place.url, autocommit=True) as link:
            # Whatever was done to the database is not for us.
            link.execute("SET default_transaction_read_only = off")
            cursor = link.execute(text.encode())
            return cursor.fetchall() if cursor.description else []

    def at_server(self, text: str) -> None:
        """The same as a superuser elsewhere on the server."""
        with psycopg.connect(self._server.url("postgres"), autocommit=True) as link:
            link.execute(text.encode())

    def cut(self) -> None:
        """End every connection to it."""
        self.at_server(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'"
        )

    def make_anew(self) -> None:
        """Drop it, whoever is connected, and make an empty one."""
        self.at_server(f"DROP DATABASE {self._name} WITH (FORCE)")
        self.at_server(f"CREATE DATABASE {self._name}")

    @contextmanager
    def away(self) -> Iterator[None]:
        self.at_server(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
        self.cut()
        try:
            yield
        finally:
            self.at_server(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")

    @contextmanager
    def full(self) -> Iterator[None]:
        # What the server says when a write finds no room: class 53, disk_full.
        self.ask(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE "
            "'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$"
        )
        for table in ("agents", "audit"):
            self.ask(
                f"CREATE TRIGGER full_{table} BEFORE INSERT OR UPDATE ON {table} "
                "EXECUTE FUNCTION no_room()"
            )
        try:
            yield
        finally:
            self.ask("DROP FUNCTION no_room CASCADE")

    @contextmanager
    def read_only(self) -> Iterator[None]:
        setting = "default_transaction_read_only"
        self.at_server(f"ALTER DATABASE {self._name} SET {setting} = on")
        try:
            yield
        finally:
            self.at_server(f"ALTER DATABASE {self._name} RESET {setting}")

    @contextmanager
    def locked(self, *, reading: bool = False) -> Iterator[None]:
        self.monkeypatch.setattr(postgres, "ANSWER_WITHIN", 0.3)
        self.cut()  # those there are have longer limits
        assert isinstance(self.place, Address)
        with psycopg.connect(self.place.url) as other:
            mode = "ACCESS EXCLUSIVE" if reading else "EXCLUSIVE"
            other.execute(f"LOCK TABLE agents IN {mode} MODE".encode())
            yield
            other.rollback()

    def columns(self, table: str) -> set[str]:
        found = self.ask(
            f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'"
        )
        return {name for (name,) in found}

    def tables(self) -> set[str]:
        found = self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in found}
