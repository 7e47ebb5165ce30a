from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from callrouter.store.location import Place
from tests.store.server import PostgresServer
from tests.store.tried import Tried, TriedFile, TriedServer
from tests.store.world import Clock


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """Comes with the requirements, for glibc on x86-64 and ARM, so it is never left out there."""
    made = PostgresServer()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def tried(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tried:
    """A new database; each test that asks for one is run on both kinds."""
    if request.param == "sqlite":
        return TriedFile(monkeypatch, tmp_path / "callrouter.db")
    return TriedServer(monkeypatch, request.getfixturevalue("server"))


@pytest.fixture
def place(tried: Tried) -> Place:
    return tried.place


@pytest.fixture
def clock() -> Clock:
    return Clock()
