from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.store.location import Place
from tests.store.server import running_server
from tests.store.tried import Tried, TriedFile, TriedServer
from tests.store.world import Clock

server = pytest.fixture(scope="session")(running_server)
"""Comes with the requirements, for glibc on x86-64 and ARM, so it is never left out there."""


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
