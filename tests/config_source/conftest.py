from __future__ import annotations

from dataclasses import replace

import pytest

from callrouter.store.database import Database, server_at
from callrouter.store.location import Address
from tests.store.server import PostgresServer, running_server

server = pytest.fixture(scope="session")(running_server)


@pytest.fixture(scope="session")
def database(server: PostgresServer) -> str:
    """A database for the tests of this folder; each has a pool of its own in it."""
    return server.database()


@pytest.fixture
def address(database: str, request: pytest.FixtureRequest) -> Address:
    """The part of a new pool, with its tables."""
    pool = f"p{abs(hash(request.node.nodeid)) % 10**12}"
    made = replace(Address(database), pool=pool)
    Database(server_at(made, lambda: 0.0)).close()
    return made
