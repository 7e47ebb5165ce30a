from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.api import contract
from tests.api.world import SUPERVISOR, Client, World


@pytest.fixture(autouse=True)
def answers_are_as_documented() -> Iterator[None]:
    """Whatever a test is answered, in whichever way it asks, is as the OpenAPI document says."""
    contract.BROKEN.clear()
    yield
    assert contract.BROKEN == []


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    """A supervisor's program."""
    async with TestClient(TestServer(world.app), headers=SUPERVISOR) as made:
        yield made


@pytest.fixture
async def stranger(world: World) -> AsyncIterator[Client]:
    """A program that says nothing of itself."""
    async with TestClient(TestServer(world.app)) as made:
        yield made
