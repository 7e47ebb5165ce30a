from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from callrouter.store.database import Database, server_at
from callrouter.store.location import Address, File, Place
from tests.store.conftest import server

__all__ = ["server"]


def _opened(place: Place) -> sa.Connection:
    kind = server_at(place, lambda: 0.0)
    Database(kind).close()
    return kind.open()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def record(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sa.Connection]:
    """An open record on each kind of database; made once, because each test takes back what it wrote."""
    if request.param == "sqlite":
        link = _opened(File(tmp_path_factory.mktemp("record") / "callrouter.db"))
    else:
        link = _opened(Address(request.getfixturevalue("server").database()))
    yield link
    link.close()


@pytest.fixture(scope="session")
def sqlite_record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Connection]:
    link = _opened(File(tmp_path_factory.mktemp("record") / "callrouter.db"))
    yield link
    link.close()


@pytest.fixture
def link(record: sa.Connection) -> Iterator[sa.Connection]:
    """An empty record; each test that asks for one is run on both kinds of database."""
    with record.begin() as transaction:
        yield record
        transaction.rollback()


@pytest.fixture
def sqlite_link(sqlite_record: sa.Connection) -> Iterator[sa.Connection]:
    """An empty record, for what does not depend on the kind of database."""
    with sqlite_record.begin() as transaction:
        yield sqlite_record
        transaction.rollback()
