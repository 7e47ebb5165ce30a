"""The network is cut, and the daemon dies and comes back, under an open page: it says so, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.gate import gate
from tests.browser.page_floor import PageFloor
from tests.browser.visits import Hand, Look, Visits, digits, looks, words

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]

FETCH_FAILED = r"Failed to load resource: net::|WebSocket connection to .* failed"


def button(page: Page, name: str) -> Any:
    return page.get_by_role("button", name=name, exact=True)


async def acts(floor: PageFloor, who: str) -> list[str]:
    """What a person has done so far, by the daemon's own audit, the last act first."""
    return [act["act"] for act in (await floor.get(f"audit?who={who}"))["acts"]]


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_cut_of_a_minute(floor: PageFloor, visits: Visits, look: Look) -> None:
    t = words(look.language)
    visits.expect_fault(FETCH_FAILED)
    await floor.sign_in("alice")
    async with gate(floor.port) as way:
        page = await visits.log_in("alice", look, view="mine", url=way.url, clock=True)
        hand = Hand(page, look)
        standing = page.locator(".standing")
        lunch = page.get_by_role("button", name=t("pause-for", reason="lunch"))
        await expect(lunch).to_be_visible()
        way.shut()
        await expect(page.locator(".age.good")).to_have_count(0)
        await page.clock.fast_forward(60_000)
        await expect(page.locator(".age")).to_contain_text(
            digits("6", look.language)
        )  # sixty and some seconds
        # A click that cannot arrive is refused in words, and is not done later.
        await hand.press(lunch)
        await expect(page.locator(".toast")).to_contain_text(t("unreachable"))
        await floor.act("alice", "pause", reason="meeting")
        way.open()
        await page.clock.fast_forward(15_000)
        await expect(page.locator(".age.good")).to_be_visible()
        await expect(standing).to_contain_text("meeting")
        await floor.agent("alice", pause_reason="meeting")
        await page.context.close()


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_click_on_a_line_that_is_held_up_is_done_once(
    floor: PageFloor, visits: Visits, look: Look
) -> None:
    t = words(look.language)
    await floor.sign_in("alice")
    async with gate(floor.port) as way:
        page = await visits.log_in("alice", look, view="mine", url=way.url)
        hand = Hand(page, look)
        before = await acts(floor, "alice")
        lunch = page.get_by_role("button", name=t("pause-for", reason="lunch"))
        await expect(lunch).to_be_visible()
        way.hold()
        await hand.press(lunch)
        await expect(lunch).to_be_disabled()  # it cannot be pressed a second time
        await floor.agent("alice", state="available")
        way.open()
        await expect(page.locator(".standing")).to_contain_text("lunch")
        await floor.agent("alice", pause_reason="lunch")

        async def done_once() -> bool:  # the audit is written behind
            now = await acts(floor, "alice")
            assert len(now) <= len(before) + 1
            return len(now) == len(before) + 1

        await floor.until(done_once)
        await page.context.close()


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_the_daemon_dies_and_comes_back(floor: PageFloor, visits: Visits, look: Look) -> None:
    t = words(look.language)
    visits.expect_fault(FETCH_FAILED)
    await floor.sign_in("alice", "bob")
    await floor.act("alice", "pause", reason="lunch")
    own = await visits.log_in("alice", look, view="mine", clock=True)
    floor_view = await visits.log_in("sam", look, view="board", clock=True)
    hand = Hand(own, look)
    await expect(own.locator(".standing")).to_contain_text("lunch")
    await floor.kill()
    for page in (own, floor_view):
        await expect(page.locator(".age.good")).to_have_count(0)
    await hand.press(button(own, t("resume")))
    await expect(own.locator(".toast")).to_contain_text(t("unreachable"))
    await floor.daemon.start()
    for page in (own, floor_view):  # by itself, and no one has to log in
        await page.clock.fast_forward(15_000)
        await expect(page.locator(".age.good")).to_be_visible(timeout=30_000)
    await expect(own.locator(".standing")).to_contain_text("lunch")
    await floor.agent("alice", state="paused", pause_reason="lunch")
    await hand.press(button(own, t("resume")))
    await expect(own.locator(".standing")).to_contain_text(t("state.available"))
    await floor.agent("alice", state="available")
