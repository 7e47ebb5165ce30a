"""A house whose files are edited, and the people who do it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient

from tests.api.edited_house import ADMIN, LIMITED, SUPERVISOR, EditedHouse, Editing
from tests.api.served import Served
from tests.api.world import Client


@pytest.fixture
def house(tmp_path: Path) -> Iterator[EditedHouse]:
    made = EditedHouse(tmp_path)
    yield made
    made.world.close()


@pytest.fixture
async def client(house: EditedHouse) -> AsyncIterator[Client]:
    async with TestClient(Served(house.world.app)) as made:
        yield made


@pytest.fixture
def boss(client: Client) -> Editing:
    return Editing(client, ADMIN)


@pytest.fixture
def crm(client: Client) -> Editing:
    return Editing(client, SUPERVISOR)


@pytest.fixture
def sam(client: Client) -> Editing:
    return Editing(client, LIMITED)
