"""The wallboard with more than a thousand agents, its thresholds, old data, and a screen on the wall."""

from __future__ import annotations

import os
import re
import signal

import pytest
from playwright.async_api import expect

from callrouter.lab import RingOnly
from tests.browser.page_floor import AGENTS, QUEUES, PageFloor
from tests.browser.visits import Hand, Look, Visits, digits, looks, words

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="package")]

MANY = 1000
LINES = "".join(
    f"  g{n:04}: {{{{name: Guest {n:04}, devices: {{{{desk: PJSIP/{2000 + n}}}}}}}}}\n"
    for n in range(MANY)
)
LEVEL = "service_level: {{within: 1s, target: 80}}"
FILES = {
    "agents": AGENTS + LINES,
    "queues": QUEUES.replace(
        "    name: Customer support\n", f"    name: Customer support\n    {LEVEL}\n"
    ),
}


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_thousand_agents(visits: Visits, floor: PageFloor, look: Look) -> None:
    """All can be found, and few are in the page."""
    await floor.sign_in("alice")
    page, t = await visits.log_in("sam", look, view="board"), words(look.language)
    hand = Hand(page, look)
    card = page.get_by_role("region", name=t("agents"), exact=True)
    await expect(card.get_by_role("heading", level=2)).to_have_text(
        f"{t('agents')} {digits('1,004', look.language)}"
    )
    rows = card.get_by_role("listitem")
    first = rows.nth(0)
    await expect(first.get_by_role("heading")).to_contain_text(t("state.available"))
    await expect(rows.nth(1)).to_contain_text("Alice Martin")
    assert await rows.count() < 80
    await hand.fill(card.get_by_label(t("search")), "guest 0917")
    await expect(rows).to_have_count(2)
    await expect(rows.nth(1)).to_contain_text("Guest 0917")
    await hand.fill(card.get_by_label(t("search")), "")
    await page.keyboard.press("Delete")
    await hand.press(card.get_by_role("button", name=t("state.available")))
    await expect(rows).to_have_count(2)
    await hand.press(card.get_by_role("button", name=t("state.available")))
    window = card.get_by_role("list", name=t("agents"))
    await (hand.reach(window) if look.hand == "keys" else window.click(position={"x": 3, "y": 3}))
    await page.keyboard.press("End")
    await expect(rows.last).to_contain_text("Guest 0999")
    assert await rows.count() < 80
    await visits.accessible(page)


@pytest.mark.parametrize("look", looks(0, 1), ids=str)
async def test_who_waits_too_long(floor: PageFloor, visits: Visits, look: Look) -> None:
    """By the queue's own target, in colour, shape and words."""
    await floor.quiet()
    await floor.sign_in("alice")
    floor.phone("alice").behaviour = RingOnly()
    page, t = await visits.log_in("sam", look, view="board"), words(look.language)
    caller = await floor.caller("support")
    card = page.get_by_role("region", name="Customer support", exact=True)
    await expect(card.get_by_role("list", name=t("line"))).to_contain_text("Alice Martin")
    await expect(card.get_by_role("heading")).to_contain_text(t("alarm.bad"))
    await expect(card).to_have_class("card queue is-bad")
    await expect(card.locator(".line li.is-bad")).to_contain_text(t("alarm.bad"))
    await caller.bye()
    await expect(card).to_have_class("card queue is-good")
    await expect(card.locator(".level")).to_contain_text(t("board.level.bad"))
    await floor.quiet()


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_how_old_the_data_are(floor: PageFloor, visits: Visits, look: Look) -> None:
    """A line that is silent is noticed after two seconds, calmly, and is over by itself."""
    page, t = await visits.log_in("sam", look, view="board", clock=True), words(look.language)
    pid = floor.daemon.pid
    assert pid is not None

    os.kill(pid, signal.SIGSTOP)
    try:
        await expect(page.locator(".age.warn")).to_be_visible()
        await expect(page.get_by_role("status").filter(has_text=t("data-old"))).to_have_count(1)
        await page.clock.fast_forward(10_000)
        await expect(page.locator(".age.bad")).to_be_visible()
        await expect(page.locator("main")).not_to_have_css("filter", "none")
        await page.clock.fast_forward(10_000)  # it gives the line up, and gets the state by another
    finally:
        os.kill(pid, signal.SIGCONT)
    await expect(page.locator(".age.good")).to_be_visible()
    await expect(page.locator("main")).to_have_css("filter", "none")


