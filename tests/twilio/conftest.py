from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.twilio import openapi


@pytest.fixture(scope="session", autouse=True)
def documents() -> None:
    """Read before the first request: on a busy machine that takes longer than a request may."""
    openapi.ready()


@pytest.fixture(autouse=True)
def requests_are_well_formed() -> Iterator[None]:
    """Whatever a test's server was asked for: a handler that raises would only answer 500."""
    openapi.seen.clear()
    yield
    found, openapi.seen[:] = list(openapi.seen), []
    assert found == []
