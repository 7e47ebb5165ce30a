"""One browser for all, and one floor for all modules that need no other; windows are closed, and looked at for
faults, after each test.

A module that has ``FILES = {"queues": "…"}`` in place of the floor's own files (see `page_floor`), or ``FILES = {}``, gets a
floor of its own. The others find the common one at rest: no calls, all agents signed out.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from callrouter.lab import Answer, Install, find_asterisk
from tests.browser import chromium
from tests.browser.page_floor import PEOPLE, PageFloor, page_floor
from tests.browser.visits import Look, Visits, browser, looks

HERE = Path(__file__).parent
FAILED: pytest.StashKey[bool] = pytest.StashKey()
"""Whether the last stage of a test failed."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser, say so and pass these tests over."""
    ours = [item for item in items if item.path.parent == HERE]
    why = chromium.missing() if ours else ""
    for item in ours if why else ():
        item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def install() -> Install:
    return asyncio.run(find_asterisk(print))


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def common_floor(install: Install) -> AsyncIterator[PageFloor]:
    async with page_floor(install, {}) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def own_floor(install: Install, request: pytest.FixtureRequest) -> AsyncIterator[PageFloor]:
    async with page_floor(install, request.module.FILES) as made:
        yield made


@pytest.fixture(scope="module")
def floor(request: pytest.FixtureRequest) -> PageFloor:
    """The module's floor."""
    own = hasattr(request.module, "FILES")
    found: PageFloor = request.getfixturevalue("own_floor" if own else "common_floor")
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="package", autouse=True)
async def at_rest(floor: PageFloor) -> None:
    """What a module before did with the floor is over."""
    await floor.quiet()
    await floor.sign_out(*PEOPLE)
    for phone in floor.lab.phones.values():
        phone.behaviour = Answer()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def chrome() -> AsyncIterator[Browser]:
    async with browser() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="package")
async def visits(
    chrome: Browser, floor: PageFloor, request: pytest.FixtureRequest
) -> AsyncIterator[Visits]:
    """Windows for this test; of a test that fails, pictures of them go into the folder `BROWSER_PICTURES`."""
    made = Visits(chrome, floor)
    yield made
    folder = os.environ.get("BROWSER_PICTURES")
    if folder and request.node.stash.get(FAILED, False):
        await made.pictures(Path(folder), request.node.name)
    await made.close()


@pytest.fixture(params=looks(), ids=str)
def look(request: pytest.FixtureRequest) -> Look:
    """Each way to look at the page in turn."""
    found: Look = request.param
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell failures by Python's own tracebacks: pytest cannot read the source where Playwright switches stacks."""
    style, item.config.option.tbstyle = item.config.option.tbstyle, "native"
    try:
        report = yield
        item.stash[FAILED] = report.failed
        return report
    finally:
        item.config.option.tbstyle = style