async def test_a_screen_on_the_wall(floor: PageFloor, visits: Visits) -> None:
    """No controls, the queues that were asked for, in turn where they do not fit."""
    await floor.quiet()
    page, t = await visits.log_in("sam", view="board", clock=True), words("ar")
    await page.goto(f"{floor.url}?board=support,nothing&lang=ar&theme=dark")
    await expect(page.get_by_role("region")).to_have_count(1)
    await expect(page.get_by_role("region", name="Customer support")).to_contain_text(t("waiting"))
    for role in ("button", "link", "combobox", "textbox"):
        await expect(page.get_by_role(role)).to_have_count(0)
    await visits.accessible(page)
    await page.set_viewport_size({"width": 700, "height": 560})
    await page.goto(f"{floor.url}?board&lang=en")
    await expect(page.get_by_label(words("en")("board.part", part="1", parts="2"))).to_be_visible()
    await expect(page.get_by_role("region", name="Customer support")).to_be_visible()
    await page.clock.fast_forward(12_000)
    await expect(page.get_by_role("region", name="Sales")).to_be_visible()
    await expect(page.get_by_role("region")).to_have_count(1)


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_full_screen_and_colours(visits: Visits, floor: PageFloor, look: Look) -> None:
    """The board fills the screen, by itself and as a wall screen; who looks at it chooses its colours."""
    page, t = await visits.log_in("sam", look, view="board"), words(look.language)
    hand = Hand(page, look)
    body = page.locator("body")
    paper: set[str] = set()
    for theme in ("auto", "light", "dark"):
        await expect(page.locator("html")).to_have_attribute("data-theme", theme)
        paper.add(await body.evaluate("node => getComputedStyle(node).backgroundColor"))
        await hand.press(page.get_by_role("button", name=t(f"theme.{theme}"), exact=True))
    assert len(paper) == 2
    await hand.press(page.get_by_role("button", name=t("theme.auto"), exact=True))
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    if look.width > 600:  # a telephone's browser has its own
        await hand.press(page.get_by_role("button", name=t("full-screen"), exact=True))
        await expect(page.locator(":fullscreen")).to_have_count(1)
        await page.evaluate("document.exitFullscreen()")
    await hand.press(page.get_by_role("link", name=t("board.wall"), exact=True))
    await expect(page.locator(".wall .cards")).to_be_visible()
    await expect(page.get_by_role("button")).to_have_count(0)
    await visits.accessible(page)


@pytest.mark.parametrize("look", looks(0), ids=str)
async def test_a_link_for_a_screen(floor: PageFloor, visits: Visits, look: Look) -> None:
    """A supervisor makes one; a browser in which no one is logged in shows it, until it is revoked."""
    page, t = await visits.log_in("pat", look, view="board"), words(look.language)
    hand = Hand(page, look)
    await hand.press(page.get_by_role("link", name=t("screens.title"), exact=True))
    await hand.fill(page.get_by_label(t("screens.name")), "Hall, left")
    visits.expect_fault("403")
    await hand.press(page.get_by_role("button", name=t("screens.make")))
    own = "sales" if look.language == "en" else "."  # elsewhere it is told by the kind of refusal
    await expect(page.get_by_role("alert").filter(has_text=re.compile(own))).to_be_visible()
    await hand.tick(page.get_by_label("Sales", exact=True))
    await hand.press(page.get_by_role("button", name=t("screens.make")))
    link = await page.get_by_label(t("screens.link"), exact=True).input_value()
    await visits.accessible(page)
    asked: list[str] = []
    screen = await visits.page(look)
    screen.on("request", lambda request: asked.append(request.url))
    await screen.goto(link)
    await expect(screen.get_by_role("region", name="Sales")).to_be_visible()
    await expect(screen.get_by_role("region")).to_have_count(1)
    secret = link.partition("#screen=")[2]
    assert len(secret) == 22
    assert not any(secret in url for url in [*asked, screen.url])
    await screen.reload()
    await expect(screen.get_by_role("region", name="Sales")).to_be_visible()
    row = page.get_by_role("listitem").filter(has_text="Hall, left")
    await hand.press(row.get_by_role("button", name=t("screens.revoke")))
    visits.expect_fault("401")
    dialog = page.get_by_role("dialog", name=t("screens.revoke"))
    await hand.press(dialog.get_by_role("button", name=t("screens.revoke"), exact=True))
    await expect(screen.get_by_role("alert")).to_contain_text(t("board.shut"))
    await expect(row).to_have_count(0)
    await visits.accessible(screen)
