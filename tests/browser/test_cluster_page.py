"""The page of an admin in a cluster: through a standby, and handing over to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from callrouter.tasks import Tasks
from tests.api.forwarding.pair import Pair, node, pair
from tests.api.test_sessions import made
from tests.browser.page_floor import PASSWORD
from tests.browser.visits import Hand, Look, Visits, looks, words

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]


@pytest_asyncio.fixture(loop_scope="package")
async def two(tmp_path: Path) -> AsyncIterator[Pair]:
    async with pair() as nodes:
        settings = made(tmp_path, PASSWORD)
        for world in (nodes.first, nodes.second):
            world.sessions.use(settings)
            world.in_step()
        tasks = Tasks()
        tasks.spawn(tick(nodes), "the worlds' clocks")
        yield nodes
        await tasks.close()


async def tick(two: Pair) -> None:
    """Let time pass there, or the page would call its data old."""
    while True:
        await asyncio.sleep(0.1)
        for world in (two.first, two.second):
            world.clock.at += 0.1


@pytest.mark.parametrize("look", looks(0, 1), ids=str)
async def test_an_admin_hands_over_to_the_standby_that_the_page_comes_through(
    visits: Visits, two: Pair, look: Look
) -> None:
    two.shared.obeys = True
    first, second = two.shared.pool.nodes
    lost = node("north-3", seen_s=44.0, config_digest="another")
    two.shared.pool = replace(two.shared.pool, nodes=(first, second, lost))
    page = await visits.log_in("ada", look, url=f"http://127.0.0.1:{two.standby.port}/")
    t, hand = words(look.language), Hand(page, look)
    line = page.locator(".clusterline")
    await expect(line).to_contain_text("north-2")
    await visits.accessible(page, both=False)
    await hand.press(page.get_by_role("link", name=t("view.cluster"), exact=True))
    rows = page.locator("section.pool tbody tr")
    await expect(rows).to_have_count(3)
    await expect(rows.nth(0)).to_contain_text(t("cluster.role.active"))
    await expect(rows.nth(0)).to_contain_text(t("cluster.here"))
    await expect(rows.nth(2)).to_contain_text(t("cluster.role.away"))
    told = "north-3: no sign of life" if look.language == "en" else "north-3"
    await expect(page.locator(".troubles")).to_contain_text(told)
    if look.language == "ar":  # the node's name begins the line, which runs from right to left
        name, text = (page.locator(".troubles li bdi").nth(n) for n in (0, 1))
        at, then = await name.bounding_box(), await text.bounding_box()
        assert at is not None
        assert then is not None
        assert then["x"] < at["x"]
    await visits.accessible(page)
    # As the database does: who is logged in is known to the node that takes over.
    two.second.sessions.restore(list(two.first.sessions.of()))
    await hand.press(page.get_by_role("button", name=t("cluster.hand-over-to", name="north-2")))
    await hand.press(page.locator("dialog button.main"))
    await expect(page.locator(".toast")).to_contain_text("north-2")
    await expect(rows.nth(1)).to_contain_text(t("cluster.role.active"))
    assert two.shared.orders == [("main", "north-2")]
    await expect(page.locator(".age.good")).to_be_visible()


async def test_all_see_that_no_standby_is_ready(visits: Visits, two: Pair) -> None:
    two.shared.pool = replace(two.shared.pool, nodes=two.shared.pool.nodes[:1])
    url = f"http://127.0.0.1:{two.active.port}/"
    for user in ("bob", "sam"):
        page = await visits.log_in(user, Look(), view="board", url=url)
        await expect(page.locator(".clusterline.bad")).to_contain_text("main")
        await expect(page.get_by_role("link", name="Cluster")).to_have_count(0)
