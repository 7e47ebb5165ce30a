from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store.server import PostgresServer


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    try:
        made.start()
        yield made
    finally:
        made.close()
