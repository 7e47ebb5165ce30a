"""Every view with axe-core, in both colours, at both widths and in every language; with calls on the floor."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from callrouter.lab import RingOnly
from tests.browser.page_floor import PageFloor
from tests.browser.visits import Look, Visits, words

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]

VIEWS = {
    "ada": ("people",),
    "sam": ("board", "floor", "reports", "records", "agent/alice"),
    "alice": ("mine", "board"),
}
LOOKS = (Look(width=1920, language="en"), Look(width=320, language="ar"), Look(width=320, language="zh"))  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="package", autouse=True)
async def busy(floor: PageFloor) -> AsyncIterator[None]:
    """One agent rings, one is paused, and a caller waits."""
    await floor.sign_in("alice", "carol")
    await floor.act("carol", "pause", reason="lunch")
    floor.phone("alice").behaviour = RingOnly()
    await floor.caller("support")
    await floor.agent("alice", state="ringing")
    await floor.caller("support", name="Second Caller")
    yield
    await floor.quiet()


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("user", VIEWS)
async def test_views(visits: Visits, floor: PageFloor, user: str, look: Look) -> None:
    first, *others = VIEWS[user]
    page = await visits.log_in(user, look, view=first)
    await expect(page.locator("main")).to_be_visible()
    await visits.accessible(page)
    for view in others:
        await page.goto(f"{floor.url}#{view}")
        if "/" in view:
            await expect(page.locator("header [aria-current=page]")).to_have_count(0)
        else:
            await expect(page.locator("header [aria-current=page]")).to_have_attribute(
                "href", f"#{view}"
            )
        await expect(page.locator("main")).to_be_visible()
        await visits.accessible(page)


@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_log_in(visits: Visits, look: Look) -> None:
    page = await visits.page(look)
    await expect(page.get_by_label(words(look.language)("user"), exact=True)).to_be_visible()
    await visits.accessible(page)
