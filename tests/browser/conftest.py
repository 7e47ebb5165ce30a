"""One floor and one browser for each module; windows are closed, and looked at for faults, after each test.

A module may have ``FILES = {"queues": "…"}`` in place of the floor's own files (see `page_floor`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from callrouter.lab import Install, find_asterisk
from tests.browser import chromium
from tests.browser.page_floor import PageFloor, page_floor
from tests.browser.visits import LOOKS, Look, Visits, browser

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser, say so and pass these tests over."""
    ours = [item for item in items if item.path.parent == HERE]
    why = chromium.missing() if ours else ""
    for item in ours if why else ():
        item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def install() -> Install:
    return asyncio.run(find_asterisk(print))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor(install: Install, request: pytest.FixtureRequest) -> AsyncIterator[PageFloor]:
    async with page_floor(install, getattr(request.module, "FILES", {})) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chrome() -> AsyncIterator[Browser]:
    async with browser() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept_visits(chrome: Browser, floor: PageFloor) -> Visits:
    return Visits(chrome, floor)


@pytest_asyncio.fixture(loop_scope="module")
async def visits(kept_visits: Visits) -> AsyncIterator[Visits]:
    """Windows for this test."""
    yield kept_visits
    await kept_visits.close()


@pytest.fixture(params=LOOKS, ids=str)
def look(request: pytest.FixtureRequest) -> Look:
    """Each way to look at the page in turn."""
    found: Look = request.param
    return found
